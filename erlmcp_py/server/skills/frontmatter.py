"""The YAML block at the head of a `SKILL.md`, as JSON.

It is passed on whole and has to be what its readers make of it, who verify it. They read YAML 1.2, where
`yes` and `2026-01-01` are strings and `010` is ten; so does this. What YAML can say and JSON cannot is
refused, and so are aliases, with which a few lines can stand for gigabytes.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import yaml

from erlmcp_py.server.skills.errors import BadSkill

MAX_SIZE: Final = 64 * 1024
"""Characters of a block that are read."""

_BLOCK: Final = re.compile(r"---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_NAME: Final = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


def read_frontmatter(text: str, directory: str) -> dict[str, Any]:
    """The block of a `SKILL.md`, checked. directory: the name of the one it lies in.

    Raises `BadSkill`.
    """
    found = _BLOCK.match(text.removeprefix("\ufeff"))
    if found is None:
        raise BadSkill("SKILL.md does not begin with a block of YAML between lines of ---")
    if len(found[1]) > MAX_SIZE:
        raise BadSkill(f"the frontmatter is longer than {MAX_SIZE} characters")
    try:
        value = _load(found[1])
    except RecursionError:
        raise BadSkill("the frontmatter is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as problem:
        raise BadSkill(
            f"the frontmatter cannot be read: {' '.join(str(problem).split())}"
        ) from None
    if not isinstance(value, dict):
        raise BadSkill("the frontmatter is no mapping")
    name, description = value.get("name"), value.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadSkill(
            f"name is {name!r}; it has 1 to 64 lower-case letters, digits and single hyphens"
        )
    if name != directory:
        raise BadSkill(f"name is {name!r}, but the directory is called {directory!r}")
    if not isinstance(description, str) or not description.strip():
        raise BadSkill("description is missing")
    return value


def _load(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, and of it what JSON can say."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("aliases are not allowed")
        return super().compose_node(parent, index)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise ValueError(f"the key {key!r} is no string")
        if key in value:
            raise ValueError(f"the key {key!r} is there twice")
        value[key] = loader.construct_object(value_node, deep=True)
    return value


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


def _integer(_loader: _Loader, node: yaml.ScalarNode) -> int:
    text: str = node.value
    for prefix, base in (("0x", 16), ("0o", 8)):
        if text.startswith(prefix):
            return int(text[2:], base)
    return int(text)


def _number(_loader: _Loader, node: yaml.ScalarNode) -> float:
    number = float(node.value.replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(number):
        raise ValueError(f"{node.value} has no JSON form")
    return number


def _other(_loader: _Loader, node: yaml.Node) -> Any:
    raise ValueError(f"values of type {node.tag} have no JSON form")


_Loader.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {}
_TAG: Final = "tag:yaml.org,2002:"
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), _first)
_Loader.add_constructor(_TAG + "null", lambda _loader, _node: None)
_Loader.add_constructor(_TAG + "bool", lambda _loader, node: node.value.lower() == "true")
_Loader.add_constructor(_TAG + "int", _integer)
_Loader.add_constructor(_TAG + "float", _number)
_Loader.add_constructor(_TAG + "str", lambda _loader, node: node.value)
_Loader.add_constructor(_TAG + "seq", _sequence)
_Loader.add_constructor(_TAG + "map", _mapping)
_Loader.add_constructor(None, _other)
