"""What a modern request repeats in its HTTP headers, for proxies that route without parsing.

MCP 2026-07-28, standard headers: `Mcp-Method` repeats the method, `Mcp-Name` its target, and
`Mcp-Param-…` the arguments whose schema says so by `x-mcp-header`. Here are the rules of both sides: a
client writes these headers, a server compares them, and neither accepts a schema that marks what cannot
be mirrored.

A value that a header cannot carry as it is travels as ``=?base64?<UTF-8 in base64>?=``. The decoding is
strict: only the one text that an encoder makes of the bytes is taken.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from erlmcp_py.protocol.wire import Json

NAMED_BY: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Method to the parameter that `Mcp-Name` repeats."""

KEYWORD: Final = "x-mcp-header"
"""The keyword of a property whose value is repeated in `Mcp-Param-<its value>`."""

PARAM_PREFIX: Final = "Mcp-Param-"

_PREFIX: Final = b"=?base64?"
_SUFFIX: Final = b"?="
_MARKS: Final = len(_PREFIX) + len(_SUFFIX)
_PLAIN: Final = re.compile(rb"[!-~](?:[\t -~]*[!-~])?")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES: Final = frozenset({"integer", "string", "boolean"})


class MirroredParameter(msgspec.Struct, frozen=True):
    """An argument that is repeated: the way to it through nested objects, the whole name of its
    header, its JSON type ("integer", "string" or "boolean").
    """

    path: tuple[str, ...]
    header: str
    type: str


def encode_value(text: str) -> bytes:
    """The header value that stands for `text`: as it is where that is safe, else in base64.

    Safe is visible ASCII with spaces and tabs inside, that does not itself look encoded. Raises
    ValueError (UnicodeEncodeError) for a lone surrogate.
    """
    plain = text.encode()
    if (not plain or _PLAIN.fullmatch(plain)) and not _looks_encoded(plain):
        return plain
    return _PREFIX + b64encode(plain) + _SUFFIX


def decode_value(value: bytes) -> str:
    """The text a header value stands for. Raises ValueError for a malformed base64 form."""
    if not _looks_encoded(value):
        return value.decode("latin-1")
    payload = value[len(_PREFIX) : -len(_SUFFIX)]
    raw = b64decode(payload, validate=True)
    if b64encode(raw) != payload:
        raise ValueError("not the canonical base64 of its bytes")
    return raw.decode("utf-8")


def _looks_encoded(value: bytes) -> bool:
    return len(value) >= _MARKS and value.startswith(_PREFIX) and value.endswith(_SUFFIX)


def mirrored_parameters(schema: Json) -> tuple[MirroredParameter, ...]:
    """The arguments that a tool with this input schema wants repeated.

    Raises ValueError that says what is wrong: a header name that is no token, is not unique (whatever
    its case), or belongs to a property that is no integer, string or boolean, or that is not reached
    through `properties` alone. A client hides such a tool, a server does not define it.
    """
    found: list[MirroredParameter] = []
    _collect(schema, (), reachable=True, found=found)
    seen: dict[str, tuple[str, ...]] = {}
    for parameter in found:
        other = seen.setdefault(parameter.header.lower(), parameter.path)
        if other != parameter.path:
            raise ValueError(
                f"{KEYWORD} {parameter.header.removeprefix(PARAM_PREFIX)!r} is at "
                f"{'.'.join(other)} and at {'.'.join(parameter.path)}; it must be unique"
            )
    return tuple(found)


def _collect(
    node: Any, path: tuple[str, ...], *, reachable: bool, found: list[MirroredParameter]
) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, path, reachable=False, found=found)
        return
    if not isinstance(node, dict):
        return
    if KEYWORD in node:
        found.append(_parameter(node, path, reachable=reachable and bool(path)))
    for keyword, value in node.items():
        # These hold data, in which the keyword's name means nothing.
        if keyword in ("const", "enum", "default", "examples", KEYWORD):
            continue
        if keyword == "properties" and isinstance(value, dict):
            for name, sub in value.items():
                _collect(sub, (*path, name), reachable=reachable, found=found)
        elif keyword in ("$defs", "definitions", "patternProperties", "dependentSchemas"):
            subs = list(value.values()) if isinstance(value, dict) else []
            _collect(subs, (*path, keyword), reachable=False, found=found)
        else:
            _collect(value, (*path, keyword), reachable=False, found=found)


def _parameter(node: Json, path: tuple[str, ...], *, reachable: bool) -> MirroredParameter:
    name, kind = node[KEYWORD], node.get("type")
    where = ".".join(path) or "the schema itself"
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ValueError(f"{where}: {KEYWORD} must be a header name, not {name!r}")
    if not reachable:
        raise ValueError(f"{where}: {KEYWORD} only has a meaning on a property of an object")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(
            f"{where}: {KEYWORD} needs the type integer, string or boolean, not {kind!r}"
        )
    return MirroredParameter(path, PARAM_PREFIX + name, kind)


def parameter_headers(
    parameters: tuple[MirroredParameter, ...], arguments: Json
) -> dict[str, bytes]:
    """The headers a client sends with these arguments; what is absent or null is left out."""
    headers = {}
    for parameter in parameters:
        value = value_at(arguments, parameter.path)
        if value is not None:
            headers[parameter.header] = encode_value(header_text(value))
    return headers


def value_at(arguments: Any, path: tuple[str, ...]) -> Any:
    """The argument at the end of the path, None where there is none."""
    for name in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(name)
    return arguments


def header_text(value: Any) -> str:
    """An argument as text: `true` and `false` for booleans, decimal digits for integers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def says(text: str, value: Any) -> bool:
    """Whether the decoded header `text` and the argument are the same; integers by their value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text == header_text(value)
    try:
        return float(text) == value if "." in text or "e" in text.lower() else int(text) == value
    except ValueError:
        return False
