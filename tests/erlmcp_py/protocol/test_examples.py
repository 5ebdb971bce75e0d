"""The specification's own messages: each decodes into our types and comes back the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from erlmcp_py.protocol import jsonrpc, meta
from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.jsonrpc import ErrorObject, ErrorResponse, Notification, Request, Response

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
    "DiscoverResult": mcp.DiscoverResult,
    "EmbeddedResource": mcp.ContentBlock,
    "GetPromptRequestParams": mcp.GetPromptParams,
    "GetPromptResult": mcp.GetPromptResult,
    "ImageContent": mcp.ContentBlock,
    "InternalError": ErrorObject,
    "InvalidParamsError": ErrorObject,
    "ListPromptsResult": mcp.ListPromptsResult,
    "ListResourceTemplatesResult": mcp.ListResourceTemplatesResult,
    "ListResourcesResult": mcp.ListResourcesResult,
    "ListToolsResult": mcp.ListToolsResult,
    "LoggingMessageNotificationParams": mcp.LoggingMessageParams,
    "MethodNotFoundError": ErrorObject,
    "PaginatedRequestParams": mcp.PaginatedParams,
    "ParseError": ErrorObject,
    "ProgressNotificationParams": mcp.ProgressParams,
    "ReadResourceResult": mcp.ReadResourceResult,
    "Resource": mcp.Resource,
    "ResourceLink": mcp.ContentBlock,
    "ServerCapabilities": mcp.ServerCapabilities,
    "TextContent": mcp.ContentBlock,
    "TextResourceContents": mcp.ResourceContents,
    "Tool": mcp.Tool,
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
}
NOTIFICATIONS: dict[str, Any] = {
    "CancelledNotification": mcp.CancelledParams,
    "LoggingMessageNotification": mcp.LoggingMessageParams,
    "ProgressNotification": mcp.ProgressParams,
    "PromptListChangedNotification": mcp.NotificationParams,
    "ResourceListChangedNotification": mcp.NotificationParams,
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
}
ERRORS = {
    "HeaderMismatchError",
    "MissingRequiredClientCapabilityError",
    "UnsupportedProtocolVersionError",
}
# Sampling, roots, elicitation, their schemas, multi-round-trip requests and subscriptions.
OTHER_FEATURES = {
    "BooleanSchema",
    "CreateMessageRequest",
    "CreateMessageRequestParams",
    "CreateMessageResult",
    "ElicitRequest",
    "ElicitRequestFormParams",
    "ElicitRequestURLParams",
    "ElicitResult",
    "InputRequests",
    "InputRequiredResult",
    "InputResponses",
    "ListRootsRequest",
    "ListRootsResult",
    "ModelPreferences",
    "NumberSchema",
    "ResourceUpdatedNotification",
    "ResourceUpdatedNotificationParams",
    "Root",
    "SamplingMessage",
    "StringSchema",
    "SubscriptionsAcknowledgedNotification",
    "SubscriptionsListenRequest",
    "SubscriptionsListenResult",
    "SubscriptionsListenResultResponse",
    "TitledMultiSelectEnumSchema",
    "TitledSingleSelectEnumSchema",
    "ToolResultContent",
    "ToolUseContent",
    "UntitledMultiSelectEnumSchema",
    "UntitledSingleSelectEnumSchema",
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
    known = {*VALUES, *REQUESTS, *NOTIFICATIONS, *RESPONSES, *ERRORS, *OTHER_FEATURES}
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
    params = jsonrpc.params_as(request, REQUESTS[path.parent.name])
    same(jsonrpc.encode(jsonrpc.request(request.id, request.method, params)), path)
    assert meta.is_modern(request)
    assert meta.read_meta(request).version == "2026-07-28"


@pytest.mark.parametrize("path", examples(NOTIFICATIONS))
def test_notification(path: Path) -> None:
    notification = jsonrpc.decode(path.read_bytes())
    assert isinstance(notification, Notification)
    same(jsonrpc.encode(notification), path)
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
