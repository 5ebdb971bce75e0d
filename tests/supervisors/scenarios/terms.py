"""Values of ours as Erlang terms on one line, the way ``io_lib:format("~0tp", [T])`` prints.

Atoms are `str`, tuples `{..}`, lists `[..]`, `None` is `undefined`. Pids print as the name
they were introduced under, references as `'$ref'`, functions as `'$fun'`, stack traces as
`'$stack'`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from supervisors import Pid, Ref, Stack

_PLAIN_ATOM = re.compile(r"[a-z][A-Za-z0-9_@]*")
_RESERVED = re.compile(
    "after|and|andalso|band|begin|bnot|bor|bsl|bsr|bxor|case|catch|cond|div|else|end|fun|if|let|"
    "maybe|not|of|or|orelse|receive|rem|try|when|xor"
)
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}


class Text(str):
    """A string, printed in double quotes; a bare `str` is an atom."""


class ErlangError(Exception):
    """Raised in scenarios where Erlang calls ``error(term)``; prints as its term."""

    def __init__(self, term: Any) -> None:
        super().__init__(term)
        self.term = term


def atom(name: str) -> str:
    if _PLAIN_ATOM.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    return "'" + "".join(_ESCAPES.get(c, "\\'" if c == "'" else c) for c in name) + "'"


def render(term: Any, names: Mapping[Pid, str]) -> str:
    """`term` as Erlang prints it."""

    def sequence(items: Any) -> str:
        return ",".join(render(item, names) for item in items)

    match term:
        case Text():
            return '"' + "".join(_ESCAPES.get(c, '\\"' if c == '"' else c) for c in term) + '"'
        case str():
            return atom(term)
        case bool():
            return "true" if term else "false"
        case None:
            return "undefined"
        case int() | float():
            return repr(term)
        case tuple():
            return "{" + sequence(term) + "}"
        case list():
            return "[" + sequence(term) + "]"
        case dict():
            pairs = (f"{render(k, names)} => {render(v, names)}" for k, v in term.items())
            return "#{" + ",".join(pairs) + "}"
        case Pid():
            return atom(names.get(term, "$pid"))
        case Ref():
            return "'$ref'"
        case Stack():
            return "'$stack'"
        case ErlangError():
            return render(term.term, names)
        case BaseException():
            return atom(type(term).__name__)
    if callable(term):
        return "'$fun'"
    raise TypeError(f"{term!r} has no Erlang term; scenarios use plain values")
