"""Results for every era and revision: valid against the published schema, whatever is in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.errors import (
    McpError,
    header_mismatch,
    missing_capability,
    unsupported_version,
)
from erlmcp_py.protocol.jsonrpc import Response
from erlmcp_py.protocol.meta import SERVER_INFO
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.shape import CacheHint, shape_result
from erlmcp_py.protocol.versions import LATEST, LEGACY, SUPPORTED, era_of

SERVER = mcp.Implementation(
    "node",
    "1.0",
    title="Node",
    description="A node.",
    website_url="https://example.com",
    icons=[mcp.Icon("https://example.com/i.png", "image/png", ["48x48"], "dark")],
)

Validate = Callable[[str, str, bytes], Any]


def maybe(strategy: Any) -> Any:
    return st.none() | strategy


text = st.text(max_size=8)
uris = st.sampled_from(["file:///a", "test://b/c", "https://example.com/d?e=f"])
base64s = st.binary(max_size=6).map(lambda data: base64.b64encode(data).decode())
mimes = st.sampled_from(["text/plain", "image/png", "audio/wav"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(text, json_values, max_size=3)
annotations = st.builds(
    mcp.Annotations,
    audience=maybe(st.lists(st.sampled_from(["user", "assistant"]), max_size=2)),
    priority=maybe(st.floats(0, 1)),
    last_modified=maybe(st.just("2025-05-03T14:30:00Z")),
)
icons = st.lists(
    st.builds(mcp.Icon, uris, maybe(mimes), maybe(st.just(["any"])), maybe(st.just("light"))),
    max_size=2,
)
common = {"annotations": maybe(annotations), "meta": maybe(json_objects)}
named = {"title": maybe(text), "description": maybe(text)}
contents = st.builds(
    mcp.TextResourceContents,
    uri=uris,
    text=text,
    mime_type=maybe(mimes),
    meta=maybe(json_objects),
) | st.builds(mcp.BlobResourceContents, uri=uris, blob=base64s, mime_type=maybe(mimes))
blocks = st.one_of(
    st.builds(mcp.TextContent, text, **common),
    st.builds(mcp.ImageContent, base64s, mimes, **common),
    st.builds(mcp.AudioContent, base64s, mimes, **common),
    st.builds(
        mcp.ResourceLink,
        uris,
        text,
        **named,
        mime_type=maybe(mimes),
        size=maybe(st.integers(0, 9)),
        icons=maybe(icons),
        **common,
    ),
    st.builds(mcp.EmbeddedResource, contents, **common),
)
# Properties a schema may have: in 2020-12 also the schemas `true` and `false`.
properties = st.dictionaries(
    text, st.booleans() | st.just({"type": "string", "minLength": 1}), max_size=3
)
input_schemas = st.builds(lambda props: {"type": "object", "properties": props}, properties)
output_schemas = input_schemas | st.sampled_from(
    [{"type": "array", "items": True}, {}, {"anyOf": [{"type": "object"}, {"type": "null"}]}]
)
tools = st.builds(
    mcp.Tool,
    text,
    input_schemas,
    **named,
    output_schema=maybe(output_schemas),
    annotations=maybe(st.builds(mcp.ToolAnnotations, maybe(text), maybe(st.booleans()))),
    icons=maybe(icons),
    execution=maybe(st.builds(mcp.ToolExecution, maybe(st.just("optional")))),
    meta=maybe(json_objects),
)
resources = st.builds(
    mcp.Resource,
    uris,
    text,
    **named,
    mime_type=maybe(mimes),
    size=maybe(st.integers(0, 9)),
    icons=maybe(icons),
    **common,
)
templates = st.builds(
    mcp.ResourceTemplate, st.just("test://{id}"), text, **named, icons=maybe(icons), **common
)
prompts = st.builds(
    mcp.Prompt,
    text,
    **named,
    arguments=maybe(
        st.lists(st.builds(mcp.PromptArgument, text, **named, required=maybe(st.booleans())))
    ),
    icons=maybe(icons),
    meta=maybe(json_objects),
)
some: dict[str, Any] = {"meta": maybe(json_objects)}
page: dict[str, Any] = {"next_cursor": maybe(text), **some}
results = st.one_of(
    st.builds(
        mcp.CallToolResult,
        st.lists(blocks, max_size=3),
        structured_content=json_values,
        is_error=maybe(st.booleans()),
        **some,
    ),
    st.builds(mcp.CallToolResult, st.lists(blocks, max_size=3)),
    st.builds(mcp.ListToolsResult, tools=st.lists(tools, max_size=3), **page),
    st.builds(mcp.ListResourcesResult, resources=st.lists(resources, max_size=2), **page),
    st.builds(
        mcp.ListResourceTemplatesResult, resource_templates=st.lists(templates, max_size=2), **page
    ),
    st.builds(mcp.ReadResourceResult, contents=st.lists(contents, min_size=1, max_size=2), **some),
    st.builds(mcp.ListPromptsResult, prompts=st.lists(prompts, max_size=2), **page),
    st.builds(
        mcp.GetPromptResult,
        messages=st.lists(
            st.builds(mcp.PromptMessage, st.sampled_from(["user", "assistant"]), blocks),
            max_size=2,
        ),
        description=maybe(text),
        **some,
    ),
    st.builds(
        mcp.CompleteResult,
        completion=st.builds(
            mcp.Completion,
            st.lists(text, max_size=3),
            total=maybe(st.integers(0, 9)),
            has_more=maybe(st.booleans()),
        ),
        **some,
    ),
)


@pytest.mark.parametrize("version", SUPPORTED)
@given(result=results, cache=st.builds(CacheHint, st.integers(0, 9), st.just("public")))
def test_every_result_is_valid_in_every_revision(
    version: str, result: mcp.Result, cache: CacheHint, validate: Validate
) -> None:
    shaped = shape_result(result, era_of(version), version, server_info=SERVER, cache=cache)
    value = validate(version, type(result).__name__, msgspec.json.encode(shaped))
    if version in LEGACY:
        assert not {"resultType", "ttlMs", "cacheScope"} & set(value)
    else:
        assert value["resultType"] == "complete"
        assert value["_meta"][SERVER_INFO]["name"] == "node"


@given(results)
def test_what_is_written_is_read_again(result: mcp.Result) -> None:
    encoded = msgspec.json.encode(result)
    back = msgspec.json.decode(encoded, type=type(result))
    assert json.loads(msgspec.json.encode(back)) == json.loads(encoded)


@given(results)
def test_the_latest_revision_says_everything(result: mcp.Result) -> None:
    fitted = json.loads(msgspec.json.encode(fit(result, LATEST)))
    whole = json.loads(msgspec.json.encode(result))
    for tool in whole.get("tools", ()):
        tool.pop("execution", None)
    assert fitted == whole


CAPABILITIES = mcp.ServerCapabilities(
    tools=mcp.ListChanged(True),
    resources=mcp.ResourcesCapability(subscribe=True, list_changed=True),
    prompts=mcp.ListChanged(),
    completions={},
    logging={},
    tasks={"list": {}},
    extensions={"io.modelcontextprotocol/tasks": {}},
    experimental={"x": {}},
)


@pytest.mark.parametrize("version", LEGACY)
def test_initialize_result(version: str, validate: Validate) -> None:
    result = mcp.InitializeResult(
        protocol_version=version,
        capabilities=CAPABILITIES,
        server_info=SERVER,
        instructions="Use it.",
    )
    shaped = shape_result(result, "legacy", version)
    value = validate(version, "InitializeResult", msgspec.json.encode(shaped))
    assert value["protocolVersion"] == version
    assert ("title" in value["serverInfo"]) is (version >= "2025-06-18")
    assert ("tasks" in value["capabilities"]) is (version == "2025-11-25")
    assert ("completions" in value["capabilities"]) is (version >= "2025-03-26")
    assert value["capabilities"]["prompts"] == {}


def test_discover_result(validate: Validate) -> None:
    result = mcp.DiscoverResult(supported_versions=[LATEST], capabilities=CAPABILITIES)
    shaped = shape_result(
        result, "modern", LATEST, server_info=SERVER, cache=CacheHint(60_000, "public")
    )
    value = validate(LATEST, "DiscoverResult", msgspec.json.encode(shaped))
    assert (value["ttlMs"], value["cacheScope"]) == (60_000, "public")
    assert "tasks" not in value["capabilities"]


def test_without_a_hint_nothing_may_be_kept() -> None:
    shaped = shape_result(mcp.ListToolsResult(tools=[]), "modern", LATEST)
    assert (shaped.ttl_ms, shaped.cache_scope, shaped.meta) == (0, "private", None)


def test_a_negative_time_to_live_is_refused() -> None:
    with pytest.raises(ValueError, match="ttl_ms is -1"):
        CacheHint(-1)


def test_what_a_handler_has_set_itself_stays() -> None:
    own = mcp.ReadResourceResult(
        contents=[],
        result_type="task",
        ttl_ms=5,
        cache_scope="public",
        meta={"a": 1, SERVER_INFO: {"name": "other", "version": "2"}},
    )
    assert shape_result(own, "modern", LATEST, server_info=SERVER) == own


def test_server_info_may_be_encoded_beforehand() -> None:
    result = mcp.CallToolResult([])
    encoded = jsonrpc.raw(SERVER)
    assert msgspec.json.encode(
        shape_result(result, "modern", LATEST, server_info=encoded)
    ) == msgspec.json.encode(shape_result(result, "modern", LATEST, server_info=SERVER))


def test_a_handlers_result_is_not_touched() -> None:
    result = mcp.ListToolsResult(
        tools=[mcp.Tool("t", {"type": "object"}, title="T")], meta={"a": 1}
    )
    before = msgspec.json.encode(result)
    for version in SUPPORTED:
        shape_result(result, era_of(version), version, server_info=SERVER)
    assert msgspec.json.encode(result) == before


NOTIFICATIONS = [
    ("CancelledNotification", "notifications/cancelled", mcp.CancelledParams(3, "gone")),
    ("ProgressNotification", "notifications/progress", mcp.ProgressParams("t", 1, 2.5, "half")),
    (
        "LoggingMessageNotification",
        "notifications/message",
        mcp.LoggingMessageParams("info", {"a": None}, "log"),
    ),
    (
        "ToolListChangedNotification",
        "notifications/tools/list_changed",
        mcp.NotificationParams(meta={"io.modelcontextprotocol/subscriptionId": 1}),
    ),
    ("ResourceListChangedNotification", "notifications/resources/list_changed", None),
    ("PromptListChangedNotification", "notifications/prompts/list_changed", None),
]


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize(("definition", "method", "params"), NOTIFICATIONS)
def test_notifications(
    definition: str, method: str, params: Any, version: str, validate: Validate
) -> None:
    message = jsonrpc.notification(method, fit(params, version))
    validate(version, definition, jsonrpc.encode(message))
    validate(version, "JSONRPCNotification", jsonrpc.encode(message))


@pytest.mark.parametrize("version", SUPPORTED)
def test_responses(version: str, validate: Validate) -> None:
    shaped = shape_result(mcp.EmptyResult(), era_of(version), version)
    modern_or_latest_legacy = version >= "2025-11-25"
    name = "JSONRPCResultResponse" if modern_or_latest_legacy else "JSONRPCResponse"
    validate(version, name, jsonrpc.encode(Response("a", shaped)))
    name = "JSONRPCErrorResponse" if modern_or_latest_legacy else "JSONRPCError"
    error = jsonrpc.error_response(1, McpError(-32603, "Internal error", {"a": 1}))
    validate(version, name, jsonrpc.encode(error))


@pytest.mark.parametrize("version", [LATEST, "2025-11-25"])
def test_an_error_without_id(version: str, validate: Validate) -> None:
    encoded = jsonrpc.encode(jsonrpc.error_response(None, McpError(-32700, "Parse error")))
    validate(version, "JSONRPCErrorResponse", encoded)


MODERN_ERRORS = [
    ("UnsupportedProtocolVersionError", unsupported_version("1900-01-01")),
    ("MissingRequiredClientCapabilityError", missing_capability({"sampling": {}})),
    ("HeaderMismatchError", header_mismatch("Mcp-Name is missing")),
]


@pytest.mark.parametrize(("definition", "error"), MODERN_ERRORS)
def test_modern_errors(definition: str, error: McpError, validate: Validate) -> None:
    validate(LATEST, definition, jsonrpc.encode(jsonrpc.error_response(1, error)))


REQUESTS = [
    ("InitializeRequest", "initialize", LEGACY),
    ("PingRequest", "ping", LEGACY),
    ("SetLevelRequest", "logging/setLevel", LEGACY),
    ("CallToolRequest", "tools/call", LEGACY),
    ("CompleteRequest", "completion/complete", LEGACY),
    ("GetPromptRequest", "prompts/get", LEGACY),
    ("ReadResourceRequest", "resources/read", LEGACY),
    ("ListToolsRequest", "tools/list", LEGACY),
]
CLIENT = mcp.ClientCapabilities(
    roots=mcp.RootsCapability(True),
    sampling=mcp.SamplingCapability(context={}, tools={}),
    elicitation=mcp.ElicitationCapability(form={}, url={}),
)
REQUEST_PARAMS: dict[str, Any] = {
    "initialize": mcp.InitializeParams(
        protocol_version="2025-11-25", capabilities=CLIENT, client_info=SERVER
    ),
    "ping": None,
    "logging/setLevel": mcp.SetLevelParams("info"),
    "tools/call": mcp.CallToolParams("t", {"a": [1]}, meta={"progressToken": 1}),
    "completion/complete": mcp.CompleteParams(
        mcp.PromptReference("p", "P"),
        mcp.CompletionArgument("a", "v"),
        mcp.CompletionContext({"b": "w"}),
    ),
    "prompts/get": mcp.GetPromptParams("p", {"a": "b"}),
    "resources/read": mcp.ReadResourceParams("test://a"),
    "tools/list": mcp.PaginatedParams(cursor="c"),
}


@pytest.mark.parametrize(
    ("definition", "method", "version"),
    [(name, method, version) for name, method, versions in REQUESTS for version in versions],
)
def test_requests(definition: str, method: str, version: str, validate: Validate) -> None:
    params = REQUEST_PARAMS[method]
    message = jsonrpc.encode(jsonrpc.request(1, method, fit(params, version)))
    validate(version, definition, message)
    decoded = jsonrpc.decode(message)
    assert isinstance(decoded, jsonrpc.Request)
    if params is not None:
        assert jsonrpc.params_as(decoded, type(params)) == fit(params, version)
