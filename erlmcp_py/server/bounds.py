"""How much work a JSON Schema may make (MCP 2026-07-28: depth, subschemas and time SHOULD be bounded).

The validator remembers what it has found out about a part of a value, its patterns are matched in
linear time or give up, and it refuses schemas that are too deep. Two things are left to bound here:
a schema so large, or with references that fan out so far, that every call pays for it; and the
describing of what is wrong, which for a schema with alternatives within alternatives grows with a
power of the value's depth, and the value comes from anybody.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

MAX_SUBSCHEMAS: Final = 10_000
"""Most objects and booleans in one schema that are schemas, or hold some."""

MAX_FANOUT: Final = 10_000
"""Most subschemas that may apply to one value, references followed."""

MAX_DESCRIBED: Final = 4096
"""Most ways through a schema that are tried to say what is wrong with a value."""

_DATA: Final = frozenset({"const", "enum", "default", "examples"})
_SEVERAL: Final = ("allOf", "anyOf", "oneOf")
_ONE: Final = ("not", "if", "then", "else")
_REFERENCES: Final = ("$ref", "$dynamicRef")


def fanout_of(schema: Any) -> int:
    """How many subschemas apply to one value at most. ValueError if the schema is over a limit."""
    nodes = _nodes(schema)
    measured: dict[int, int] = {}
    targets = _targets(schema, nodes)
    try:
        return max((_applied(node, targets, measured) for node in nodes), default=1)
    except RecursionError:
        raise ValueError("the schema's references lead too far") from None


def is_describable(fanout: int, value: Any) -> bool:
    """Whether it can be said in reasonable time what is wrong with `value`."""
    ways = 1
    depth = _depth(value)
    while depth and ways <= MAX_DESCRIBED and fanout > 1:
        ways *= fanout
        depth -= 1
    return ways <= MAX_DESCRIBED


def _nodes(schema: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            found.append(node)
            if len(found) > MAX_SUBSCHEMAS:
                raise ValueError(f"the schema has more than {MAX_SUBSCHEMAS} subschemas")
            waiting.extend(value for keyword, value in node.items() if keyword not in _DATA)
    return found


def _targets(schema: Any, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the references within a schema lead to, by their text."""
    anchors: dict[str, Any] = {"#": schema}
    for node in nodes:
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(node.get(keyword), str):
                anchors[f"#{node[keyword]}"] = node
        if isinstance(node.get("$id"), str):
            anchors[node["$id"]] = node
    for node in nodes:
        for keyword in _REFERENCES:
            text = node.get(keyword)
            if isinstance(text, str) and text not in anchors and "#/" in text:
                base, _, pointer = text.partition("#/")
                found = _at(anchors.get(base or "#"), pointer)
                if found is not None:
                    anchors[text] = found
    return anchors


def _at(node: Any, pointer: str) -> Any:
    for part in pointer.split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = node.get(name)
        elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node


def _applied(node: Any, targets: dict[str, Any], measured: dict[int, int]) -> int:
    """The ways through a schema that do not go deeper into the value."""
    if not isinstance(node, dict):
        return 1
    known = measured.get(id(node))
    if known is not None:
        return known
    measured[id(node)] = 1  # what leads back to itself is not followed again
    ways = sum(_applied(sub, targets, measured) for sub in _in_place(node, targets))
    if ways > MAX_FANOUT:
        raise ValueError(f"more than {MAX_FANOUT} subschemas of the schema apply to one value")
    measured[id(node)] = max(ways, 1)
    return measured[id(node)]


def _in_place(node: dict[str, Any], targets: dict[str, Any]) -> list[Any]:
    subs: list[Any] = [node[keyword] for keyword in _ONE if keyword in node]
    for keyword in _SEVERAL:
        several = node.get(keyword)
        if isinstance(several, list):
            subs.extend(several)
    dependent = node.get("dependentSchemas")
    if isinstance(dependent, dict):
        subs.extend(dependent.values())
    references = (node.get(keyword) for keyword in _REFERENCES)
    subs.extend(targets.get(text, True) for text in references if isinstance(text, str))
    return subs


def _depth(value: Any) -> int:
    """Levels of arrays and objects."""
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
