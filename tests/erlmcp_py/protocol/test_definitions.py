"""Every definition of every revision: what its schema allows decodes, and is still there, whole, in what
is encoded for that revision.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.elicitation import field_schema
from erlmcp_py.protocol.jsonrpc import ErrorObject, Notification, Request
from erlmcp_py.protocol.methods import find_notification, find_request
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.versions import LATEST, SUPPORTED
from tests import schema_gate

from . import samples

# Not messages and no parts of any: bases of other definitions, choices between them, and scalars.
ABSTRACT = {
    "Annotated", "BaseMetadata", "CacheableResult", "ClientNotification", "ClientRequest",
    "ClientResult", "Cursor", "Icons", "InputResponseRequestParams", "JSONArray", "JSONObject",
    "JSONValue", "MetaObject", "Notification", "NotificationMetaObject", "PaginatedRequest",
    "PaginatedResult", "ProgressToken", "Request", "RequestId", "RequestMetaObject",
    "ResourceContents", "ResourceRequestParams", "Result", "ResultMetaObject", "ResultType", "ServerNotification",
    "ServerRequest", "ServerResult", "SubscriptionsListenResultMetaObject",
    "TaskAugmentedRequestParams", "LoggingLevel", "Role", "TaskStatus",
}  # fmt: skip
# 2025-03-26 alone had batches; MCP took them back, and they are refused.
REFUSED = {"JSONRPCBatchRequest", "JSONRPCBatchResponse"}
MESSAGES = {
    "JSONRPCMessage", "JSONRPCRequest", "JSONRPCNotification", "JSONRPCResponse",
    "JSONRPCResultResponse", "JSONRPCErrorResponse", "JSONRPCError",
}  # fmt: skip
FIELDS = {
    "BooleanSchema", "EnumSchema", "LegacyTitledEnumSchema", "MultiSelectEnumSchema",
    "NumberSchema", "PrimitiveSchemaDefinition", "SingleSelectEnumSchema", "StringSchema",
    "TitledMultiSelectEnumSchema", "TitledSingleSelectEnumSchema",
    "UntitledMultiSelectEnumSchema", "UntitledSingleSelectEnumSchema",
}  # fmt: skip
TYPES: dict[str, Any] = {
    "ContentBlock": mcp.ContentBlock,
    "SamplingMessageContentBlock": mcp.SamplingMessageContentBlock,
    "TextContent": mcp.ContentBlock,
    "ElicitRequestFormParams": mcp.ElicitParams,
    "ElicitRequestURLParams": mcp.ElicitParams,
    "Error": ErrorObject,
    "GetTaskPayloadResult": dict[str, Any],
    "InputRequest": mcp.InputRequest,
    "ResourceReference": mcp.ResourceTemplateReference,
    "TaskStatusNotificationParams": mcp.TaskStatusParams,
    "TextResourceContents": mcp.ResourceContents,
    "BlobResourceContents": mcp.ResourceContents,
    "UnsubscribeRequestParams": mcp.SubscribeParams,
    "PaginatedRequestParams": mcp.PaginatedParams,
    "NotificationParams": mcp.NotificationParams,
    "RequestParams": mcp.RequestParams,
}


def type_of(name: str) -> Any:
    """Our type of a definition, None if it is no plain value."""
    if name in TYPES:
        return TYPES[name]
    if hasattr(mcp, name):
        return getattr(mcp, name)
    for suffix in ("RequestParams", "NotificationParams"):
        if name.endswith(suffix):
            return getattr(mcp, name.removesuffix(suffix) + "Params", None)
    return None


def round_trip(name: str, version: str, value: Any) -> Any:
    """The value after it was read as our type, fitted to the revision, and written again."""
    encoded = json.dumps(value).encode()
    if name in FIELDS:
        return written(fit(field_schema("f", value), version))
    method = value.get("method") if isinstance(value, dict) else None
    if name.endswith(("Request", "Notification")) and method is not None:
        if version == LATEST and "jsonrpc" not in value:
            return written(fit(msgspec.json.decode(encoded, type=mcp.InputRequest), version))
        return call(version, value)
    if name.endswith("ResultResponse") or (name.endswith("Error") and "error" in value):
        return message(value)
    if name.endswith("Error"):
        return written(msgspec.json.decode(encoded, type=ErrorObject))
    if name == "InputResponses" or name == "InputResponse":
        return value  # raw until its question is known: test_input
    return written(fit(msgspec.json.decode(encoded, type=type_of(name)), version))


def written(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def call(version: str, value: Any) -> Any:
    """The older schemas leave the envelope out of requests and notifications."""
    is_request = find_request(value["method"], version) is not None
    envelope = {"jsonrpc": "2.0", **({"id": 1} if is_request else {})}
    decoded = jsonrpc.decode(json.dumps({**envelope, **value}).encode())
    assert isinstance(decoded, Request | Notification)
    known = (find_request if is_request else find_notification)(decoded.method, version)
    assert known is not None, f"{decoded.method} is not in the table for {version}"
    params = None
    if decoded.params is not None:
        params = fit(jsonrpc.params_as(decoded, known.params), version)
    again: Request | Notification
    if isinstance(decoded, Request):
        again = jsonrpc.request(decoded.id, decoded.method, params)
    else:
        again = jsonrpc.notification(decoded.method, params)
    result = json.loads(jsonrpc.encode(again))
    return {name: result[name] for name in value if name in result}


def message(value: Any) -> Any:
    return json.loads(jsonrpc.encode(jsonrpc.decode(json.dumps(value).encode())))


def plain(value: Any) -> Any:
    """Without what says nothing: no arguments are the same as arguments that are none, no params the
    same as empty ones, no data the same as null. What older revisions leave open inside of these
    capabilities is not kept.
    """
    if not isinstance(value, dict):
        return [plain(inner) for inner in value] if isinstance(value, list) else value
    kept = {
        name: plain(inner)
        for name, inner in value.items()
        if not (name in ("arguments", "params") and inner == {})
        and not (name == "data" and inner is None)
    }
    for name in ("sampling", "elicitation"):
        if isinstance(kept.get(name), dict):
            kept[name] = {key: inner for key, inner in kept[name].items() if key in LATER}
    return kept


def anticipates(value: Any) -> bool:
    """Whether it has, inside of a capability that is any object to its revision, a member that a later
    one has named, and by which that revision may mean anything.
    """
    if isinstance(value, list):
        return any(map(anticipates, value))
    if not isinstance(value, dict):
        return False
    for name in ("sampling", "elicitation"):
        if isinstance(value.get(name), dict) and LATER & value[name].keys():
            return True
    return any(map(anticipates, value.values()))


LATER = {"form", "url", "context", "tools", "create", "createMessage"}
"""Members of the capabilities `sampling` and `elicitation`, since 2025-11-25."""

CASES = [
    (version, name)
    for version in SUPPORTED
    for name in schema_gate.definitions_of(version)
    if name not in ABSTRACT | REFUSED
]


@pytest.mark.parametrize(("version", "name"), CASES)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_the_schema_allows_comes_back_whole(version: str, name: str, data: Any) -> None:
    value = data.draw(samples.of(version, name))
    assert schema_gate.mismatches(version, name, value) == []
    assume(not isinstance(value, list))  # a batch
    assume(version >= "2025-11-25" or not anticipates(value))
    if name == "InputRequiredResult":
        value["resultType"] = "input_required"  # which makes it one, though its schema has any text
    again = message(value) if name in MESSAGES else round_trip(name, version, value)
    assert plain(again) == plain(value)


def test_every_definition_has_a_type_or_a_reason() -> None:
    for version, name in CASES:
        special = name in MESSAGES | FIELDS or name.endswith(
            ("Request", "Notification", "ResultResponse", "Error", "InputResponses")
        )
        assert special or type_of(name) is not None, (version, name)


def test_the_lists_of_this_file_name_nothing_that_is_not_there() -> None:
    there = {name for version in SUPPORTED for name in schema_gate.definitions_of(version)}
    assert there >= ABSTRACT | REFUSED | MESSAGES | FIELDS
    assert there >= set(TYPES)
