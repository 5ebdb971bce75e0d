"""Questions to a client and their answers: sampling, elicitation, roots, in both eras."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.elicitation import at_url, form, form_fields, url_elicitation_required
from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError
from erlmcp_py.protocol.input import capability_of, method_of, read_input
from erlmcp_py.protocol.methods import find_request
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.versions import LATEST, LEGACY

Validate = Callable[[str, str, bytes], Any]

FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TOOL = mcp.Tool("t", {"type": "object"})
ASK = mcp.CreateMessageParams([mcp.SamplingMessage("user", mcp.TextContent("?"))], 9)

QUESTIONS = [
    (mcp.ElicitRequest(form("m", FORM)), "elicitation/create", {"elicitation": {}}),
    (mcp.ElicitRequest(at_url("m", "https://a/b")), "elicitation/create", {"elicitation": {"url": {}}}),
    (mcp.ListRootsRequest(), "roots/list", {"roots": {}}),
    (mcp.CreateMessageRequest(ASK), "sampling/createMessage", {"sampling": {}}),
    (
        mcp.CreateMessageRequest(msgspec.structs.replace(ASK, tools=[TOOL])),
        "sampling/createMessage",
        {"sampling": {"tools": {}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("question", "method", "capability"), QUESTIONS)
def test_what_a_question_is_and_needs(question: Any, method: str, capability: Any) -> None:
    assert method_of(question) == method
    assert capability_of(question) == capability
    assert msgspec.convert(capability, mcp.ClientCapabilities)


def test_an_input_required_result(validate: Validate) -> None:
    result = mcp.InputRequiredResult(
        input_requests={str(n): question for n, (question, *_) in enumerate(QUESTIONS)},
        request_state="s",
    )
    shaped = shape_result(result, "modern", LATEST, server_info=mcp.Implementation("n", "1"))
    value = validate(LATEST, "InputRequiredResult", msgspec.json.encode(shaped))
    assert value["resultType"] == "input_required"
    assert "ttlMs" not in value


def test_what_only_the_handshake_knows_stays_out_of_a_modern_question() -> None:
    question = mcp.ElicitRequest(at_url("m", "https://a/b", "id-1"))
    fitted = fit(mcp.InputRequiredResult(input_requests={"k": question}), LATEST)
    assert fitted.input_requests is not None
    assert msgspec.to_builtins(fitted.input_requests["k"])["params"] == {
        "mode": "url",
        "message": "m",
        "url": "https://a/b",
    }


LEGACY_QUESTIONS = [
    (question, method, version)
    for question, method, capability in QUESTIONS
    for version in LEGACY
    if find_request(method, version) is not None
    and (capability != {"elicitation": {"url": {}}} or version == "2025-11-25")
]


@pytest.mark.parametrize(("question", "method", "version"), LEGACY_QUESTIONS)
def test_questions_to_clients_of_the_legacy_era(
    question: Any, method: str, version: str, validate: Validate
) -> None:
    params = question.params
    if isinstance(params, mcp.ElicitParams) and params.url is not None:
        params = msgspec.structs.replace(params, elicitation_id="e")
    sent = jsonrpc.encode(jsonrpc.request("s-1", method, fit(params, version)))
    validate(version, type(question).__name__, sent)


ANSWERS = [
    ("elicitation/create", {"action": "accept", "content": {"a": [1], "b": 2.5}}, None),
    ("elicitation/create", {"action": "accept", "content": {"a": ["x"], "b": 2.5}}, mcp.ElicitResult),
    ("elicitation/create", {"action": "perhaps"}, None),
    ("elicitation/create", 12345, None),
    ("elicitation/create", None, None),
    ("roots/list", {"roots": [{"uri": "file:///a"}]}, mcp.ListRootsResult),
    ("roots/list", {}, None),
    (
        "sampling/createMessage",
        {"role": "assistant", "content": {"type": "text", "text": "t"}, "model": "m"},
        mcp.CreateMessageResult,
    ),
    ("sampling/createMessage", {"role": "assistant", "content": {"type": "x"}, "model": "m"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "answer", "kind"), ANSWERS)
def test_answers_are_read_by_their_question(method: str, answer: Any, kind: Any) -> None:
    raw = jsonrpc.raw(answer)
    if kind is not None:
        assert type(read_input(raw, method)) is kind
        return
    with pytest.raises(McpError, match=f"no answer to {method}") as caught:
        read_input(raw, method)
    assert caught.value.code == INVALID_PARAMS


def test_answers_that_are_null_or_of_any_kind_leave_the_other_parameters_readable() -> None:
    for given in (None, {"k": 12345}, {"k": None}):
        request = jsonrpc.request(1, "tools/call", {"name": "t", "inputResponses": given})
        params = jsonrpc.params_as(request, mcp.CallToolParams)
        assert params.name == "t"
        assert (params.input_responses is None) is (given is None)


def test_the_page_a_request_has_to_wait_for(validate: Validate) -> None:
    error = url_elicitation_required([at_url("m", "https://a/b", "e")])
    encoded = jsonrpc.encode(jsonrpc.error_response(1, error))
    value = validate("2025-11-25", "URLElicitationRequiredError", encoded)
    data = msgspec.convert(value["error"]["data"], mcp.URLElicitationRequiredData)
    assert data.elicitations == [at_url("m", "https://a/b", "e")]


@pytest.mark.parametrize(
    "params",
    [
        {"message": "m"},
        {"message": "m", "mode": "form", "url": "https://a"},
        {"message": "m", "mode": "url", "requestedSchema": FORM},
        {"message": "m", "mode": "url", "url": "https://a", "requestedSchema": FORM},
        {"message": "m", "url": "https://a"},
        {"message": "m", "mode": "phone", "requestedSchema": FORM},
    ],
)
def test_an_elicitation_is_by_form_or_by_url(params: Any) -> None:
    with pytest.raises(McpError, match="elicitation/create"):
        jsonrpc.params_as(jsonrpc.request(1, "elicitation/create", params), mcp.ElicitParams)


def test_the_fields_of_a_form() -> None:
    fields: dict[str, Any] = {
        "text": {"type": "string", "minLength": 1, "format": "email"},
        "number": {"type": "number", "default": 95.5},
        "whole": {"type": "integer", "default": 30},
        "yes": {"type": "boolean", "default": True},
        "one": {"type": "string", "enum": ["a", "b"]},
        "titled": {"type": "string", "oneOf": [{"const": "a", "title": "A"}]},
        "legacy": {"type": "string", "enum": ["a"], "enumNames": ["A"]},
        "many": {"type": "array", "items": {"type": "string", "enum": ["a"]}},
        "manyTitled": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}},
    }
    read = form_fields({"type": "object", "properties": fields})
    assert [type(field) for field in read.values()] == [
        mcp.StringSchema,
        mcp.NumberSchema,
        mcp.NumberSchema,
        mcp.BooleanSchema,
        mcp.UntitledSingleSelectEnumSchema,
        mcp.TitledSingleSelectEnumSchema,
        mcp.LegacyTitledEnumSchema,
        mcp.UntitledMultiSelectEnumSchema,
        mcp.TitledMultiSelectEnumSchema,
    ]
    assert json.loads(msgspec.json.encode(read)) == fields


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "object"}, "choice of strings"),
        ({"type": "null"}, "choice of strings"),
        ({}, "choice of strings"),
        (True, "must be an object"),
        ({"type": "string", "minLength": "1"}, "minLength"),
        ({"type": "array", "items": {"type": "integer"}}, "enum|items"),
    ],
)
def test_fields_no_form_can_have(field: Any, words: str) -> None:
    with pytest.raises(McpError, match=words) as caught:
        form_fields({"type": "object", "properties": {"f": field}})
    assert "properties['f']" in caught.value.message


BLOCKS = [
    mcp.TextContent("before"),
    mcp.ToolUseContent("u", "add", {"a": 1}),
    mcp.ToolResultContent("u", [mcp.TextContent("2")]),
    mcp.AudioContent("UklGRg==", "audio/wav"),
]


@pytest.mark.parametrize("version", LEGACY)
def test_a_conversation_with_tools_is_told_to_older_clients(
    version: str, validate: Validate
) -> None:
    params = mcp.CreateMessageParams([mcp.SamplingMessage("user", list(BLOCKS))], 9, tools=[TOOL])
    fitted = fit(params, version)
    message = jsonrpc.request(1, "sampling/createMessage", fitted)
    validate(version, "CreateMessageRequest", jsonrpc.encode(message))
    if version == "2025-11-25":
        assert fitted == params
        return
    texts = [message.content.text for message in fitted.messages[:3]]  # type: ignore[union-attr]
    assert texts[0] == "before"
    assert "add (u)" in texts[1]
    assert "(u) answered" in texts[2]
    assert isinstance(fitted.messages[3].content, mcp.AudioContent) is (version >= "2025-03-26")
    answer = fit(mcp.CreateMessageResult("assistant", list(BLOCKS), "m"), version)
    validate(version, "CreateMessageResult", msgspec.json.encode(answer))
