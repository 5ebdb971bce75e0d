"""The arguments of a call as they are typed: ``key=value`` by the tool's schema, ``key:=JSON``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from erlmcp_py.protocol.wire import Json

_SHOWN: Final = 100
"""Characters of what was typed that an error repeats."""
_PAIR: Final = re.compile(r"(?P<key>[^=:]+?)(?P<how>:?=)(?P<value>.*)", re.DOTALL)


class BadArgument(Exception):
    """Something that was typed is no argument; the text says what would be."""


def read_arguments(typed: Iterable[str], schema: Json) -> Json:
    """The arguments object. schema: the input schema of the tool.

    After ``:=`` stands JSON. After ``=`` stands text, which is a string if the schema allows one for
    that key or says nothing of it, and otherwise JSON too: a number, true, a list. Whether the value
    fits is for the server to say. Raises `BadArgument`.
    """
    arguments: Json = {}
    for text in typed:
        found = _PAIR.fullmatch(text)
        if found is None:
            raise BadArgument(f"{text!r}: write key=value, or key:=JSON")
        key, value = found["key"], found["value"]
        if key in arguments:
            raise BadArgument(f"{key!r} is given twice")
        if found["how"] == ":=":
            arguments[key] = _json(key, value)
        else:
            kinds = kinds_of(part_of(schema, "properties", key), schema)
            arguments[key] = value if not kinds or "string" in kinds else _json(key, value, kinds)
    return arguments


def _json(key: str, text: str, kinds: Iterable[str] = ()) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as problem:
        wanted = " or ".join(sorted(kinds)) or "JSON"
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        raise BadArgument(f"{key}: {shown!r} is no {wanted} ({problem})") from None


def part_of(schema: Any, *names: str) -> Any:
    """What is there in a schema, which may be anything that a server takes for one; None: nothing."""
    for name in names:
        schema = schema.get(name) if isinstance(schema, dict) else None
    return schema


def kinds_of(schema: Any, root: Json, depth: int = 8) -> frozenset[str]:
    """The JSON types that a schema allows; empty if it does not say."""
    if not isinstance(schema, dict) or depth == 0:
        return frozenset()
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        definition = part_of(root, "$defs", reference.removeprefix("#/$defs/"))
        return kinds_of(definition, root, depth - 1)
    kind = schema.get("type")
    if kind is not None:
        kinds = kind if isinstance(kind, list) else [kind]
        return frozenset(one for one in kinds if isinstance(one, str))
    if "const" in schema:
        return frozenset([_kind(schema["const"])])
    if isinstance(schema.get("enum"), list):
        return frozenset(map(_kind, schema["enum"]))
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            parts = [kinds_of(part, root, depth - 1) for part in schema[word]]
            return frozenset().union(*parts) if all(parts) else frozenset()
    return frozenset()


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"
