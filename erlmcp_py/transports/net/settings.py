"""What every listener is told when it starts; a protocol's own settings are a subclass."""

from __future__ import annotations

from typing import Literal

import msgspec
import trio


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a listener encrypts.

    certificate: a file with the certificate and those between it and the root, in PEM form. key: the
    file with its private key; empty: it is in `certificate`. key_password_env: the environment
    variable with the password of an encrypted key. client_ca: a file with the certificates that sign
    those of clients. client_certificates: whether a client has to show one; "optional": one that it
    shows has to be good. minimum: the oldest version of TLS that is spoken. handshake_timeout:
    seconds a client has for its part.
    """

    certificate: str
    key: str = ""
    key_password_env: str = ""
    client_ca: str = ""
    client_certificates: Literal["off", "optional", "required"] = "off"
    minimum: Literal["1.2", "1.3"] = "1.2"
    handshake_timeout: float = 10.0


class ListenerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One listener. Times are seconds.

    name: under which it registers as a transport, and with which the names of its processes begin.
    host: an address, or ``unix:/PATH`` for a socket in the file system, where `port` means nothing.
    port: 0 lets the system choose, once: a restarted listener asks for the same port again.
    reuse_port: further processes of the machine may listen on the same port, and share its clients.
    descriptor: of a socket that is bound already; the listener has a copy of it listen, and does not
    bind any other. gate: where the socket was another node's and is taken over from it; nobody is let
    in before it is set. max_connections: one more is turned away. idle_timeout: how long a connection may
    go without a complete request, or leave an answer unread. backlog: connections the system queues.
    accept_batch: connections accepted per wake-up. mailbox: messages that may wait at one
    connection, whose client does not read what it asked for; one more closes it. max_per_address: of
    the connections from one address, or from one /64 network of IPv6; None: any number.
    request_timeout: how long a request may take to arrive, from its first byte to its last.
    tls: None: bytes travel as they are.
    """

    name: str
    host: str = "127.0.0.1"
    port: int = 0
    reuse_port: bool = False
    max_connections: int = 4096
    max_per_address: int | None = None
    request_timeout: float = 30.0
    idle_timeout: float = 75.0
    backlog: int = 1024
    accept_batch: int = 256
    mailbox: int = 5000
    descriptor: int | None = None
    gate: trio.Event | None = None
    tls: TlsSettings | None = None

    @property
    def patience(self) -> float:
        """The shortest time that the pool has to watch over."""
        return min(self.idle_timeout, self.request_timeout)
