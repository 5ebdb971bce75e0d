"""The specification's own messages: each decodes into our types and comes back the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from erlmcp_py.protocol import jsonrpc, meta
from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.elicitation import field_schema
from erlmcp_py.protocol.input import method_of, read_input
from erlmcp_py.protocol.jsonrpc import ErrorObject, ErrorResponse, Notification, Request, Response
from erlmcp_py.protocol.methods import find_notification, find_request

EXAMPLES = Path(__file__).parents[2] / "data" / "mcp" / "2026-07-28" / "examples"

VALUES: dict[str, Any] = {
    "AudioContent": mcp.ContentBlock,
    "BlobResourceContents": mcp.ResourceContents,
    "CallToolRequestParams": mcp.CallToolParams,
    "CallToolResult": mcp.CallToolResult,
    "CancelledNotificationParams": mcp.CancelledParams,
    "ClientCapabilities": mcp.ClientCapabilities,
    "CompleteRequestParams": mcp.CompleteParams,
    "CompleteResult": mcp.CompleteResult,
    "CreateMessageRequestParams": mcp.CreateMessageParams,
    "CreateMessageResult": mcp.CreateMessageResult,
    "DiscoverResult": mcp.DiscoverResult,
    "ElicitRequestFormParams": mcp.ElicitParams,
    "ElicitRequestURLParams": mcp.ElicitParams,
    "ElicitResult": mcp.ElicitResult,
    "EmbeddedResource": mcp.ContentBlock,
    "GetPromptRequestParams": mcp.GetPromptParams,
    "GetPromptResult": mcp.GetPromptResult,
    "ImageContent": mcp.ContentBlock,
    "InputRequests": mcp.InputRequests,
    "InputRequiredResult": mcp.InputRequiredResult,
    "InputResponses": mcp.InputResponses,
    "InternalError": ErrorObject,
    "InvalidParamsError": ErrorObject,
    "ListPromptsResult": mcp.ListPromptsResult,
    "ListResourceTemplatesResult": mcp.ListResourceTemplatesResult,
    "ListResourcesResult": mcp.ListResourcesResult,
    "ListRootsResult": mcp.ListRootsResult,
    "ListToolsResult": mcp.ListToolsResult,
    "LoggingMessageNotificationParams": mcp.LoggingMessageParams,
    "MethodNotFoundError": ErrorObject,
    "ModelPreferences": mcp.ModelPreferences,
    "PaginatedRequestParams": mcp.PaginatedParams,
    "ParseError": ErrorObject,
    "ProgressNotificationParams": mcp.ProgressParams,
    "ReadResourceResult": mcp.ReadResourceResult,
    "Resource": mcp.Resource,
    "ResourceLink": mcp.ContentBlock,
    "ResourceUpdatedNotificationParams": mcp.ResourceUpdatedParams,
    "Root": mcp.Root,
    "SamplingMessage": mcp.SamplingMessage,
    "ServerCapabilities": mcp.ServerCapabilities,
    "SubscriptionsListenResult": mcp.SubscriptionsListenResult,
    "TextContent": mcp.ContentBlock,
    "TextResourceContents": mcp.ResourceContents,
    "Tool": mcp.Tool,
    "ToolResultContent": mcp.SamplingMessageContentBlock,
    "ToolUseContent": mcp.SamplingMessageContentBlock,
}
REQUESTS: dict[str, Any] = {
    "CallToolRequest": mcp.CallToolParams,
    "CompleteRequest": mcp.CompleteParams,
    "DiscoverRequest": mcp.RequestParams,
    "GetPromptRequest": mcp.GetPromptParams,
    "ListPromptsRequest": mcp.PaginatedParams,
    "ListResourceTemplatesRequest": mcp.PaginatedParams,
    "ListResourcesRequest": mcp.PaginatedParams,
    "ListToolsRequest": mcp.PaginatedParams,
    "ReadResourceRequest": mcp.ReadResourceParams,
    "SubscriptionsListenRequest": mcp.SubscriptionsListenParams,
}
NOTIFICATIONS: dict[str, Any] = {
    "CancelledNotification": mcp.CancelledParams,
    "LoggingMessageNotification": mcp.LoggingMessageParams,
    "ProgressNotification": mcp.ProgressParams,
    "PromptListChangedNotification": mcp.NotificationParams,
    "ResourceListChangedNotification": mcp.NotificationParams,
    "ResourceUpdatedNotification": mcp.ResourceUpdatedParams,
    "SubscriptionsAcknowledgedNotification": mcp.SubscriptionsAcknowledgedParams,
    "ToolListChangedNotification": mcp.NotificationParams,
}
RESPONSES: dict[str, Any] = {
    "CallToolResultResponse": mcp.CallToolResult,
    "CompleteResultResponse": mcp.CompleteResult,
    "DiscoverResultResponse": mcp.DiscoverResult,
    "GetPromptResultResponse": mcp.GetPromptResult,
    "ListPromptsResultResponse": mcp.ListPromptsResult,
    "ListResourceTemplatesResultResponse": mcp.ListResourceTemplatesResult,
    "ListResourcesResultResponse": mcp.ListResourcesResult,
    "ListToolsResultResponse": mcp.ListToolsResult,
    "ReadResourceResultResponse": mcp.ReadResourceResult,
    "SubscriptionsListenResultResponse": mcp.SubscriptionsListenResult,
}
ERRORS = {
    "HeaderMismatchError",
    "MissingRequiredClientCapabilityError",
    "UnsupportedProtocolVersionError",
}
# Requests that are answered within another request: they have no JSON-RPC envelope.
INPUT_REQUESTS = {"CreateMessageRequest", "ElicitRequest", "ListRootsRequest"}
FORM_FIELDS = {
    "BooleanSchema": mcp.BooleanSchema,
    "NumberSchema": mcp.NumberSchema,
    "StringSchema": mcp.StringSchema,
    "TitledMultiSelectEnumSchema": mcp.TitledMultiSelectEnumSchema,
    "TitledSingleSelectEnumSchema": mcp.TitledSingleSelectEnumSchema,
    "UntitledMultiSelectEnumSchema": mcp.UntitledMultiSelectEnumSchema,
    "UntitledSingleSelectEnumSchema": mcp.UntitledSingleSelectEnumSchema,
}


def examples(names: Any) -> list[Any]:
    return [
        pytest.param(path, id=f"{path.parent.name}/{path.stem}")
        for name in sorted(names)
        for path in sorted((EXAMPLES / name).glob("*.json"))
    ]


def same(encoded: bytes, path: Path) -> None:
    assert json.loads(encoded) == json.loads(path.read_bytes())


def test_every_example_is_accounted_for() -> None:
    known = {*VALUES, *REQUESTS, *NOTIFICATIONS, *RESPONSES, *ERRORS, *INPUT_REQUESTS, *FORM_FIELDS}
    assert {folder.name for folder in EXAMPLES.iterdir()} == known


@pytest.mark.parametrize("path", examples(VALUES))
def test_value(path: Path) -> None:
    value = msgspec.json.decode(path.read_bytes(), type=VALUES[path.parent.name])
    same(msgspec.json.encode(value), path)


@pytest.mark.parametrize("path", examples(REQUESTS))
def test_request(path: Path) -> None:
    request = jsonrpc.decode(path.read_bytes())
    assert isinstance(request, Request)
    same(jsonrpc.encode(request), path)
    method = find_request(request.method, "2026-07-28")
    assert method is not None
    assert method.params is REQUESTS[path.parent.name]
    params = jsonrpc.params_as(request, method.params)
    same(jsonrpc.encode(jsonrpc.request(request.id, request.method, params)), path)
    assert meta.is_modern(request)
    assert meta.read_meta(request).version == "2026-07-28"


@pytest.mark.parametrize("path", examples(NOTIFICATIONS))
def test_notification(path: Path) -> None:
    notification = jsonrpc.decode(path.read_bytes())
    assert isinstance(notification, Notification)
    same(jsonrpc.encode(notification), path)
    method = find_notification(notification.method, "2026-07-28")
    assert method is not None
    assert method.params is NOTIFICATIONS[path.parent.name]
    if notification.params is not None:
        params = jsonrpc.params_as(notification, NOTIFICATIONS[path.parent.name])
        same(jsonrpc.encode(jsonrpc.notification(notification.method, params)), path)


@pytest.mark.parametrize("path", examples(RESPONSES))
def test_response(path: Path) -> None:
    response = jsonrpc.decode(path.read_bytes())
    assert isinstance(response, Response)
    same(jsonrpc.encode(response), path)
    result = msgspec.json.decode(response.result, type=RESPONSES[path.parent.name])
    same(jsonrpc.encode(Response(response.id, result)), path)


@pytest.mark.parametrize("path", examples(ERRORS))
def test_error(path: Path) -> None:
    response = jsonrpc.decode(path.read_bytes())
    assert isinstance(response, ErrorResponse)
    same(jsonrpc.encode(response), path)


@pytest.mark.parametrize("path", examples(INPUT_REQUESTS))
def test_input_request(path: Path) -> None:
    example = json.loads(path.read_bytes())
    # One example has an id, which its own definition does not know.
    example.pop("id", None)
    request = msgspec.convert(example, mcp.InputRequest)
    assert type(request).__name__ == path.parent.name
    assert json.loads(msgspec.json.encode(request)) == example


@pytest.mark.parametrize("path", examples(FORM_FIELDS))
def test_form_field(path: Path) -> None:
    field = field_schema("field", json.loads(path.read_bytes()))
    assert type(field) is FORM_FIELDS[path.parent.name]
    same(msgspec.json.encode(field), path)


@pytest.mark.parametrize("path", examples({"InputRequiredResult"}))
def test_the_answers_to_an_input_required_result_are_read_by_its_questions(path: Path) -> None:
    result = msgspec.json.decode(path.read_bytes(), type=mcp.InputRequiredResult)
    answers = EXAMPLES / "InputResponses" / "elicitation-and-sampling-input-responses.json"
    responses = msgspec.json.decode(answers.read_bytes(), type=mcp.InputResponses)
    for key, request in (result.input_requests or {}).items():
        answer = read_input(responses[key], method_of(request))
        assert type(answer).__name__ == type(request).__name__.replace("Request", "Result")
        assert json.loads(msgspec.json.encode(answer)) == json.loads(bytes(responses[key]))
