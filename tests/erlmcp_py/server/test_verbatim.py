"""Schemas that an author wrote: kept to the last keyword, checked, and compared with the handler."""

import copy
import json
from typing import Any

import pytest

from erlmcp_py.server import Context, Server

from .conftest import Connect

ORDER: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.com/order",
    "$comment": "what is not known is kept, too",
    "type": "object",
    "$defs": {"size": {"$anchor": "size", "type": "integer", "exclusiveMinimum": 0}},
    "properties": {
        "item": {"type": "string", "x-own": {"a": [1]}},
        "size": {"$ref": "#size"},
        "gift-wrap": {"type": "boolean"},
    },
    "required": ["item"],
    "allOf": [{"anyOf": [{"required": ["size"]}, {"properties": {"item": {"const": "book"}}}]}],
    "if": {"properties": {"gift-wrap": {"const": True}}, "required": ["gift-wrap"]},
    "then": {"properties": {"size": {"maximum": 10}}},
    "patternProperties": {"^note-": {"type": "string"}},
    "dependentRequired": {"gift-wrap": ["size"]},
    "unevaluatedProperties": False,
}
TREE: dict[str, Any] = {
    "type": "array",
    "prefixItems": [{"type": "string"}],
    "items": {"type": "integer"},
}


def order_server() -> Server:
    server = Server("orders", version="1.0")

    @server.tool(input_schema=ORDER)
    def order(item: str, size: int = 1, **rest: Any) -> list[Any]:
        """Order something."""
        return [item, size, rest]

    return server


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_schema_is_kept_to_the_last_keyword(connect: Connect, version: str) -> None:
    written = copy.deepcopy(ORDER)
    peer = await connect(order_server(), version)
    (tool,) = (await peer.result("tools/list"))["tools"]
    assert tool["inputSchema"] == written
    assert list(tool["inputSchema"]) == list(written)


async def test_a_schema_is_what_it_was_when_the_tool_was_defined(connect: Connect) -> None:
    schema = copy.deepcopy(ORDER)
    server = Server("orders", version="1.0")
    server.tool("t", input_schema=schema)(everything)
    schema["properties"].clear()
    (tool,) = (await (await connect(server)).result("tools/list"))["tools"]
    assert tool["inputSchema"] == ORDER


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"item": "book"}, None),
        ({"item": "pen", "size": 3, "gift-wrap": True, "note-a": "x"}, None),
        ({"item": "pen"}, "is not valid"),
        ({"item": "pen", "size": 0}, "size: 0"),
        ({"item": "pen", "size": 11, "gift-wrap": True}, "size: 11"),
        ({"item": "book", "gift-wrap": False}, "size"),
        ({"item": "pen", "size": 1, "colour": "red"}, "colour"),
        ({"item": "pen", "size": 1, "note-a": 1}, "note-a: 1"),
        ({"size": 1}, "missing required argument 'item'"),
    ],
)
async def test_every_keyword_counts(
    connect: Connect, arguments: dict[str, Any], problem: str | None
) -> None:
    peer = await connect(order_server())
    if problem is not None:
        assert problem in await peer.failure("order", **arguments)
        return
    rest = {key: value for key, value in arguments.items() if key not in ("item", "size")}
    result = await peer.tool("order", **arguments)
    assert result["content"][0]["text"] != ""
    assert read(result) == [arguments["item"], arguments.get("size", 1), rest]


def read(result: dict[str, Any]) -> Any:
    return json.loads(result["content"][0]["text"])


def everything(**arguments: Any) -> str:
    return ",".join(arguments)


async def test_a_context_beside_all_arguments(connect: Connect) -> None:
    server = Server("orders", version="1.0")

    @server.tool(input_schema={"type": "object"})
    async def show(ctx: Context, **arguments: Any) -> str:
        return f"{ctx.request_id} {sorted(arguments.items())}"

    result = await (await connect(server)).tool("show", b=1, a={"c": [None]})
    assert result["content"][0]["text"] == "1 [('a', {'c': [None]}), ('b', 1)]"


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25", "2026-07-28"])
async def test_a_result_of_any_json(connect: Connect, version: str) -> None:
    server = Server("trees", version="1.0")

    @server.tool(output_schema=TREE)
    def tree(name: str) -> Any:
        return [name, 1, 2]

    @server.tool(output_schema={"type": ["null", "integer"]})
    def maybe() -> None:
        return None

    peer = await connect(server, version)
    shown = {tool["name"]: tool for tool in (await peer.result("tools/list"))["tools"]}
    result = await peer.tool("tree", name="x")
    assert result["content"] == [{"type": "text", "text": '["x",1,2]'}]
    nothing = await peer.tool("maybe")
    assert nothing["content"] == [{"type": "text", "text": "null"}]
    if version == "2026-07-28":
        assert shown["tree"]["outputSchema"] == TREE
        assert result["structuredContent"] == ["x", 1, 2]
        assert nothing["structuredContent"] is None
    else:
        assert "outputSchema" not in shown["tree"]
        assert "structuredContent" not in result
        assert "structuredContent" not in nothing


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_hints_of_other_values_than_objects(connect: Connect, version: str) -> None:
    server = Server("lists", version="1.0")

    @server.tool()
    def count(to: int) -> list[int]:
        return list(range(to))

    peer = await connect(server, version)
    (tool,) = (await peer.result("tools/list"))["tools"]
    structured = (await peer.tool("count", to=2))["structuredContent"]
    if version == "2026-07-28":
        assert tool["outputSchema"] == {"type": "array", "items": {"type": "integer"}}
        assert structured == [0, 1]
    else:
        assert tool["outputSchema"]["properties"]["result"]["type"] == "array"
        assert structured == {"result": [0, 1]}


async def test_a_result_that_breaks_the_schema_is_a_crash(connect: Connect) -> None:
    server = Server("trees", version="1.0")
    server.tool("bad", output_schema=TREE)(lambda: ["x", "y"])
    peer = await connect(server)
    assert '[1]: "y" is not of type "integer"' in await peer.failure("bad")


def typed(item: str, size: int) -> str:
    return item * size


def clash(ctx: Context, **rest: Any) -> None: ...


def badly(item: str = 3) -> None: ...  # type: ignore[assignment]


OBJECT: dict[str, Any] = {"type": "object"}


@pytest.mark.parametrize(
    ("function", "schema", "words"),
    [
        (typed, {**OBJECT, "properties": {"size": {}}}, "'item' is no property"),
        (typed, {**OBJECT, "properties": {"item": {}, "size": {}}}, "'item' has no default"),
        (everything, "text", "must be a JSON Schema as a dict"),
        (everything, {**OBJECT, "default": object()}, "has no JSON form"),
        (badly, {**OBJECT, "properties": {"item": {}}}, "the default 3 does not fit"),
        (clash, {**OBJECT, "properties": {"ctx": {}}}, "the name of the Context"),
        (
            typed,
            {
                **OBJECT,
                "properties": {"item": {}, "size": {}, "x": {}},
                "required": ["item", "size"],
            },
            "no parameter takes the property 'x'",
        ),
    ],
)
def test_handlers_that_do_not_fit(function: Any, schema: Any, words: str) -> None:
    server = Server("s", version="1")
    with pytest.raises(TypeError, match=r"test_verbatim\.py:\d+: .*" + words):
        server.tool("t", input_schema=schema)(function)
    assert server.tools == {}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, '"type": "object"'),
        ({"type": "array"}, '"type": "object"'),
        ({**OBJECT, "properties": {"a": {"type": "nope"}}}, "nope"),
        ({**OBJECT, "$ref": "https://example.com/x"}, "within the schema only"),
        ({**OBJECT, "$ref": "#/$defs/x"}, "x"),
    ],
)
def test_schemas_that_are_refused(schema: Any, words: str) -> None:
    server = Server("s", version="1")
    with pytest.raises(ValueError, match=r"test_verbatim\.py:\d+: .*" + words):
        server.tool("t", input_schema=schema)(everything)


def test_unnamed_arguments_need_a_schema() -> None:
    server = Server("s", version="1")
    with pytest.raises(TypeError, match="give input_schema="):
        server.tool("t")(everything)
