"""What a request asks for, decided from the request alone.

`decide` is a pure function of one HTTP request: it answers refusals itself and turns
everything else into a plan that a connection carries out. All rules of the Streamable HTTP
transport that need no process are here, in the order in which they are checked: path, Host,
Origin, method, media types, JSON, era, and then the rules of the era. HTTP+SSE, the transport of
2024-11-05, has paths of its own: a stream to read and a place to post to, beside each endpoint.

Which era: no `MCP-Protocol-Version` header, or one that names a revision with a handshake, is
the legacy era; any other value takes the modern ladder, which ends in -32022 for versions
nobody knows (MCP 2026-07-28, versioning).

Non-MCP routes pass the same checks, but for one thing: any address will do as Host, because
orchestrators probe by address, and what is rebound is always a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from erlmcp_py.guards.streams import OpenStreams
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import (
    UNSUPPORTED_VERSION,
    DecodeError,
    McpError,
    header_mismatch,
    refused,
)
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Message,
    Notification,
    Request,
    Response,
    decode,
)
from erlmcp_py.protocol.meta import is_modern, read_meta, read_target
from erlmcp_py.protocol.versions import LATEST, MODERN, Era, era_of
from erlmcp_py.sessions.ids import SessionIds
from erlmcp_py.transports.http.access import AccessPolicy, accepted, is_json
from erlmcp_py.transports.http.heads import Heads
from erlmcp_py.transports.http.mirrored import check_mirrored, repeated
from erlmcp_py.transports.http.plans import (
    ACCEPTED,
    SESSION,
    Answer,
    Deliver,
    EndSession,
    Initialize,
    Invoke,
    OpenSocket,
    OpenSse,
    OpenStream,
    Plan,
    PostSse,
    Visit,
    error_answer,
    refusal,
)
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.response import Headers
from erlmcp_py.transports.http.settings import Route
from erlmcp_py.transports.http.sse_sessions import SseSessions
from erlmcp_py.transports.websocket import handshake

ROOT: Final = "/mcp"
_ALLOW_LEGACY: Final = ((b"Allow", b"GET, POST, DELETE"),)
_ALLOW_MODERN: Final = ((b"Allow", b"POST"),)
_ALLOW_ROUTE: Final = ((b"Allow", b"GET, HEAD"),)
_ALLOW_GET: Final = ((b"Allow", b"GET"),)
_ALLOW_POST: Final = ((b"Allow", b"POST"),)
_STREAM: Final = "sse"
_POST: Final = "messages"
_DEFAULTS: Final = {f"/{_STREAM}": _STREAM, f"/{_POST}": _POST}
_SOCKET: Final = "ws"


class _Post(msgspec.Struct, frozen=True):
    """A head that lets a message to `server` be read. version: what it says of it; None: legacy. method,
    target: what it repeats of a modern message; None where it does not, or cannot be decoded.
    """

    server: str | None
    version: str | None
    method: str | None = None
    target: str | None = None


class Endpoint:
    """The paths of one listener: MCP's, and the routes it was given.

    legacy_sse: whether HTTP+SSE is served at ``/sse`` and ``/mcp/NAME/sse``. ids: of its sessions.
    websocket: whether that is served at ``/mcp/ws`` and ``/mcp/NAME/ws``.
    streams: those that are open.
    """

    __slots__ = (
        "_legacy_sse", "_policy", "_routes", "_websocket", "heads", "sockets", "sse_sessions", "streams",
    )  # fmt: skip

    def __init__(
        self,
        policy: AccessPolicy,
        routes: Mapping[str, Route],
        streams: OpenStreams,
        *,
        legacy_sse: bool = True,
        websocket: bool = True,
        ids: SessionIds | None = None,
    ) -> None:
        self._policy = policy
        self._routes = dict(routes)
        self._legacy_sse = legacy_sse
        self._websocket = websocket
        self.heads = Heads()
        self.sockets = 0
        """WebSockets that are open now."""
        self.sse_sessions = SseSessions(ids)
        self.streams = streams

    def decide(self, http: HttpRequest) -> Plan:
        """The plan for one request; never raises."""
        head = http.head
        if head is None:
            plan = self._look(http)
            return _read(http, plan) if isinstance(plan, _Post) else plan
        post: _Post | None = head.post
        if post is None:
            plan = self._look(http)
            if not isinstance(plan, _Post):
                return plan
            post = head.post = plan
        return _read(http, post)

    def _look(self, http: HttpRequest) -> Plan | _Post:
        """What can be said without the body."""
        path = http.path
        if path == ROOT:
            server = None
        elif path.startswith("/mcp/"):
            server = path[5:]
            if not server or "/" in server:
                return self._beside(http, path)
            if server == _SOCKET and self._websocket:
                return self._socket(http, None)
        elif path in _DEFAULTS and self._legacy_sse:
            return self._sse(http, None, _DEFAULTS[path])
        else:
            return self._visit(http)
        headers = http.headers
        refused = self._admit(http, self._policy.host_served)
        if refused is not None:
            return refused
        named = headers.get(b"mcp-protocol-version")
        version = None if named is None else named.decode("latin-1")
        modern = version is not None and era_of(version) == "modern"
        if http.method == "POST":
            return _post(http, server, version if modern else None)
        return _refuse_method(http) if modern else _legacy_get_or_delete(http, server)

    def _admit(self, http: HttpRequest, hosts: Mapping[bytes, bool]) -> Answer | None:
        """None, or the refusal of a host that is not served or a page that may not call."""
        host = http.headers.get(b"host", b"")
        if not hosts[host]:
            text = f"this node does not serve the host {host.decode('latin-1')!r}"
            return refusal(refusals.URI_OUT_OF_BOUNDS, text)
        origin = http.headers.get(b"origin")
        if origin is not None and not self._policy.origin_allowed[origin]:
            text = origin.decode("latin-1")
            said = f"pages of the origin {text!r} may not call this node"
            return refusal(refusals.FORBIDDEN, said)
        return None

    def _beside(self, http: HttpRequest, path: str) -> Plan:
        """A path below that of a server."""
        server, _, part = path[5:].partition("/")
        if server and part in (_STREAM, _POST) and self._legacy_sse:
            return self._sse(http, server, part)
        if server and part == _SOCKET and self._websocket:
            return self._socket(http, server)
        text = f"{path} is no endpoint; servers are at {ROOT}/NAME"
        return refusal(refusals.PATH_UNKNOWN, text)

    def _sse(self, http: HttpRequest, server: str | None, part: str) -> Plan:
        refused = self._admit(http, self._policy.host_served)
        if refused is not None:
            return refused
        if part == _POST:
            return _post_sse(http, server)
        if http.method != "GET":
            # Also what tells a client that begins with streamable HTTP to try this transport.
            text = f"{http.path} is read by GET (HTTP+SSE, 2024-11-05)"
            return _not_allowed(text, _ALLOW_GET)
        if not accepted[http.headers.get(b"accept", b"*/*")].sse:
            return _unacceptable("the Accept header must allow text/event-stream")
        return OpenSse(server, quote(http.path.removesuffix(_STREAM) + _POST))

    def _socket(self, http: HttpRequest, server: str | None) -> Plan:
        refused = self._admit(http, self._policy.host_served)
        if refused is not None:
            return refused
        if http.method != "GET":
            return _not_allowed(f"{http.path} is opened by GET (WebSocket)", _ALLOW_GET)
        try:
            return OpenSocket(server, handshake.accept(http.headers, http.version))
        except handshake.Unfit as unfit:
            return refusal(unfit.entry, unfit.text, status=unfit.status, headers=unfit.headers)

    def _visit(self, http: HttpRequest) -> Plan:
        refused = self._admit(http, self._policy.probe_served)
        if refused is not None:
            return refused
        route = self._routes.get(http.path)
        if route is None:
            text = f"nothing is served at {http.path}; MCP is at {ROOT}"
            return refusal(refusals.PATH_UNKNOWN, text)
        if http.method not in ("GET", "HEAD"):
            return _not_allowed(f"{http.path} is read by GET", _ALLOW_ROUTE)
        return Visit(route, http.method == "HEAD")


def _not_allowed(text: str, allowed: Headers) -> Answer:
    return refusal(refusals.PROTOCOL_ERROR, text, status=405, headers=allowed)


def _unacceptable(text: str) -> Answer:
    return refusal(refusals.INVALID_CONTENT_TYPE, text, status=406)


def _no_json() -> Answer:
    text = "the Content-Type must be application/json, in UTF-8"
    return refusal(refusals.INVALID_CONTENT_TYPE, text)


def _refuse_method(http: HttpRequest) -> Answer:
    text = f"{http.method} has no meaning here: requests of {LATEST} are sent by POST"
    return _not_allowed(text, _ALLOW_MODERN)


def _legacy_get_or_delete(http: HttpRequest, server: str | None) -> Plan:
    if http.method not in ("GET", "DELETE"):
        return _not_allowed(f"{http.method} has no meaning here", _ALLOW_LEGACY)
    session = _session_id(http)
    if session is None:
        return _missing_session()
    if http.method == "DELETE":
        return EndSession(server, session)
    if not accepted[http.headers.get(b"accept", b"*/*")].sse:
        return _unacceptable("the Accept header must allow text/event-stream")
    return OpenStream(server, session)


def _post_sse(http: HttpRequest, server: str | None) -> Plan:
    """The answer comes on the stream, so no Accept header is of interest."""
    if http.method != "POST":
        return _not_allowed(f"messages are sent to {http.path} by POST", _ALLOW_POST)
    if not is_json[http.headers.get(b"content-type", b"")]:
        return _no_json()
    pairs = (pair.partition("=") for pair in http.query.split("&"))
    session = next((value for name, _, value in pairs if name == SESSION), None)
    if not session:
        text = f"{SESSION} is missing: post to the URI that the stream begins with"
        return refusal(refusals.SESSION_ID_MISSING, text)
    try:
        message = decode(http.body)
    except DecodeError as error:
        return error_answer(error.id, error, "legacy", 400)
    id = message.id if isinstance(message, Request) else None
    return PostSse(server, session, id, http.path.removesuffix(_POST) + _STREAM)


def _post(http: HttpRequest, server: str | None, version: str | None) -> Answer | _Post:
    headers = http.headers
    if not is_json[headers.get(b"content-type", b"")]:
        return _no_json()
    allowed = accepted[headers.get(b"accept", b"*/*")]
    if not (allowed.json and allowed.sse):
        return _unacceptable(
            "the Accept header must allow both application/json and text/event-stream"
        )
    return _Post(server, version, *(repeated(headers) if version is not None else ()))


def _read(http: HttpRequest, post: _Post) -> Plan:
    try:
        message = decode(http.body)
    except DecodeError as error:
        era: Era = "legacy" if post.version is None else "modern"
        return error_answer(error.id, error, era)
    if post.version is None:
        return _legacy(http, post.server, message)
    return _modern(http, post, message, post.version)


def _modern(http: HttpRequest, post: _Post, message: Message, version: str) -> Plan:
    """The modern ladder: `_meta`, then headers that must repeat the body, then the version."""
    if isinstance(message, Response | ErrorResponse):
        return refusal(refusals.PROTOCOL_ERROR, f"clients of {LATEST} send no responses")
    id = message.id if isinstance(message, Request) else None
    try:
        if isinstance(message, Notification):
            if version not in MODERN:
                raise header_mismatch(f"MCP-Protocol-Version is {version!r}, not {LATEST!r}")
            check_mirrored(http.headers, message, None)
            return ACCEPTED
        try:
            meta = read_meta(message)
        except McpError as error:
            if error.code == UNSUPPORTED_VERSION:
                _check_version(version, error.data["requested"])
                check_mirrored(http.headers, message, read_target(message))
            raise
        _check_version(version, meta.version)
        if message.method != post.method or meta.target != post.target:
            check_mirrored(http.headers, message, meta.target)
    except McpError as error:
        return error_answer(id, error, "modern")
    return Invoke(post.server, message, meta)


def _check_version(header: str, body: str) -> None:
    if header != body:
        raise header_mismatch(
            f"MCP-Protocol-Version is {header!r}, but the body's version is {body!r}"
        )


def _legacy(http: HttpRequest, server: str | None, message: Message) -> Plan:
    if isinstance(message, Request) and message.method == "initialize":
        return Initialize(server, message)
    session = _session_id(http)
    if session is not None:
        return Deliver(server, session, message)
    if isinstance(message, Request) and is_modern(message):
        error = header_mismatch(
            "MCP-Protocol-Version is missing; it must repeat the body's version"
        )
        return error_answer(message.id, error, "modern")
    return _missing_session(message.id if isinstance(message, Request) else None)


def _session_id(http: HttpRequest) -> str | None:
    value = http.headers.get(b"mcp-session-id")
    return None if value is None else value.decode("latin-1")


def _missing_session(id: str | int | None = None) -> Answer:
    text = (
        "Mcp-Session-Id is missing: send initialize first, or speak "
        f"{LATEST} and say so in MCP-Protocol-Version"
    )
    return error_answer(id, refused(refusals.SESSION_ID_MISSING, text), "legacy", 400)
