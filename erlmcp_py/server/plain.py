"""Schemas that can be seen to be valid without the engine that validates.

WHY: the engine takes 4 MiB and a while to load, and a node whose tools nobody has called yet needs it
only to find out that schemas are valid. Those made from type hints consist of a few keywords whose
values are known to be right when they have been looked at; anything else is left to the engine, at
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_DEPTH: Final = 32
_TYPES: Final = frozenset(
    {"null", "boolean", "object", "array", "number", "integer", "string"}
)  # fmt: skip
_REFERENCE: Final = re.compile(r"#/\$defs/([A-Za-z0-9_.-]+)")
_LARGEST: Final = 1 << 53


def is_plain(schema: Mapping[str, Any]) -> bool:
    """Whether this is a valid schema of plain keywords; False means that it is not known."""
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, Mapping):
        return False
    return all(_is_plain(one, definitions, _DEPTH) for one in definitions.values()) and _is_plain(
        {keyword: value for keyword, value in schema.items() if keyword != "$defs"},
        definitions,
        _DEPTH,
    )


def _is_plain(schema: Any, definitions: Mapping[str, Any], depth: int) -> bool:
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, Mapping) or not depth:
        return False
    for keyword, value in schema.items():
        if keyword == "properties":
            inner = list(value.values()) if isinstance(value, Mapping) else [None]
        elif keyword in ("items", "additionalProperties"):
            inner = [value]
        elif keyword in ("anyOf", "prefixItems"):
            inner = value if isinstance(value, list) and value else [None]
        elif keyword == "$ref":
            found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
            if found is None or found[1] not in definitions:
                return False
            continue
        else:
            check = _VALUES.get(keyword)
            if check is None or not check(value):
                return False
            continue
        if not all(_is_plain(one, definitions, depth - 1) for one in inner):
            return False
    return True


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _LARGEST  # and no NaN


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and (value.isascii() or value.isprintable())


def _is_json(value: Any, depth: int = _DEPTH) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_json(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return depth > 0 and all(
            _is_text(key) and _is_json(one, depth - 1) for key, one in value.items()
        )
    return value is None or type(value) is bool or _is_text(value) or _is_number(value)


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and value in _TYPES


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(one, str) for one in value)
        and len(set(value)) == len(value)
    )


def _is_choice(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _is_json(value)


_VALUES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "type": _is_type,
    "required": _are_names,
    "enum": _is_choice,
    "const": _is_json,
    "default": _is_json,
    "title": _is_text,
    "description": _is_text,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _is_count),
}
"""What the value of a keyword has to be."""
