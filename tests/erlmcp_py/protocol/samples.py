"""Values that a published schema allows, as a hypothesis strategy of any of its definitions."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests import schema_gate

Strategy = st.SearchStrategy[Any]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
numbers = st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6)
anything = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=3,
)
objects = st.dictionaries(text, anything, max_size=2)
formats = {
    "uri": st.sampled_from(["file:///a/b", "https://example.com/?q=1", "test:x"]),
    "uri-template": st.sampled_from(["file:///{path}", "test://{a}/{+b}"]),
    "byte": st.binary(max_size=4).map(lambda data: base64.b64encode(data).decode()),
}


@cache
def of(version: str, definition: str) -> Strategy:
    """Values of that definition, with and without what is optional; nothing the schema does not name
    is added, except where an object is free.
    """
    return st.deferred(lambda: _of(version, schema_gate.definitions_of(version)[definition]))


def _of(version: str, node: Any) -> Strategy:
    if "$ref" in node:
        return of(version, node["$ref"].rsplit("/", 1)[1])
    if "const" in node:
        return st.just(node["const"])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if "anyOf" in node:
        return st.one_of([_of(version, option) for option in node["anyOf"]])
    if "allOf" in node:
        parts = [_of(version, part) for part in node["allOf"]]
        return st.tuples(*parts).map(
            lambda values: {k: v for part in values for k, v in part.items()}
        )
    kinds = node.get("type", "any")
    return st.one_of(
        [_of_type(version, node, kind) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    )


def _of_type(version: str, node: Any, kind: str) -> Strategy:
    match kind:
        case "any":
            return anything
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(node.get("minimum", -(2**40)), node.get("maximum", 2**40))
        case "number":
            if "minimum" in node:
                return st.floats(node["minimum"], node["maximum"])
            return numbers
        case "string":
            return formats.get(node.get("format", ""), text)
        case "array":
            return st.lists(_of(version, node.get("items", {})), max_size=2)
    return _object(version, node)


def _object(version: str, node: Any) -> Strategy:
    properties = {name: _of(version, sub) for name, sub in node.get("properties", {}).items()}
    required = set(node.get("required", ()))
    if properties or ("properties" in node and "additionalProperties" not in node):
        return st.fixed_dictionaries(
            {name: values for name, values in properties.items() if name in required},
            optional={name: values for name, values in properties.items() if name not in required},
        )
    more = node.get("additionalProperties")
    if isinstance(more, dict) and more:
        return st.dictionaries(text, _of(version, more), max_size=2)
    return objects
