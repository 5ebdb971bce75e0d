"""Resource URI templates: RFC 6570, level 4, read backwards.

To expand a template is easy, to read a URI by it is not: several values may make the same URI. The
rules here need no second try, so they are linear in the URI. Between two literals there may be several
expressions. They end where the next literal begins for the first time, the last ones where the URI's
end leaves room for the last literal; and one expression ends where a character begins the next one.
What is absent on the wire (``{?q}`` of a URI without a query) is no value, and the handler's default
applies. Names in queries may come in any order.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from erlmcp_py.server.uri.address import MAX_LENGTH, check_uri
from erlmcp_py.server.uri.expression import (
    OPERATORS,
    Expression,
    Kind,
    NoMatch,
    Value,
    Variable,
)

MAX_VARIABLES: Final = 256

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(\*)|:([1-9][0-9]{0,3}))?")

Group = tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A compiled template."""

    text: str
    variables: tuple[str, ...]
    _literals: tuple[str, ...]
    """What stands before, between and behind the groups: one more than there are groups."""
    _groups: tuple[Group, ...]
    """Expressions with nothing between them."""

    def match(self, uri: str) -> dict[str, Value] | None:
        """Variable -> decoded value, or None if `uri` is not of this form or not safe.

        What the URI leaves out is not in the result.
        """
        first, last = self._literals[0], self._literals[-1]
        end = len(uri) - len(last)
        if len(uri) > MAX_LENGTH or not (uri.startswith(first) and uri.endswith(last)):
            return None
        start = len(first)
        if start > end:
            return None
        values: dict[str, Value] = {}
        try:
            for group, literal in zip(self._groups[:-1], self._literals[1:-1], strict=True):
                found = _end_of(group, literal, uri, start, end)
                _read(group, uri[start:found], values)
                start = found + len(literal)
            if start > end:
                return None
            _read(self._groups[-1], uri[start:end], values)
        except NoMatch:
            return None
        return values

    def below(self, text: str) -> UriTemplate:
        """The same template where its address is `text`, in which only the first literal differs."""
        first = text[: len(text) - len(self.text) + len(self._literals[0])]
        return replace(self, text=text, _literals=(first, *self._literals[1:]))


def compile_template(
    text: str,
    *,
    lists: Collection[str] = (),
    dicts: Collection[str] = (),
    any_path: bool = False,
) -> UriTemplate:
    """Compile a template; ValueError says what is wrong with it.

    lists, dicts: variables with several values, or with named ones. any_path: ``{+x}`` and ``{#x}``
    may be absolute paths and go upwards.
    """
    literals: list[str] = []
    groups: list[Group] = []
    end = 0
    for matched in _EXPRESSION.finditer(text):
        expression = _expression(matched[1], text, lists, dicts, any_path=any_path)
        if groups and matched.start() == end:
            groups[-1] = _joined(groups[-1], expression, matched[0], text)
        else:
            literals.append(_literal(text[end : matched.start()], text))
            groups.append((expression,))
        end = matched.end()
    literals.append(_literal(text[end:], text))
    variables = [
        variable for group in groups for expression in group for variable in expression.variables
    ]
    if not variables:
        raise ValueError(f"{text!r} has no variables")
    if len(variables) > MAX_VARIABLES:
        raise ValueError(f"{len(variables)} variables in one template; at most {MAX_VARIABLES}")
    _check_names(groups, text)
    if len(text) > MAX_LENGTH:
        raise ValueError(f"template of {len(text)} characters; at most {MAX_LENGTH} are allowed")
    check_uri(_EXPRESSION.sub("x", text))
    names = dict.fromkeys(variable.name for variable in variables)
    return UriTemplate(text, tuple(names), tuple(literals), tuple(groups))


def _expression(
    body: str, text: str, lists: Collection[str], dicts: Collection[str], *, any_path: bool
) -> Expression:
    operator = body[:1] if body[:1] in OPERATORS else ""
    variables = []
    for part in body[len(operator) :].split(","):
        matched = _VARIABLE.fullmatch(part)
        if matched is None:
            raise ValueError(
                f"{text!r}: {{{body}}} is not supported; a variable is a name, such as {{city}}, "
                f"behind it * or :3, before the first one of {' '.join(OPERATORS)}"
            )
        name, exploded, longest = matched.groups()
        kind: Kind = "dict" if name in dicts else "list" if exploded or name in lists else "text"
        if longest and kind != "text":
            raise ValueError(f"{text!r}: {{{body}}}: only text has first characters")
        variables.append(Variable(name, kind, bool(exploded), int(longest) if longest else None))
    return Expression(operator, tuple(variables), any_path)


def _joined(group: Group, expression: Expression, shown: str, text: str) -> Group:
    if not expression.first:
        raise ValueError(f"{text!r}: put a literal before {shown}, or nobody knows where it begins")
    before = group[-1]
    continues = expression.operator == "&" and before.operator in ("?", "&")
    if continues or (expression.operator == before.operator and before.operator in "/.;"):
        variables = before.variables + expression.variables
        return (*group[:-1], Expression(before.operator, variables, before.any_path))
    return (*group, expression)


def _check_names(groups: list[Group], text: str) -> None:
    """A name may come again in its expression, if all but one are its first characters."""
    seen: set[str] = set()
    for expression in (expression for group in groups for expression in group):
        whole = [variable.name for variable in expression.variables if variable.longest is None]
        names = {variable.name for variable in expression.variables}
        twice = [name for name in names if name in seen or whole.count(name) > 1]
        if len(names) < len(expression.variables) and expression.operator in (";", "?", "&"):
            twice += [
                name for name in names if [v.name for v in expression.variables].count(name) > 1
            ]
        if twice:
            raise ValueError(f"{text!r}: variable {min(twice)!r} occurs twice")
        seen |= names


def _literal(part: str, text: str) -> str:
    if "{" in part or "}" in part:
        raise ValueError(f"{text!r}: unbalanced brace")
    return part


def _end_of(group: Group, literal: str, uri: str, start: int, end: int) -> int:
    """Where the literal behind a group begins: behind a character of it, if there is one."""
    found = uri.find(literal, start + 1, end)
    if found < 0 and group[0].first:
        found = start if uri.startswith(literal, start) else -1
    if found < 0:
        raise NoMatch
    return found


def _read(group: Group, text: str, values: dict[str, Value]) -> None:
    """Share a text out to the expressions of a group, by the characters they begin with."""
    at, position = 0, 0
    while at < len(group):
        expression = group[at]
        if expression.first and not text.startswith(expression.first, position):
            at += 1
            continue
        stop = len(text)
        then = len(group)
        for number, later in enumerate(group[at + 1 :], at + 1):
            found = text.find(later.first, position + 1, stop)
            if found >= 0:
                stop, then = found, number
        values.update(expression.read(text[position:stop]))
        position, at = stop, then
    if position < len(text):
        raise NoMatch
