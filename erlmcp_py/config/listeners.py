"""Where a node listens: the sections of the transports."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from erlmcp_py.config.values import (
    Bytes,
    Count,
    Port,
    Seconds,
    Section,
    Waiting,
)


class TlsConfig(Section, frozen=True, kw_only=True):
    """`[http.tls]`: how a listener encrypts."""

    certificate: str = ""
    """File in PEM form, with those between it and the root; empty: no TLS."""
    key: str = ""
    """File with its private key; empty: it is in `certificate`."""
    key_password_env: str = ""
    """Environment variable with the password of an encrypted key."""
    client_ca: str = ""
    """File with the certificates that sign those of clients."""
    client_certificates: Literal["off", "optional", "required"] = "off"
    """Whether a client has to show a certificate."""
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""


class HttpTlsConfig(TlsConfig, frozen=True, kw_only=True):
    """`[http.tls]`: what only HTTP has."""

    redirect_port: Port | Literal["off"] = "off"
    """Listens there too, without TLS, and sends every client to https://."""
    hsts: Annotated[int, Meta(ge=0)] | Literal["off"] = 31_536_000
    """Seconds for which browsers shall not try without TLS (Strict-Transport-Security)."""


class HttpConfig(Section, frozen=True, kw_only=True):
    """`[http]`: the streamable HTTP listener."""

    enabled: bool = True
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """An address, a name, or unix:/PATH for a Unix socket."""
    port: Port = 8080
    """0 lets the operating system choose. Means nothing to a Unix socket."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may call, besides those of this machine. "*" allows every page."""
    allowed_hosts: tuple[str, ...] = ()
    """Host headers accepted besides the listener's own and localhost. "*" accepts every one."""
    body_limit: Bytes = 4 * 1024 * 1024
    """Bytes of a request body; a longer one is answered 413."""
    header_limit: Bytes = 32 * 1024
    """Bytes of a request's first line and headers; more are answered 431."""
    header_lines: Annotated[int, Meta(ge=10, le=10_000)] = 100
    """Headers of a request; one more is answered 431."""
    target_limit: Bytes = 8 * 1024
    """Bytes of a request's target; a longer one is answered 414."""
    connections: Count = 4096
    """Open connections; one more is answered 503."""
    connections_per_address: Count | Literal["off"] = 256
    """Of them from one address, or one /64 of IPv6; one more is answered 429. Not on loopback."""
    idle_timeout: Seconds = 75.0
    """Seconds a connection may stay open without a request."""
    request_timeout: Seconds = 30.0
    """Seconds a request may take to arrive, from its first byte on; then it is answered 408."""
    streams: Count = 4000
    """Streams that tell of changes, open at once; one more is answered 503."""
    streams_per_session: Count = 16
    """Of them for one session; one more is answered 429."""
    unread: Bytes = 4 * 1024 * 1024
    """Bytes of notifications that may wait for a client that does not read them."""
    slow_reader: Literal["wait", "drop_progress", "disconnect"] = "drop_progress"
    """What becomes of such a client."""
    resumable_answers: bool = False
    """Answer every request of a session as an event stream, so that its client can come back for an
    answer that got lost on the way; otherwise only those that take their time."""
    legacy_sse: bool = True
    """Serve clients of 2024-11-05 too, which read at /sse (of a server by its name: /mcp/NAME/sse) and
    post elsewhere."""
    in_flight: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Requests of such a client at work at once."""
    waiting: Waiting = 4 * 1024 * 1024
    """Bytes of further requests of such a client that wait; one more is refused."""
    tls: HttpTlsConfig = HttpTlsConfig()


class StdioConfig(Section, frozen=True, kw_only=True):
    """`[stdio]`: one client on standard input and output."""

    enabled: bool = False
    line_limit: Bytes = 16 * 1024 * 1024
    """Bytes of one message."""
    in_flight: Count = 1000
    """Requests at work at once."""
    waiting: Waiting = 4 * 1024 * 1024
    """Bytes of further requests that wait; one more is refused."""


class TcpConfig(Section, frozen=True, kw_only=True):
    """`[tcp]`: the listener for messages on a connection, without HTTP."""

    enabled: bool = False
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """An address, a name, or unix:/PATH for a Unix socket."""
    port: Port = 8090
    """0 lets the operating system choose. Means nothing to a Unix socket."""
    framing: Literal["newline", "length"] = "newline"
    """How messages are told apart: each on a line, or each behind its length in four bytes."""
    server: str = ""
    """Which one is served; empty: the one the transport is bound to, or the default."""
    message_limit: Bytes = 16 * 1024 * 1024
    """Bytes of one message."""
    connections: Count = 1024
    """Open connections; one more gets an error and is closed."""
    in_flight: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Requests of one connection at work at once."""
    waiting: Waiting = 4 * 1024 * 1024
    """Bytes of further requests of one connection that wait; one more is refused."""
    unread: Bytes = 50 * 1024 * 1024
    """Bytes of answers that a client may leave unread before its connection is closed."""
    idle_timeout: Seconds = 300.0
    """Seconds a connection may stay open that waits for nothing, or reads nothing."""
    tls: TlsConfig = TlsConfig()


class WebSocketConfig(Section, frozen=True, kw_only=True):
    """`[websocket]`: WebSockets at /mcp/ws and /mcp/NAME/ws of the HTTP listener."""

    enabled: bool = True
    connections: Count = 1000
    """Open WebSockets, which count among `http.connections` too; one more is answered 503."""
    message_limit: Bytes = 4 * 1024 * 1024
    """Bytes of one message; a longer one closes the socket (1009)."""
    fragments: Count = 1000
    """Fragments of one message; one more closes the socket (1009)."""
    in_flight: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Requests of one socket at work at once."""
    waiting: Waiting = 4 * 1024 * 1024
    """Bytes of further requests of one socket that wait; one more is refused."""
    unread: Bytes = 50 * 1024 * 1024
    """Bytes of answers that a client may leave unread before its socket is closed."""
    ping_interval: Seconds = 30.0
    """Seconds without a byte of the client after which it is sent a ping."""
    ping_timeout: Seconds = 20.0
    """Seconds it then has to show that it is there; otherwise its socket is closed (1011)."""
