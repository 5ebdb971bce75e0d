"""What is wrong with a value, where it stands, and what would be right, in the words of a TOML file.

msgspec speaks of objects and arrays, writes `upstreams[...]` for whichever upstream it is, and does not say
which values there are. Nobody waits for a node that does not start, so here the way to the value is walked
again and looked at in peace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

from erlmcp_py.config.values import MEANING, Table
from erlmcp_py.config.whole import Config

_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
    "null": "nothing",
}
_TYPES: Final = {
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.StrType: "str",
    inspect.BoolType: "bool",
    inspect.StructType: "object",
    inspect.DictType: "object",
    inspect.VarTupleType: "array",
}
_MESSAGE: Final = re.compile(r"(?P<problem>.*?)(?: - at (?P<key>`key` in )?`\$(?P<place>.*)`)?")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[(\.\.\.)\]")

Step = str | int


def explain(layer: Table, error: msgspec.ValidationError) -> str:
    """`KEY: must be WHAT, not WHAT` for a layer that `Config` does not take."""
    found = _MESSAGE.fullmatch(str(error))
    assert found is not None
    path = _resolve(layer, found["place"] or "", str(error))
    if found["key"]:
        path = [*path, _bad_key(layer, path, str(error))]
    problem = _said(found["problem"], path, layer)
    return f"{_written(path)}: {problem}" if path else problem


def _written(path: list[Step]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]


def _resolve(layer: Table, place: str, message: str) -> list[Step]:
    """The steps to a value; for `[...]` the first key with which the rest of its table is not needed
    for the same message.
    """
    path: list[Step] = []
    for name, index, anyone in _STEP.findall(place):
        if anyone:
            path.append(_bad_key(layer, path, message))
        else:
            path.append(int(index) if index else name)
    return path


def _bad_key(layer: Table, path: list[Step], message: str) -> str:
    keys: list[str] = list(_at(layer, path))
    return next((key for key in keys if _refused(_only(layer, path, key)) == message), keys[0])


def _refused(layer: Table) -> str:
    try:
        msgspec.convert(layer, Config)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _only(value: Any, path: list[Step], key: str) -> Any:
    """A copy in which the table at `path` has this key only."""
    if not path:
        return {key: value[key]}
    step, rest = path[0], path[1:]
    copy: Any = value.copy()
    copy[step] = _only(value[step], rest, key)
    return copy


def _at(value: Any, path: list[Step]) -> Any:
    for step in path:
        value = value[step]
    return value


def _said(problem: str, path: list[Step], layer: Table) -> str:
    for pattern, meaning in MEANING.items():
        if repr(pattern)[1:-1] in problem:
            return f"must be {meaning}"
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        return f"has no {missing[1]}, which it needs"
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem):
        return f"{unknown[1]}: no such key"
    if problem.startswith("Invalid enum value "):
        return f"must be {_choices(path)}, not {json.dumps(_at(layer, path))}"
    if typed := re.fullmatch(r"Expected `(.*)`, got `(.*)`", problem):
        return f"must be {_words(typed[1])}, not {_words(typed[2])}"
    if bounded := re.fullmatch(r"Expected `(.*?)` (.*)", problem):
        given = _at(layer, path)
        shown = f", not {given}" if isinstance(given, int | float) else ""
        return f"must be {_words(bounded[1])} {bounded[2]}{shown}"
    return problem


def _words(types: str) -> str:
    return " or ".join(dict.fromkeys(_WORDS.get(each, each) for each in types.split(" | ")))


def _choices(path: list[Step]) -> str:
    """What may stand at `path`, every word of it."""
    kind: inspect.Type = inspect.type_info(Config)
    for step in path:
        kind = next(inner for each in _members(kind) for inner in _inside(each, step))
    words: list[str] = []
    for each in _members(kind):
        if isinstance(each, inspect.LiteralType):
            words += [json.dumps(value) for value in each.values]
        else:
            words.append(_WORDS[_TYPES[type(each)]])
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _members(kind: inspect.Type) -> Iterator[inspect.Type]:
    yield from kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _inside(kind: inspect.Type, step: Step) -> Iterator[inspect.Type]:
    match kind:
        case inspect.StructType():
            yield from (field.type for field in kind.fields if field.encode_name == step)
        case inspect.DictType():
            yield kind.value_type
        case inspect.VarTupleType():
            yield kind.item_type
