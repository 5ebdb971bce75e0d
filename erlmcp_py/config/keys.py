"""Which keys there are, and which one was meant."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Final, TypeAlias, Union, get_origin

import msgspec

from erlmcp_py.config.upstreams import AuthConfig, UpstreamConfig
from erlmcp_py.config.values import Section, Table
from erlmcp_py.config.whole import Config

KeyPath: TypeAlias = tuple[str, ...]


def paths(table: Table, above: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of a document as a path; the tables of a list count as one."""
    for key, value in table.items():
        path = (*above, key)
        yield path
        for inner in value if isinstance(value, list) else (value,):
            if isinstance(inner, dict):
                yield from paths(inner, path)


def shape(path: KeyPath) -> KeyPath:
    """A path with NAME for the name of an upstream, and without names that are the user's own."""
    if len(path) < 2 or path[0] != "upstreams":
        return path
    free = (each for each in _FREE if path[2 : 2 + len(each)] == each)
    return (*_UPSTREAM, *next(free, path[2:]))


def nearest(path: KeyPath) -> KeyPath | None:
    """The valid path most like a wrong one, in the same upstream if it is in one."""
    found = _nearest(shape(path))
    if found is not None and shape(path)[:2] == found[:2] == _UPSTREAM:
        return (*path[:2], *found[2:])
    return found


def _nearest(path: KeyPath) -> KeyPath | None:
    """Of a `shape`: same table first, then the same key elsewhere."""
    from difflib import get_close_matches

    valid = {".".join(p): p for p in (*TABLES, *KEYS)}
    siblings = [name for name, p in valid.items() if p[:-1] == path[:-1]]
    leaves = [name for name, p in valid.items() if p[-1] == path[-1]]
    if len(path) == 1:
        del leaves[1:]  # of several tables the first is the likeliest, however long its name
    wrong = ".".join(path)
    for candidates, cutoff in ((siblings, 0.6), (leaves, 0.0), (list(valid), 0.6)):
        found = get_close_matches(wrong, candidates, n=1, cutoff=cutoff)
        if found:
            return valid[found[0]]
    return None


def _outline(
    section: type[Section], above: KeyPath = ()
) -> tuple[dict[KeyPath, bool], set[KeyPath]]:
    """Every key's path with whether it holds a plain string, and every table's path."""
    keys: dict[KeyPath, bool] = {}
    tables: set[KeyPath] = set()
    for field in msgspec.structs.fields(section):
        path = (*above, field.encode_name)
        is_list = isinstance(field.default, tuple) and len(field.default) > 0
        example = field.default[0] if is_list else field.default
        if isinstance(example, Section):
            tables.add(path)
            inner_keys, inner_tables = _outline(type(example), path)
            keys |= inner_keys
            tables |= inner_tables
        else:
            several = get_origin(field.type) in (Union, UnionType)  # a number or "off"
            keys[path] = isinstance(field.default, str) and not several
    return keys, tables


_UPSTREAM: Final = ("upstreams", "NAME")
_FREE: Final = (("env",), ("rename",), ("headers",), ("auth", "client_secret"))
"""Values of an upstream that may be tables whose keys are not looked at here."""
KEYS, TABLES = _outline(Config)
_OF_UPSTREAM = _outline(UpstreamConfig, _UPSTREAM)
_AUTH: Final = (*_UPSTREAM, "auth")
KEYS |= _OF_UPSTREAM[0] | _outline(AuthConfig, _AUTH)[0]
TABLES |= {("upstreams",), _UPSTREAM, _AUTH, *_OF_UPSTREAM[1]}
