"""`_meta` of requests: what a modern request says about itself, and the progress token.

A modern request stands alone, so its `params._meta` brings what `initialize` used to negotiate. The
ladder (MCP 2026-07-28, base protocol): `_meta` must be there and name a protocol version (-32602),
the version must be one of ours (-32022), and only then do its other members have a meaning that can
be checked (-32602 again). A request of an unknown version is thus told the versions, whatever else
it looks like.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn, get_args

import msgspec
from msgspec import UNSET, Raw, UnsetType

from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import McpError, mismatch, params_entry, refused, unsupported_version
from erlmcp_py.protocol.headers import NAMED_BY
from erlmcp_py.protocol.jsonrpc import Notification, Request, RequestId, params_as
from erlmcp_py.protocol.lifecycle import ClientCapabilities, Implementation, LogLevel
from erlmcp_py.protocol.notifications import ProgressToken
from erlmcp_py.protocol.versions import MODERN
from erlmcp_py.protocol.wire import DECODERS, Json

PREFIX: Final = "io.modelcontextprotocol/"
PROTOCOL_VERSION: Final = PREFIX + "protocolVersion"
CLIENT_INFO: Final = PREFIX + "clientInfo"
CLIENT_CAPABILITIES: Final = PREFIX + "clientCapabilities"
LOG_LEVEL: Final = PREFIX + "logLevel"
SERVER_INFO: Final = PREFIX + "serverInfo"
SUBSCRIPTION_ID: Final = PREFIX + "subscriptionId"
RELATED_TASK: Final = PREFIX + "related-task"
"""Of 2025-11-25: `RelatedTaskMetadata`, on every message that belongs to a task."""
PROGRESS_TOKEN: Final = "progressToken"
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"
"""Trace context in W3C's formats (MCP 2026-07-28, `_meta`)."""


class ModernMeta(msgspec.Struct, frozen=True):
    """What a modern request says about itself.

    `log_level` None: the request wants no `notifications/message`; `progress_token` None: no
    `notifications/progress`. `target`: the tool, prompt, resource or task it is for, which `Mcp-Name`
    repeats (`headers.NAMED_BY`); None if its method has none, or it is no string. `trace`: the members
    of W3C's trace context that are strings, as they came.
    """

    version: str
    client_info: Implementation | None
    client_capabilities: ClientCapabilities
    log_level: LogLevel | None
    progress_token: ProgressToken | None
    target: str | None = None
    trace: dict[str, str] | None = None


class _Members(msgspec.Struct, frozen=True):
    version: str | UnsetType = msgspec.field(name=PROTOCOL_VERSION, default=UNSET)
    client_capabilities: ClientCapabilities | UnsetType = msgspec.field(
        name=CLIENT_CAPABILITIES, default=UNSET
    )
    client_info: Implementation | UnsetType = msgspec.field(name=CLIENT_INFO, default=UNSET)
    log_level: LogLevel | UnsetType = msgspec.field(name=LOG_LEVEL, default=UNSET)
    progress_token: ProgressToken | UnsetType = msgspec.field(name=PROGRESS_TOKEN, default=UNSET)
    traceparent: Any = None
    tracestate: Any = None
    baggage: Any = None


class _Params(msgspec.Struct, frozen=True, rename="camel"):
    """The one look at the parameters that serves the ladder and the header check together."""

    meta: _Members = msgspec.field(name="_meta", default=_Members())
    name: Any = None
    uri: Any = None
    task_id: Any = None


class _RawParams(msgspec.Struct, frozen=True, gc=False):
    meta: Raw = msgspec.field(name="_meta", default=Raw())


class _EraMeta(msgspec.Struct, frozen=True, gc=False):
    version: Raw = msgspec.field(name=PROTOCOL_VERSION, default=Raw())


class _EraParams(msgspec.Struct, frozen=True):
    meta: _EraMeta = msgspec.field(name="_meta", default=_EraMeta())


class _LegacyMeta(msgspec.Struct, frozen=True, gc=False):
    progress_token: ProgressToken | None = msgspec.field(name="progressToken", default=None)


class _LegacyParams(msgspec.Struct, frozen=True):
    meta: _LegacyMeta | None = msgspec.field(name="_meta", default=None)


class _TaggedMeta(msgspec.Struct, frozen=True, gc=False):
    subscription: RequestId | None = msgspec.field(name=SUBSCRIPTION_ID, default=None)


class _TaggedParams(msgspec.Struct, frozen=True):
    meta: _TaggedMeta = msgspec.field(name="_meta", default=_TaggedMeta())


_any = msgspec.json.Decoder().decode
_EMPTY: Final = Raw(b"{}")
_ATTRIBUTES: Final = {
    method: "task_id" if key == "taskId" else key for method, key in NAMED_BY.items()
}


def read_meta(request: Request) -> ModernMeta:
    """The `_meta` of a modern request.

    Raises McpError: -32602 if it or a required member is missing or malformed, -32022 with
    `{supported, requested}` if its version is not a modern one; `supported` then names the legacy
    revisions too, for a client that can fall back to `initialize`.
    """
    meta = find_meta(request)
    if meta is None:
        _refuse(request, None)
    return meta


def find_meta(request: Request) -> ModernMeta | None:
    """The same, for a transport without headers: None if the request names no protocol version in its
    `_meta`, which makes it a legacy one (MCP 2026-07-28, versioning).
    """
    try:
        params = DECODERS[_Params].decode(_EMPTY if request.params is None else request.params)
    except (ValueError, RecursionError) as problem:
        if not is_modern(request):
            return None
        _refuse(request, problem)
    members = params.meta
    if members.version is UNSET:
        return None
    if members.version not in MODERN or members.client_capabilities is UNSET:
        _refuse(request, None)
    info, level, token = members.client_info, members.log_level, members.progress_token
    return ModernMeta(
        members.version,
        None if info is UNSET else info,
        members.client_capabilities,
        None if level is UNSET else level,
        None if token is UNSET else token,
        _target(request.method, params),
        _trace(members),
    )


def read_target(request: Request | Notification) -> str | None:
    """`ModernMeta.target` of a message whose `_meta` cannot be read."""
    key = NAMED_BY.get(request.method)
    if key is None or request.params is None:
        return None
    try:
        value = _any(request.params).get(key)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _target(method: str, params: _Params) -> str | None:
    attribute = _ATTRIBUTES.get(method)
    if attribute is None:
        return None
    value = getattr(params, attribute)
    return value if type(value) is str else None


def _trace(members: _Members) -> dict[str, str] | None:
    if members.traceparent is None and members.tracestate is None and members.baggage is None:
        return None
    found = {
        TRACEPARENT: members.traceparent,
        TRACESTATE: members.tracestate,
        BAGGAGE: members.baggage,
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}


def is_modern(request: Request) -> bool:
    """True if the request names a protocol version in its `_meta`: what tells the eras apart on a
    transport without headers (MCP 2026-07-28, versioning).
    """
    if request.params is None:
        return False
    try:
        return bool(params_as(request, _EraParams).meta.version)
    except McpError:
        return False


def request_meta(
    version: str,
    client_info: Implementation | Raw | None,
    client_capabilities: ClientCapabilities | Raw,
    *,
    log_level: LogLevel | None = None,
    progress_token: ProgressToken | None = None,
    more: Json | None = None,
) -> Json:
    """The `_meta` of a modern request, as its client has to write it.

    What stays the same for every request may be encoded beforehand (`jsonrpc.raw`). more: trace
    context and extensions.
    """
    meta: Json = {PROTOCOL_VERSION: version, CLIENT_CAPABILITIES: client_capabilities}
    if client_info is not None:
        meta[CLIENT_INFO] = client_info
    if log_level is not None:
        meta[LOG_LEVEL] = log_level
    if progress_token is not None:
        meta[PROGRESS_TOKEN] = progress_token
    return meta if more is None else {**more, **meta}


def subscription_meta(id: RequestId) -> Json:
    """The `_meta` of every message that belongs to the subscription opened by request `id`."""
    return {SUBSCRIPTION_ID: id}


def read_subscription(message: Notification) -> RequestId | None:
    """The subscription a notification belongs to, None if it names none."""
    try:
        return params_as(message, _TaggedParams).meta.subscription
    except McpError:
        return None


def read_progress_token(request: Request) -> ProgressToken | None:
    """The progress token of a legacy request, None if it wants no progress.

    Raises McpError -32602 if it is neither a string nor an integer.
    """
    if request.params is None:
        return None
    meta = params_as(request, _LegacyParams).meta
    return None if meta is None else meta.progress_token


def _refuse(request: Request, problem: Exception | None) -> NoReturn:
    """Raise the first rung of the ladder that the request misses."""
    raw = params_as(request, _RawParams).meta
    where = f"{request.method}: params._meta"
    if not raw:
        raise _bad(f"{where} is missing; it must name {PROTOCOL_VERSION}")
    try:
        meta: Any = _any(raw)
    except (ValueError, RecursionError) as inner:
        raise _bad(f"{where} cannot be read: {inner}") from None
    if not isinstance(meta, dict):
        raise _bad(f"{where} must be an object")
    version = meta.get(PROTOCOL_VERSION)
    if not isinstance(version, str):
        what = "must be a string" if PROTOCOL_VERSION in meta else "is missing"
        entry = refusals.TYPE_MISMATCH if PROTOCOL_VERSION in meta else refusals.MISSING_FIELD
        raise refused(entry, f'{where}["{PROTOCOL_VERSION}"] {what}')
    if version not in MODERN:
        raise unsupported_version(version)
    if CLIENT_CAPABILITIES not in meta:
        text = f'{where}["{CLIENT_CAPABILITIES}"] is missing; {{}} declares none'
        raise refused(refusals.MISSING_FIELD, text)
    level = meta.get(LOG_LEVEL)
    if LOG_LEVEL in meta and level not in get_args(LogLevel):
        levels = ", ".join(get_args(LogLevel))
        raise _bad(f'{where}["{LOG_LEVEL}"] must be one of {levels}')
    problem = problem or ValueError()
    raise refused(params_entry(problem), f"{request.method}: {mismatch(problem, 'params')}")


def _bad(text: str) -> McpError:
    return refused(refusals.INVALID_PARAMS, text)
