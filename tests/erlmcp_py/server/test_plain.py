"""Schemas that need no engine to be known as valid, and when the engine is loaded."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.server import Server, engine
from erlmcp_py.server.plain import is_plain

_ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(["", "string", "x"])
)
_NAMES = st.sampled_from(["a", "b", "string"])
_KEYWORDS = [
    "type", "required", "enum", "const", "default", "title", "description", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
    "multipleOf", "pattern", "format", "$id", "$schema", "$anchor", "unknown",
]  # fmt: skip


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    schema = st.fixed_dictionaries(
        {},
        optional={
            "properties": st.one_of(st.dictionaries(_NAMES, inner), _ATOMS),
            "items": st.one_of(inner, _ATOMS),
            "additionalProperties": st.one_of(inner, _ATOMS),
            "anyOf": st.one_of(st.lists(inner, max_size=2), _ATOMS),
            "prefixItems": st.lists(inner, max_size=2),
            "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b", "#", "b", "/$defs/a", 1]),
            "required": st.one_of(st.lists(_NAMES), _ATOMS),
            "enum": st.one_of(st.lists(_ATOMS), _ATOMS),
        },
    )
    odd = st.dictionaries(st.sampled_from(_KEYWORDS), _ATOMS, max_size=2)
    return st.builds(lambda one, other: {**other, **one}, schema, odd)


_SCHEMA = st.recursive(st.one_of(st.booleans(), st.just({})), _schemas, max_leaves=6)


@given(
    st.builds(
        lambda root, defs: {**root, **({} if defs is None else {"$defs": defs})},
        _schemas(_SCHEMA),
        st.one_of(st.none(), st.dictionaries(_NAMES, _SCHEMA), _ATOMS),
    )
)
def test_what_is_plain_is_valid_to_the_engine(schema: dict[str, Any]) -> None:
    if is_plain(schema):
        engine.compiled(schema)


class Point(msgspec.Struct):
    x: Annotated[int, msgspec.Meta(ge=0, lt=10, description="to the right")]
    tags: list[str] = []
    near: dict[str, float] | None = None
    kind: Literal["a", "b"] = "a"
    then: Point | None = None


@pytest.mark.parametrize(
    "hint",
    [int, str, bool | None, list[int], dict[str, int], tuple[int, str], Literal[1, 2], Point, Any],
)
def test_schemas_of_hints_are_plain(hint: Any) -> None:
    (schema,), definitions = msgspec.json.schema_components([hint], ref_template="#/$defs/{name}")
    assert is_plain({"type": "object", "properties": {"a": schema}, "$defs": definitions})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "text"},
        {"pattern": "("},
        {"minimum": "1"},
        {"required": ["a", "a"]},
        {"enum": []},
        {"anyOf": []},
        {"properties": []},
        {"items": None},
        {"$ref": "#/$defs/a"},
        {"minLength": -1},
        {"maxItems": True},
        {"$defs": {"a": {"type": 1}}},
        {"$id": "https://example.org/a"},
        {"$ref": "a", "$defs": {"a": {}}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a~1b": {}}},
        {"minimum": float("nan")},
        {"default": [float("inf")]},
        {"enum": [object()]},
    ],
)
def test_what_is_not_seen_to_be_valid_is_left_to_the_engine(schema: dict[str, Any]) -> None:
    assert not is_plain(schema)


def test_a_schema_that_is_not_valid_is_refused_at_definition() -> None:
    server = Server("s", version="1")
    hint = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": "none"})]

    def tool(a: int) -> int:
        "Add."
        return a

    tool.__annotations__["a"] = hint
    with pytest.raises((TypeError, ValueError), match="not a valid JSON Schema"):
        server.tool()(tool)


def test_the_engine_is_loaded_by_the_first_call_and_not_before() -> None:
    code = """
import sys, examples.calculator as module
from erlmcp_py.server import Server
server = next(one for one in vars(module).values() if isinstance(one, Server))
assert "jsonschema_rs" not in sys.modules, "loaded by the definition"
from erlmcp_py.server.validation import compile_schema
assert compile_schema({"type": "integer"}, "here").first_error("x") is not None
assert "jsonschema_rs" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
