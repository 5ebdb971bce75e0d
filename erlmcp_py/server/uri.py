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
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A compiled template."""

    text: str
    variables: tuple[str, ...]
    _pattern: re.Pattern[str]

    def match(self, uri: str) -> dict[str, str] | None:
        """Variable -> decoded value, or None if `uri` is not of this form or not safe."""
        if len(uri) > MAX_LENGTH:
            return None
        matched = self._pattern.fullmatch(uri)
        if matched is None:
            return None
        values: dict[str, str] = {}
        for name, encoded in matched.groupdict().items():
            value = _decode(encoded)
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
    pattern = ""
    end = 0
    for matched in _EXPRESSION.finditer(text):
        pattern += re.escape(_literal(text[end : matched.start()], text))
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
        pattern += f"(?P<{name}>[^/?#]+)"
        end = matched.end()
    pattern += re.escape(_literal(text[end:], text))
    if len(names) > MAX_VARIABLES:
        raise ValueError(f"{len(names)} variables in one template; at most {MAX_VARIABLES}")
    check_uri(_EXPRESSION.sub("x", text))
    return UriTemplate(text, tuple(names), re.compile(pattern))


def _literal(part: str, text: str) -> str:
    if "{" in part or "}" in part:
        raise ValueError(f"{text!r}: unbalanced brace")
    return part


def _decode(encoded: str) -> str | None:
    try:
        value = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return None
    if value in (".", "..") or _UNSAFE.search(value):
        return None
    return value
