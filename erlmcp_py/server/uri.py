"""Resource URI templates: RFC 6570 level 1, read backwards.

A template such as `weather://{city}/current` expands `{city}` to a percent-encoded value, so a
value on the wire never holds a `/`, `?` or `#`; a URI matches if each variable stands for one such
run of characters, at least one long.

What a variable decodes to ends up in handlers that open files and build queries. A decoded value
that could leave its place (a separator, `.` or `..`, a control character) therefore does not match
at all: the resource is unknown, and no handler sees it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAX_LENGTH = 8192
"""Longest URI or template, in characters."""
MAX_VARIABLES = 256

_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LITERAL = re.compile(r"[!#$&'()*+,\-./0-9:;=?@A-Z_a-z~%\[\]]*")
_DELIMITER = re.compile(r"[/?#]")
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A compiled template."""

    text: str
    variables: tuple[str, ...]
    _literals: tuple[str, ...]
    """What stands before, between and behind the variables: one more than there are variables."""

    def match(self, uri: str) -> dict[str, str] | None:
        """Variable -> decoded value, or None if `uri` is not of this form or not safe.

        A variable ends where the literal behind it begins for the first time, the last one where
        the URI's end leaves room for the last literal: no backtracking, so linear in the URI.
        """
        first, *between = self._literals[:-1]
        last = self._literals[-1]
        end = len(uri) - len(last)
        if len(uri) > MAX_LENGTH or not (uri.startswith(first) and uri.endswith(last)):
            return None
        encoded: list[str] = []
        start = len(first)
        for literal in between:
            found = uri.find(literal, start + 1, end)
            if found < 0:
                return None
            encoded.append(uri[start:found])
            start = found + len(literal)
        encoded.append(uri[start:end])
        values: dict[str, str] = {}
        for name, text in zip(self.variables, encoded, strict=True):
            value = _decode(text)
            if value is None:
                return None
            values[name] = value
        return values


def is_template(text: str) -> bool:
    """Whether a resource's address has variables."""
    return "{" in text or "}" in text


def check_uri(text: str) -> None:
    """ValueError unless `text` is an absolute URI without variables."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"URI of {len(text)} characters; at most {MAX_LENGTH} are allowed")
    if not _LITERAL.fullmatch(text):
        raise ValueError(f"{text!r} has characters that a URI must percent-encode")
    try:
        scheme = urlsplit(text).scheme
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URI: {error}") from None
    if not scheme:
        raise ValueError(f"{text!r} has no scheme; write for example 'config://{text}'")


def compile_template(text: str) -> UriTemplate:
    """Compile a level 1 template; ValueError says which part is outside of that."""
    names: list[str] = []
    literals: list[str] = []
    end = 0
    for matched in _EXPRESSION.finditer(text):
        literals.append(_literal(text[end : matched.start()], text))
        if names and matched.start() == end:
            raise ValueError(f"{text!r}: put a literal between {{{names[-1]}}} and {matched[0]}")
        name = matched[1]
        if not _VARIABLE.fullmatch(name):
            raise ValueError(
                f"{text!r}: {matched[0]} is not supported; a variable is a name, such as {{city}}"
            )
        if name in names:
            raise ValueError(f"{text!r}: variable {name!r} occurs twice")
        names.append(name)
        end = matched.end()
    literals.append(_literal(text[end:], text))
    if not names:
        raise ValueError(f"{text!r} has no variables")
    if len(names) > MAX_VARIABLES:
        raise ValueError(f"{len(names)} variables in one template; at most {MAX_VARIABLES}")
    check_uri(_EXPRESSION.sub("x", text))
    return UriTemplate(text, tuple(names), tuple(literals))


def _literal(part: str, text: str) -> str:
    if "{" in part or "}" in part:
        raise ValueError(f"{text!r}: unbalanced brace")
    return part


def _decode(encoded: str) -> str | None:
    if not encoded or _DELIMITER.search(encoded):
        return None
    try:
        value = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return None
    if value in (".", "..") or _UNSAFE.search(value):
        return None
    return value
