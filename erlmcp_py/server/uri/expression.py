"""One expression of a URI template, ``{?q,tags*}``, and what its part of a URI says.

An operator tells what the part begins with, what stands between values, whether they have names, and
whether characters with a meaning in URIs may be in them (RFC 6570, 3.2 and appendix A).

What a variable decodes to ends up in handlers that open files and build queries. A value that could
leave its place (a separator, ``.`` or ``..``, a control character) therefore does not match at all:
the resource is unknown, and no handler sees it. Only ``{+x}`` and ``{#x}`` take slashes, and they do
not lead upwards or to the root either, unless the author says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

Value = str | list[str] | dict[str, str]
"""A variable's: a list or dictionary where the handler's hint says so."""

Kind = Literal["text", "list", "dict"]

OPERATORS: Final = "+#./;?&"

_FIRST: Final = {"": "", "+": ""}
_SEPARATORS: Final = {"": ",", "+": ",", "#": ",", ".": ".", "/": "/", ";": ";", "?": "&", "&": "&"}
_NAMED: Final = frozenset(";?&")
_RESERVED: Final = frozenset("+#")
_DELIMITER: Final = re.compile(r"[/?#]")
_UNSAFE: Final = re.compile(r"[/\\\x00-\x1f\x7f]")
_UNSAFE_PATH: Final = re.compile(r"[\\\x00-\x1f\x7f]|\A/|\A[A-Za-z]:|(?:\A|/)\.{1,2}(?:/|\Z)")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class NoMatch(Exception):
    """The part does not have the form of the expression, or is not safe."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it stands in an expression. longest: characters of it, with ``{x:3}``."""

    name: str
    kind: Kind = "text"
    exploded: bool = False
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """An operator and its variables. any_path: `Server.resource` says what it means."""

    operator: str
    variables: tuple[Variable, ...]
    any_path: bool = False

    @property
    def first(self) -> str:
        """The character its part of a URI begins with; "" if it has none, and must not be empty."""
        return _FIRST.get(self.operator, self.operator)

    def read(self, part: str) -> dict[str, Value]:
        """The values in its part of a URI, which begins with `first` or is empty. `NoMatch`."""
        if not part:
            if not self.first:
                raise NoMatch
            return {}
        text = part[len(self.first) :]
        if self.operator in _NAMED:
            return self._named(text.split(_SEPARATORS[self.operator]))
        return self._unnamed(text)

    def _named(self, items: list[str]) -> dict[str, Value]:
        known = {variable.name: variable for variable in self.variables}
        others = next((v for v in self.variables if v.kind == "dict" and v.exploded), None)
        given: dict[str, list[str]] = {}
        pairs: dict[str, str] = {}
        for item in items:
            name, _, value = item.partition("=")
            if name in known and known[name] is not others:
                given.setdefault(name, []).append(value)
                continue
            key = self._decoded(name)
            if others is None or key in pairs:
                raise NoMatch
            pairs[key] = self._decoded(value)
        values: dict[str, Value] = {}
        for name, texts in given.items():
            variable = known[name]
            if variable.exploded:
                values[name] = [self._decoded(text) for text in texts]
            elif len(texts) == 1:
                values[name] = self._value(variable, texts[0])
            else:
                raise NoMatch
        if others is not None and pairs:
            values[others.name] = pairs
        return values

    def _unnamed(self, text: str) -> dict[str, Value]:
        separator = _SEPARATORS[self.operator]
        if len(self.variables) == 1 and not self.variables[0].exploded:
            return {self.variables[0].name: self._value(self.variables[0], text)}
        items = text.split(separator)
        values: dict[str, Value] = {}
        for number, variable in enumerate(self.variables, 1):
            if not items:
                break
            if variable.exploded:
                rest = len(self.variables) - number
                taken = items[: max(len(items) - rest, 1)]
                items = items[len(taken) :]
                _agree(values, variable, self._several(variable, taken, pairs_by="="))
            else:
                _agree(values, variable, self._value(variable, items.pop(0)))
        if items:
            raise NoMatch
        return values

    def _value(self, variable: Variable, text: str) -> Value:
        if variable.kind != "text":
            return self._several(variable, text.split(","), pairs_by="")
        value = self._decoded(text)
        if variable.longest is not None and len(value) > variable.longest:
            raise NoMatch
        return value

    def _several(self, variable: Variable, items: list[str], *, pairs_by: str) -> Value:
        if variable.kind != "dict":
            return [self._decoded(item) for item in items]
        if pairs_by:
            split = [item.partition(pairs_by) for item in items]
            if not all(mark for _, mark, _ in split):
                raise NoMatch
            pairs = [(key, value) for key, _, value in split]
        else:
            if len(items) % 2:
                raise NoMatch
            pairs = list(zip(items[::2], items[1::2], strict=True))
        decoded = {self._decoded(key): self._decoded(value) for key, value in pairs}
        if len(decoded) < len(pairs):
            raise NoMatch
        return decoded

    def _decoded(self, encoded: str) -> str:
        reserved = self.operator in _RESERVED
        if not reserved and _DELIMITER.search(encoded):
            raise NoMatch
        if not encoded and self.operator in ("", "/"):
            raise NoMatch
        try:
            value = unquote(encoded, errors="strict")
        except UnicodeDecodeError:
            raise NoMatch from None
        unsafe = _UNSAFE
        if reserved:
            unsafe = _CONTROL if self.any_path else _UNSAFE_PATH
        if unsafe.search(value) or (not reserved and value in (".", "..")):
            raise NoMatch
        if self.operator == "/" and _DRIVE.match(value):
            raise NoMatch
        return value


def _agree(values: dict[str, Value], variable: Variable, value: Value) -> None:
    """A variable may stand there again, once whole and otherwise by its first characters."""
    known = values.get(variable.name)
    if known is None:
        values[variable.name] = value
        return
    if not isinstance(known, str) or not isinstance(value, str):
        raise NoMatch
    longer, shorter = (known, value) if len(known) >= len(value) else (value, known)
    if not longer.startswith(shorter):
        raise NoMatch
    values[variable.name] = longer
