"""The refusal catalogue: every way in which this node says no, as one table.

Codes and their ranges are those of the Erlang project (queue 1001-05, auth 1011-16, parameters
1021-29, path 1036-40, entity 1046-52, rate 1056-60, protocol 1066-70, state 1076-80, breaker
1086-89). JSON-RPC codes and HTTP statuses are MCP's and HTTP's own wherever these prescribe one. Where
they leave a choice, 429 says that the caller has too much under way, and 503 that the node has.

`errors.refused` makes the error of an entry. Its `data` has `refusal`, the code, and `hint`, what the
caller can do. `docs/refusals.md` is this table for people. An entry whose guard does not exist yet is
there all the same, so that a code never means anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

Severity = Literal["warning", "error", "critical"]

PARSE: Final = -32700
REQUEST: Final = -32600
METHOD: Final = -32601
PARAMS: Final = -32602
INTERNAL: Final = -32603
_RESOURCE: Final = -32002
_HEADER: Final = -32020
_CAPABILITY: Final = -32021
_VERSION: Final = -32022


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One way to say no.

    statuses: HTTP statuses it is answered with; the first is meant where nobody says another.
    errors: JSON-RPC codes, likewise. message: said where nobody knows better. hint: what the caller
    can do. severity: "warning" is passing or the caller's choice, "error" a fault of the request,
    "critical" what an operator should look at. retry_after: seconds, over HTTP as `Retry-After`; None
    where it would be refused again.
    """

    code: int
    name: str
    statuses: tuple[int, ...]
    errors: tuple[int, ...]
    message: str
    hint: str
    severity: Severity = "error"
    retry_after: int | None = None

    @property
    def status(self) -> int:
        """The HTTP status where nobody says another."""
        return self.statuses[0]

    @property
    def error(self) -> int:
        """The JSON-RPC code where nobody says another."""
        return self.errors[0]


def _entry(
    code: int,
    name: str,
    statuses: tuple[int, ...],
    errors: tuple[int, ...],
    message: str,
    hint: str,
    severity: Severity = "error",
    retry_after: int | None = None,
) -> Refusal:
    entry = Refusal(
        code=code,
        name=name,
        statuses=statuses,
        errors=errors,
        message=message,
        hint=hint,
        severity=severity,
        retry_after=retry_after,
    )
    _table[code] = entry
    return entry


_table: dict[int, Refusal] = {}

# --- queue: too much waits ---------------------------------------------------------------

QUEUE_FULL: Final = _entry(
    1001, "queue_full", (503,), (INTERNAL,),
    "too many messages wait already",
    "wait, then send the request again",
    "warning", 1,
)  # fmt: skip
QUEUE_BYTES_EXCEEDED: Final = _entry(
    1002, "queue_bytes_exceeded", (503,), (INTERNAL,),
    "too many bytes wait to be read by this client",
    "read what was sent before asking for more; connect anew",
    "warning",
)  # fmt: skip
TENANT_QUEUE_FULL: Final = _entry(
    1003, "tenant_queue_full", (429,), (INTERNAL,),
    "too many messages of this tenant wait already",
    "wait, then send the request again; ask the operator for a larger share",
    "warning", 1,
)  # fmt: skip
BUFFER_OVERFLOW: Final = _entry(
    1004, "buffer_overflow", (503,), (INTERNAL,),
    "a buffer of the node is full",
    "wait, then send the request again in smaller pieces",
    "critical", 1,
)  # fmt: skip
BACKPRESSURE: Final = _entry(
    1005, "backpressure", (503,), (INTERNAL,),
    "too many requests are at work already",
    "wait, then send the request again",
    "warning", 1,
)  # fmt: skip

# --- authentication and authorization ----------------------------------------------------

AUTH_FAILED: Final = _entry(
    1011, "auth_failed", (401,), (REQUEST,),
    "the credentials were not accepted",
    "send valid credentials in the Authorization header",
)  # fmt: skip
AUTH_EXPIRED: Final = _entry(
    1012, "auth_expired", (401,), (REQUEST,),
    "the token has expired",
    "get a new token and send the request again",
)  # fmt: skip
INVALID_CREDENTIALS: Final = _entry(
    1013, "invalid_credentials", (401,), (REQUEST,),
    "the credentials are malformed or unknown",
    "check the token, its issuer and its audience",
)  # fmt: skip
FORBIDDEN: Final = _entry(
    1014, "forbidden", (403,), (REQUEST,),
    "this caller may not do this",
    "ask the operator of the node to allow it",
)  # fmt: skip
AUTH_MISSING: Final = _entry(
    1015, "auth_missing", (401,), (REQUEST,),
    "the request has no credentials",
    "send credentials in the Authorization header",
)  # fmt: skip
SESSION_UNKNOWN: Final = _entry(
    1016, "session_unknown", (404,), (REQUEST,),
    "there is no such session here; send initialize to open a new one",
    "send initialize to open a new session",
    "warning",
)  # fmt: skip

# --- parameters --------------------------------------------------------------------------

INVALID_PARAMS: Final = _entry(
    1021, "invalid_params", (400,), (PARAMS,),
    "the parameters make no sense for this request",
    "correct the parameters as the message says",
)  # fmt: skip
SCHEMA_MISMATCH: Final = _entry(
    1022, "schema_mismatch", (400,), (PARAMS,),
    "the arguments do not match their schema",
    "compare the arguments with the inputSchema of tools/list or the arguments of prompts/list",
)  # fmt: skip
INVALID_URI: Final = _entry(
    1023, "invalid_uri", (400,), (PARAMS,),
    "the URI is malformed",
    "send a URI as resources/list has it",
)  # fmt: skip
INVALID_CONTENT_TYPE: Final = _entry(
    1024, "invalid_content_type", (415, 406), (REQUEST,),
    "the media types of the request are not served",
    "send Content-Type: application/json and Accept: application/json, text/event-stream",
)  # fmt: skip
INVALID_HEADER: Final = _entry(
    1025, "invalid_header", (400, 417), (REQUEST, _HEADER),
    "a header is missing, malformed, or contradicts the body",
    "send the header as the message says",
)  # fmt: skip
SESSION_ID_MISSING: Final = _entry(
    1026, "session_id_missing", (400,), (REQUEST,),
    "the request belongs to no session",
    "send initialize first, and its Mcp-Session-Id with every request that follows",
)  # fmt: skip
UNSUPPORTED_VERSION: Final = _entry(
    1027, "unsupported_version", (400,), (_VERSION,),
    "this protocol version is not spoken here",
    "choose a version from data.supported",
)  # fmt: skip
MISSING_FIELD: Final = _entry(
    1028, "missing_field", (400,), (PARAMS, _CAPABILITY),
    "the request lacks something that it needs",
    "add what the message names",
)  # fmt: skip
TYPE_MISMATCH: Final = _entry(
    1029, "type_mismatch", (400,), (PARAMS,),
    "a value has the wrong type",
    "send the type that the message names",
)  # fmt: skip

# --- paths and addresses -----------------------------------------------------------------

PATH_TRAVERSAL: Final = _entry(
    1036, "path_traversal", (400,), (PARAMS,),
    "the path leads out of its directory",
    "send a path without ..",
    "critical",
)  # fmt: skip
PATH_UNKNOWN: Final = _entry(
    1037, "path_unknown", (404,), (REQUEST, INTERNAL),
    "nothing is served there",
    "MCP servers are at /mcp/NAME, the default one is at /mcp",
    "warning",
)  # fmt: skip
SYMLINK_TRAVERSAL: Final = _entry(
    1038, "symlink_traversal", (400,), (PARAMS,),
    "a symbolic link leads out of the directory",
    "ask for a file that is really there",
    "critical",
)  # fmt: skip
URI_OUT_OF_BOUNDS: Final = _entry(
    1039, "uri_out_of_bounds", (421,), (REQUEST,),
    "this node does not serve that host",
    "use an address of the node, or have its operator add the host to http.allowed_hosts",
)  # fmt: skip
PATH_NOT_CANONICAL: Final = _entry(
    1040, "path_not_canonical", (400,), (PARAMS,),
    "the path is not in its canonical form",
    "send the path without . and .. and without repeated slashes",
)  # fmt: skip

# --- entities ----------------------------------------------------------------------------

RESOURCE_NOT_FOUND: Final = _entry(
    1046, "resource_not_found", (400,), (PARAMS, _RESOURCE),
    "there is no such resource",
    "ask what there is: resources/list, resources/templates/list, tasks/list",
    "warning",
)  # fmt: skip
RESOURCE_DUPLICATE: Final = _entry(
    1047, "resource_duplicate", (409,), (PARAMS,),
    "there is such a resource already",
    "use another URI",
    "warning",
)  # fmt: skip
TOOL_NOT_FOUND: Final = _entry(
    1048, "tool_not_found", (400,), (PARAMS,),
    "there is no such tool",
    "ask tools/list what there is",
    "warning",
)  # fmt: skip
TOOL_DUPLICATE: Final = _entry(
    1049, "tool_duplicate", (409,), (PARAMS,),
    "there is such a tool already",
    "use another name",
    "warning",
)  # fmt: skip
PROMPT_NOT_FOUND: Final = _entry(
    1050, "prompt_not_found", (400,), (PARAMS,),
    "there is no such prompt",
    "ask prompts/list what there is",
    "warning",
)  # fmt: skip
PROMPT_DUPLICATE: Final = _entry(
    1051, "prompt_duplicate", (409,), (PARAMS,),
    "there is such a prompt already",
    "use another name",
    "warning",
)  # fmt: skip
DUPLICATE: Final = _entry(
    1052, "duplicate", (409,), (REQUEST,),
    "there is one with this name already",
    "use an id that no request in flight has",
)  # fmt: skip

# --- rates and shares --------------------------------------------------------------------

RATE_LIMITED: Final = _entry(
    1056, "rate_limited", (429,), (INTERNAL,),
    "this caller sends too much",
    "send less often; wait, then send the request again",
    "warning", 1,
)  # fmt: skip
RATE_PER_SECOND: Final = _entry(
    1057, "rate_per_second", (429,), (INTERNAL,),
    "this caller has used up this second's requests",
    "wait a second, then send the request again",
    "warning", 1,
)  # fmt: skip
RATE_PER_MINUTE: Final = _entry(
    1058, "rate_per_minute", (429,), (INTERNAL,),
    "this caller has used up this minute's requests",
    "wait a minute, then send the request again",
    "warning", 60,
)  # fmt: skip
QUOTA_EXCEEDED: Final = _entry(
    1059, "quota_exceeded", (429,), (INTERNAL, REQUEST, PARAMS),
    "this caller has as many of these as it may",
    "give some up first, such as by unsubscribing or cancelling",
    "warning",
)  # fmt: skip
TOO_MANY_AT_ONCE: Final = _entry(
    1060, "too_many_at_once", (429,), (INTERNAL, REQUEST),
    "this caller has too much under way at once",
    "wait for answers, or close connections, then send the request again",
    "warning", 1,
)  # fmt: skip

# --- protocol and transport --------------------------------------------------------------

PROTOCOL_ERROR: Final = _entry(
    1066, "protocol_error", (400, 404, 405, 426, 501, 505), (REQUEST, PARSE, METHOD),
    "this is no request that the protocol knows",
    "send a request of MCP over HTTP/1.1, as the message says",
)  # fmt: skip
TRANSPORT_ERROR: Final = _entry(
    1067, "transport_error", (500, 200), (INTERNAL,),
    "the way to the server broke while this was at work",
    "look whether the request has had its effect; if not, or if that does no harm, send it again",
    "warning",
)  # fmt: skip
TOO_LARGE: Final = _entry(
    1068, "too_large", (413, 400, 414, 431), (REQUEST, PARSE),
    "the message is over a limit of size",
    "send less at once",
)  # fmt: skip
TIMEOUT: Final = _entry(
    1069, "timeout", (408, 200), (REQUEST, INTERNAL),
    "this took longer than it may",
    "send the request in one go; of a call, ask for less or have its time-out raised",
    "warning",
)  # fmt: skip
UNSUPPORTED_ENCODING: Final = _entry(
    1070, "unsupported_encoding", (415, 400, 501), (REQUEST, PARSE),
    "the encoding is not served",
    "send JSON in UTF-8, with Content-Length or in chunks, not compressed",
)  # fmt: skip

# --- state of the node -------------------------------------------------------------------

NOT_INITIALIZED: Final = _entry(
    1076, "not_initialized", (400,), (REQUEST,),
    "initialize comes first",
    "send initialize, or a request whose _meta names its protocol version",
)  # fmt: skip
SHUTTING_DOWN: Final = _entry(
    1077, "shutting_down", (503,), (INTERNAL,),
    "the node or the server is stopping",
    "wait, then send the request again",
    "warning", 1,
)  # fmt: skip
UNAVAILABLE: Final = _entry(
    1078, "unavailable", (503,), (INTERNAL,),
    "this is being restarted",
    "wait, then send the request again",
    "warning", 1,
)  # fmt: skip
INTERNAL_ERROR: Final = _entry(
    1079, "internal_error", (500, 200), (INTERNAL,),
    "something failed within",
    "tell the operator of the node, whose log says more",
    "critical",
)  # fmt: skip
DEPENDENCY_UNAVAILABLE: Final = _entry(
    1080, "dependency_unavailable", (503,), (INTERNAL,),
    "something that this needs does not answer",
    "wait, then send the request again",
    "warning", 5,
)  # fmt: skip

# --- breakers and health -----------------------------------------------------------------

BREAKER_OPEN: Final = _entry(
    1086, "breaker_open", (503,), (INTERNAL,),
    "this has failed too often and is left alone for a while",
    "wait, then send the request again",
    "warning", 5,
)  # fmt: skip
UNHEALTHY: Final = _entry(
    1087, "unhealthy", (503,), (INTERNAL,),
    "the node is not healthy",
    "wait until /ready answers 200",
    "critical", 5,
)  # fmt: skip
DEGRADED: Final = _entry(
    1088, "degraded", (503,), (INTERNAL,),
    "the node does only what is most important now",
    "wait, then send the request again",
    "warning", 5,
)  # fmt: skip
EXHAUSTED: Final = _entry(
    1089, "exhausted", (503,), (INTERNAL,),
    "the node has as many of these as it allows",
    "wait, then try again",
    "critical", 1,
)  # fmt: skip

TABLE: Final[Mapping[int, Refusal]] = _table
"""Every entry by its code, in order."""


def refusal_of(data: Any) -> Refusal | None:
    """The entry that the `data` of a JSON-RPC error names; None if it names none."""
    if type(data) is not dict:
        return None
    code = data.get("refusal")
    return TABLE.get(code) if type(code) is int else None
