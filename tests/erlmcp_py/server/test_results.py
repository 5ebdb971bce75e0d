from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Struct

from erlmcp_py.protocol.completion import CompleteResult, Completion
from erlmcp_py.protocol.content import BlobResourceContents, TextResourceContents
from erlmcp_py.protocol.prompts import GetPromptResult
from erlmcp_py.protocol.resources import ReadResourceResult
from erlmcp_py.protocol.shape import CacheHint
from erlmcp_py.server import (
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    PromptMessage,
    TextContent,
    audio,
    image,
)
from erlmcp_py.server.results import (
    BadResult,
    completion_result,
    is_content_hint,
    prompt_result,
    resource_result,
    tool_failure,
    tool_result,
)
from erlmcp_py.server.schema import Output, output_of
from erlmcp_py.server.signature import read_handler


class Pair(Struct):
    left: int
    right: str


@dataclass
class Point:
    x: int


def output(hint: Any) -> Output | None:
    def function() -> Any: ...

    function.__annotations__["return"] = hint
    return output_of(read_handler(function, timeout=1))


PNG = image(b"\x89PNG")
CONTENTS = TextResourceContents(uri="x:a", text="hi")


@pytest.mark.parametrize(
    ("value", "content", "structured"),
    [
        ("text", [TextContent("text")], UNSET),
        (None, [], UNSET),
        (3, [TextContent("3")], UNSET),
        (True, [TextContent("true")], UNSET),
        ([1, "a"], [TextContent('[1,"a"]')], UNSET),
        ([], [TextContent("[]")], UNSET),
        ({"a": 1}, [TextContent('{"a":1}')], {"a": 1}),
        ({1: Point(2)}, [TextContent('{"1":{"x":2}}')], {"1": {"x": 2}}),
        (Pair(1, "b"), [TextContent('{"left":1,"right":"b"}')], {"left": 1, "right": "b"}),
        (Point(1), [TextContent('{"x":1}')], {"x": 1}),
        (PNG, [PNG], UNSET),
        (["see", PNG, {"a": 1}], [TextContent("see"), PNG, TextContent('{"a":1}')], UNSET),
        ((PNG,), [PNG], UNSET),
        (CONTENTS, [EmbeddedResource(CONTENTS)], UNSET),
    ],
)
def test_tool_results_without_a_schema(value: Any, content: Any, structured: Any) -> None:
    assert tool_result(value, None, "modern") == CallToolResult(
        content=content, structured_content=structured
    )


@pytest.mark.parametrize(
    ("hint", "value", "text", "structured"),
    [
        (int, 3, "3", 3),
        (list[Point], [Point(1)], '[{"x":1}]', [{"x": 1}]),
        (str | None, "a", "a", "a"),
        (str | None, None, "null", None),
        (Pair, Pair(1, "b"), '{"left":1,"right":"b"}', {"left": 1, "right": "b"}),
        (dict[str, int], {"a": 1}, '{"a":1}', {"a": 1}),
    ],
)
def test_tool_results_with_a_schema(hint: Any, value: Any, text: str, structured: Any) -> None:
    modern = tool_result(value, output(hint), "modern")
    assert modern == CallToolResult([TextContent(text)], structured_content=structured)
    legacy = tool_result(value, output(hint), "legacy")
    wrapped = structured if type(structured) is dict else {"result": structured}
    assert legacy == CallToolResult([TextContent(text)], structured_content=wrapped)


def test_a_result_that_breaks_its_schema() -> None:
    with pytest.raises(BadResult, match=r"output schema: left: .*integer"):
        tool_result(Pair("no", "b"), output(Pair), "modern")  # type: ignore[arg-type]
    with pytest.raises(BadResult, match="output schema: "):
        tool_result(float("nan"), output(float), "modern")


def test_a_ready_result_is_the_result() -> None:
    result = CallToolResult(content=[TextContent("x")], is_error=True)
    assert tool_result(result, output(int), "modern") is result
    assert tool_failure("x") == result


@pytest.mark.parametrize("value", [object(), {"a": object()}, [object()], float, b"bytes"])
def test_results_without_a_json_form(value: Any) -> None:
    with pytest.raises(BadResult):
        tool_result(value, None, "modern")


def test_a_cycle_has_no_json_form() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(BadResult):
        tool_result(cycle, None, "modern")


def test_media() -> None:
    assert ImageContent(data=base64.b64encode(b"\x89PNG").decode(), mime_type="image/png") == PNG
    assert audio(b"RIFF") == AudioContent(data="UklGRg==", mime_type="audio/wav")


@pytest.mark.parametrize(
    ("value", "declared", "mime_type", "body"),
    [
        ("hi", None, "text/plain", "hi"),
        ("hi", "text/html", "text/html", "hi"),
        ({"a": 1}, None, "application/json", '{"a":1}'),
        (["a", "b"], None, "application/json", '["a","b"]'),
        ([], None, "application/json", "[]"),
        (Pair(1, "b"), None, "application/json", '{"left":1,"right":"b"}'),
    ],
)
def test_text_resources(value: Any, declared: str | None, mime_type: str, body: str) -> None:
    assert resource_result(value, "x:a", declared).contents == [
        TextResourceContents(uri="x:a", mime_type=mime_type, text=body)
    ]


def test_binary_and_several_contents() -> None:
    blob = BlobResourceContents(uri="x:a", mime_type="application/octet-stream", blob="aGk=")
    assert resource_result(b"hi", "x:a", None).contents == [blob]
    assert resource_result([b"hi", CONTENTS], "x:a", None).contents == [blob, CONTENTS]
    ready = ReadResourceResult(contents=[CONTENTS], ttl_ms=5)
    hint = CacheHint(60_000, "public")
    assert resource_result(ready, "x:a", None, hint) == ReadResourceResult(
        contents=[CONTENTS], ttl_ms=5, cache_scope="public"
    )


def test_a_resource_cannot_be_nothing() -> None:
    with pytest.raises(BadResult, match="raise ResourceNotFound"):
        resource_result(None, "x:a", None)


def test_prompts() -> None:
    said = PromptMessage(role="user", content=TextContent("hi"))
    reply = PromptMessage(role="assistant", content=TextContent("yes"))
    assert prompt_result("hi", "Why.") == GetPromptResult(messages=[said], description="Why.")
    assert prompt_result(["hi", reply, PNG], None).messages == [
        said,
        reply,
        PromptMessage(role="user", content=PNG),
    ]
    ready = GetPromptResult(messages=[])
    assert prompt_result(ready, "Why.") is ready
    with pytest.raises(BadResult, match="not dict"):
        prompt_result({"role": "user"}, None)


def test_completions_are_capped_at_a_hundred() -> None:
    values = [str(n) for n in range(150)]
    assert completion_result(iter(values)).completion == Completion(
        values=values[:100], total=150, has_more=True
    )
    assert completion_result(["a"]).completion == Completion(values=["a"], total=1, has_more=False)
    ready = CompleteResult(completion=Completion(values=[]))
    assert completion_result(ready) is ready


@pytest.mark.parametrize("value", ["abc", 3, None, [1], [None]])
def test_completions_are_strings(value: Any) -> None:
    with pytest.raises(BadResult, match="completion returns"):
        completion_result(value)


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (ImageContent, True),
        (CallToolResult, True),
        (list[TextContent | ImageContent], True),
        (list[str | ImageContent], True),
        (TextContent | None, True),
        (tuple[TextContent, ...], True),
        (str | None, False),
        (list[str], False),
        (list[Pair | TextContent], False),
        (Pair, False),
        (int, False),
        (Any, False),
    ],
)
def test_hints_of_content(hint: Any, expected: bool) -> None:
    assert is_content_hint(hint) is expected


def test_everything_here_encodes() -> None:
    assert msgspec.json.encode(tool_result(PNG, None, "modern"))
