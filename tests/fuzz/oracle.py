"""What is right: for each message, the codes that an answer to it may have.

A second reading of the specification, slow and by other means than the node's: the standard library's
JSON, the published schemas, and a few rules in a row. Where several rules are broken at once, the answer
may name any of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from erlmcp_py.protocol.jsonrpc import ErrorResponse, Notification, Request, Response
from erlmcp_py.protocol.meta import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from erlmcp_py.protocol.refusals import refusal_of
from erlmcp_py.protocol.versions import LATEST, LEGACY
from tests import schema_gate
from tests.erlmcp_py.protocol.test_bad_input import right
from tests.fuzz.world import LINE_LIMIT, PROMPT, RESOURCE, TEMPLATE, TOOLS

STRAY: Final = 1
"""Stands for an error that nothing deserves."""

OK: Final = 0
"""Stands for a result among the codes."""

PARSE, INVALID, NOT_FOUND, PARAMS = -32700, -32600, -32601, -32602
NO_RESOURCE, HEADER, CAPABILITY, VERSION = -32002, -32020, -32021, -32022

LISTS: Final = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
_BOTH: Final = {*LISTS, "tools/call", "prompts/get", "resources/read", "completion/complete"}
METHODS: Final = {
    "modern": _BOTH | {"server/discover", "subscriptions/listen"},
    "legacy": _BOTH
    | {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"},
}
LISTENING: Final = ("subscriptions/listen",)

Codes = frozenset[int]


class Reading(msgspec.Struct):
    """What a text is. kind: a type of message, or the code of the error it deserves; None: nothing.

    ids: the ids that an answer may have, None for an answer without.
    """

    kind: Any
    value: Any = None
    ids: tuple[Any, ...] = (None,)

    @property
    def codes(self) -> frozenset[int]:
        """Of a text that is no message: the errors it deserves."""
        both = self.kind == PARSE and isinstance(self.value, list)
        return frozenset({PARSE, INVALID} if both else {self.kind})


def read(data: bytes) -> Reading:
    """Read a line or a body."""
    if len(data) > LINE_LIMIT:
        return Reading(INVALID)
    if not data.strip():
        return Reading(None)
    kind = right(data)
    try:
        value = json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        value = None
    id = value.get("id") if isinstance(value, dict) else None
    if not _is_id(id):
        return Reading(kind, value)
    if kind in (Request, INVALID):
        return Reading(kind, value, (_key(id),))
    return Reading(kind, value, (None, _key(id)))


def _is_id(id: Any) -> bool:
    return type(id) in (int, str)


def _key(id: Any) -> Any:
    """Equal only for what is the same JSON."""
    return (type(id).__name__, id)


def key_of(message: Any) -> Any:
    """The same for an answer."""
    return _key(message["id"]) if "id" in message else None


def code_of(message: Any) -> int:
    """The code of an answer, `OK` of a result; `STRAY` of an error that the catalogue has not."""
    if "error" not in message:
        return OK
    code: int = message["error"]["code"]
    entry = refusal_of(message["error"].get("data"))
    return code if entry is not None and code in entry.errors else STRAY


def says_version(value: Any) -> bool:
    """Whether a request names a version in its `_meta`, whatever it is."""
    meta = value.get("params", {}).get("_meta")
    return isinstance(meta, dict) and PROTOCOL_VERSION in meta


def codes_without_headers(value: Any, spoken: str | None) -> Codes:
    """Of a request on stdio. spoken: the legacy revision that was agreed on, if any."""
    if value["method"] == "initialize":
        return legacy_codes(value, LEGACY[0])
    if says_version(value):
        return modern_codes(value)
    if spoken is None:
        return frozenset({OK, PARAMS} if value["method"] == "ping" else {PARAMS})
    return legacy_codes(value, spoken)


def modern_codes(value: Any) -> Codes:
    """Of a request of 2026-07-28."""
    meta = value.get("params", {}).get("_meta")
    if not isinstance(meta, dict) or not isinstance(meta.get(PROTOCOL_VERSION), str):
        return frozenset({PARAMS})
    if meta[PROTOCOL_VERSION] != LATEST:
        return frozenset({VERSION})
    if CLIENT_CAPABILITIES not in meta:
        return frozenset({PARAMS})
    return _codes(value, "modern", LATEST)


def legacy_codes(value: Any, version: str) -> Codes:
    """Of a request of an earlier revision."""
    return _codes(value, "legacy", version)


def _codes(value: Any, era: str, version: str) -> Codes:
    method = value["method"]
    if method not in METHODS[era]:
        return frozenset({NOT_FOUND, PARAMS} if _is_odd(value, version) else {NOT_FOUND})
    found = set(_meanings(value, era))
    if _is_odd(value, version):
        # What a method does not look at may be wrong.
        found |= {PARAMS, OK}
    if any(isinstance(n, float) and not math.isfinite(n) for n in leaves(value)):
        found |= {PARSE, PARAMS}
    return frozenset(found)


def _is_odd(value: Any, version: str) -> bool:
    """Whether it breaks its schema."""
    if schema_gate.of_call(version, value):
        return True
    params = value.get("params", {})
    return version == LATEST and bool(schema_gate.mismatches(LATEST, "RequestParams", params))


def _meanings(value: Any, era: str) -> set[int]:
    """What a well-formed request may come to."""
    method, params = value["method"], value.get("params", {})
    no_resource = {"modern": PARAMS, "legacy": NO_RESOURCE}[era]
    if method in LISTS and params.get("cursor") is not None:
        return {PARAMS}  # no cursor of ours is among those that are sent
    if method == "tools/call":
        if era == "modern" and "requestState" in params:
            return {OK, PARAMS}  # of those that are sent none is ours; not everybody looks
        if params.get("name") not in TOOLS:
            return {PARAMS}
        if era == "modern" and params["name"] == "greet":
            return {OK, PARAMS, CAPABILITY}
        return {OK}
    if method == "prompts/get":
        right_one = params.get("name") == PROMPT
        texts = params.get("arguments", {})
        return {OK} if right_one and isinstance(texts, dict) and [*texts] == ["name"] else {PARAMS}
    if method in ("resources/read", "resources/subscribe"):
        return {OK} if _is_resource(params.get("uri")) else {no_resource}
    if method == "completion/complete":
        ref = params.get("ref")
        known = isinstance(ref, dict) and (
            (ref.get("type"), ref.get("name")) == ("ref/prompt", PROMPT)
            or (ref.get("type"), ref.get("uri")) == ("ref/resource", TEMPLATE)
        )
        return {OK} if known else {PARAMS}
    return {OK}


def _is_resource(uri: Any) -> bool:
    return uri in (RESOURCE, TEMPLATE.format(id=7))


def leaves(value: Any) -> Iterator[Any]:
    """Everything in a value that has nothing in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def next_versions(value: Any, spoken: frozenset[str | None]) -> frozenset[str | None]:
    """What may have been agreed on after a request, given what may have been before it."""
    if value["method"] != "initialize":
        return spoken
    wanted = value.get("params", {}).get("protocolVersion")
    agreed = wanted if wanted in LEGACY else LEGACY[0]
    return (spoken if _is_odd(value, LEGACY[0]) else frozenset()) | {agreed}


MESSAGES: Final = (Request, Notification, Response, ErrorResponse)
