"""What a request asks for, decided from the request alone.

`decide` is a pure function of one HTTP request: it answers refusals itself and turns
everything else into a plan that a connection carries out. All rules of the Streamable HTTP
transport that need no process are here, in the order in which they are checked: path, Host,
Origin, method, media types, JSON, era, and then the rules of the era.

Which era: no `MCP-Protocol-Version` header, or one that names a revision with a handshake, is
the legacy era; any other value takes the modern ladder, which ends in -32022 for versions
nobody knows (MCP 2026-07-28, versioning).

Non-MCP routes pass the same checks, but for one thing: any address will do as Host, because
orchestrators probe by address, and what is rebound is always a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from erlmcp_py.protocol.errors import (
    INVALID_REQUEST,
    UNSUPPORTED_VERSION,
    DecodeError,
    McpError,
    header_mismatch,
    http_status,
)
from erlmcp_py.protocol.jsonrpc import (
    ErrorResponse,
    Message,
    Notification,
    Request,
    Response,
    decode,
    encode,
    error_response,
)
from erlmcp_py.protocol.meta import ModernMeta, is_modern, read_meta, read_target
from erlmcp_py.protocol.versions import LATEST, MODERN, Era, era_of
from erlmcp_py.transports.http.access import AccessPolicy, accepted, is_json
from erlmcp_py.transports.http.mirrored import check_mirrored
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.transports.http.response import JSON, Headers
from erlmcp_py.transports.http.settings import Route

ROOT: Final = "/mcp"
_ALLOW_LEGACY: Final = ((b"Allow", b"GET, POST, DELETE"),)
_ALLOW_MODERN: Final = ((b"Allow", b"POST"),)


class Answer(msgspec.Struct, frozen=True):
    """Answer at once, without asking anybody."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: Headers = ()


class Visit(msgspec.Struct, frozen=True):
    """Ask a route that is not MCP's. head_only: the request was HEAD."""

    route: Route
    head_only: bool


class Invoke(msgspec.Struct, frozen=True):
    """Modern: one stateless request to `server` (None: the one the listener is bound to)."""

    server: str | None
    request: Request
    meta: ModernMeta


class Initialize(msgspec.Struct, frozen=True):
    """Legacy: open a session on `server`."""

    server: str | None
    request: Request


class Deliver(msgspec.Struct, frozen=True):
    """Legacy: a message within a session."""

    server: str | None
    session: str
    message: Message


class OpenStream(msgspec.Struct, frozen=True):
    """Legacy: the GET stream of a session."""

    server: str | None
    session: str


class EndSession(msgspec.Struct, frozen=True):
    """Legacy: DELETE."""

    server: str | None
    session: str


Plan = Answer | Visit | Invoke | Initialize | Deliver | OpenStream | EndSession

ACCEPTED: Final = Answer(202)


def error_answer(
    id: str | int | None, error: McpError, era: Era, status: int | None = None
) -> Answer:
    """A JSON-RPC error as an HTTP answer; status: instead of the one that goes with the code."""
    body = encode(error_response(id, error))
    return Answer(http_status(error.code, era) if status is None else status, body)


def refusal(status: int, text: str, headers: Headers = ()) -> Answer:
    """A request turned away by HTTP's or the transport's own rules."""
    body = encode(error_response(None, McpError(INVALID_REQUEST, text)))
    return Answer(status, body, JSON, headers)


class Endpoint:
    """The paths of one listener: MCP's, and the routes it was given."""

    __slots__ = ("_policy", "_routes")

    def __init__(self, policy: AccessPolicy, routes: Mapping[str, Route]) -> None:
        self._policy = policy
        self._routes = dict(routes)

    def decide(self, http: HttpRequest) -> Plan:
        """The plan for one request; never raises."""
        path = http.path
        if path == ROOT:
            server = None
        elif path.startswith("/mcp/"):
            server = path[5:]
            if not server or "/" in server:
                return refusal(404, f"{path} is no endpoint; servers are at {ROOT}/NAME")
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
            return refusal(421, f"this node does not serve the host {host.decode('latin-1')!r}")
        origin = http.headers.get(b"origin")
        if origin is not None and not self._policy.origin_allowed[origin]:
            text = origin.decode("latin-1")
            return refusal(403, f"pages of the origin {text!r} may not call this node")
        return None

    def _visit(self, http: HttpRequest) -> Plan:
        refused = self._admit(http, self._policy.probe_served)
        if refused is not None:
            return refused
        route = self._routes.get(http.path)
        if route is None:
            return refusal(404, f"nothing is served at {http.path}; MCP is at {ROOT}")
        if http.method not in ("GET", "HEAD"):
            return refusal(405, f"{http.path} is read by GET", ((b"Allow", b"GET, HEAD"),))
        return Visit(route, http.method == "HEAD")


def _refuse_method(http: HttpRequest) -> Answer:
    text = f"{http.method} has no meaning here: requests of {LATEST} are sent by POST"
    return refusal(405, text, _ALLOW_MODERN)


def _legacy_get_or_delete(http: HttpRequest, server: str | None) -> Plan:
    if http.method not in ("GET", "DELETE"):
        return refusal(405, f"{http.method} has no meaning here", _ALLOW_LEGACY)
    session = _session_id(http)
    if session is None:
        return _missing_session()
    if http.method == "DELETE":
        return EndSession(server, session)
    if not accepted[http.headers.get(b"accept", b"*/*")].sse:
        return refusal(406, "the Accept header must allow text/event-stream")
    return OpenStream(server, session)


def _post(http: HttpRequest, server: str | None, modern_version: str | None) -> Plan:
    headers = http.headers
    if not is_json[headers.get(b"content-type", b"")]:
        return refusal(415, "the Content-Type must be application/json, in UTF-8")
    allowed = accepted[headers.get(b"accept", b"*/*")]
    if not (allowed.json and allowed.sse):
        return refusal(
            406, "the Accept header must allow both application/json and text/event-stream"
        )
    try:
        message = decode(http.body)
    except DecodeError as error:
        era: Era = "legacy" if modern_version is None else "modern"
        return error_answer(error.id, error, era)
    if modern_version is None:
        return _legacy(http, server, message)
    return _modern(http, server, message, modern_version)


def _modern(http: HttpRequest, server: str | None, message: Message, version: str) -> Plan:
    """The modern ladder: `_meta`, then headers that must repeat the body, then the version."""
    if isinstance(message, Response | ErrorResponse):
        return refusal(400, f"clients of {LATEST} send no responses")
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
        check_mirrored(http.headers, message, meta.target)
    except McpError as error:
        return error_answer(id, error, "modern")
    return Invoke(server, message, meta)


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
    return error_answer(id, McpError(INVALID_REQUEST, text), "legacy", 400)
