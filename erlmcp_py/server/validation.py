"""Values checked against a JSON Schema 2020-12, and what is wrong with them in words.

No schema may reach the network (MCP 2026-07-28: implementations MUST NOT dereference network
`$ref`s): the retriever refuses every address, so such a schema fails when it is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import jsonschema_rs

from erlmcp_py.server.bounds import fanout_of, is_describable

REPORTED_ERRORS = 5
"""Errors that are put into words; the others are counted."""

TOO_DEEP = "a value does not match its schema, and is nested too deeply to say where"

_MESSAGE_LIMIT = 200
_LONGEST_TYPO = 64


class Validator:
    """A compiled schema."""

    __slots__ = ("_compiled", "_fanout", "is_valid")

    def __init__(self, compiled: Any, fanout: int) -> None:
        self._compiled = compiled
        self._fanout = fanout
        self.is_valid = compiled.is_valid
        """Whether a value of JSON matches. Raises ValueError for what is none."""

    def first_error(self, instance: Any, known: Iterable[str] = ()) -> str | None:
        """One line about the first thing that is wrong: path and expectation; None if all is well.

        `known` are the property names to suggest when the root has a name that is not allowed.
        """
        try:
            if self.is_valid(instance):
                return None
        except ValueError as error:
            return shorten(str(error))
        return _first(self._compiled, instance, known) if self._tells(instance) else TOO_DEEP

    def all_errors(self, instance: Any, known: Iterable[str] = ()) -> str:
        """`first_error` for every error, by path, the first few in words and the rest counted."""
        return _all(self._compiled, instance, known) if self._tells(instance) else TOO_DEEP

    def _tells(self, instance: Any) -> bool:
        return is_describable(self._fanout, instance)


def compile_schema(schema: Mapping[str, Any], where: str) -> Validator:
    """A validator; ValueError names `where` if the schema is no valid 2020-12, or over a limit."""
    try:
        compiled = jsonschema_rs.Draft202012Validator(dict(schema), retriever=_refuse_reference)
        return Validator(compiled, fanout_of(schema))
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = getattr(error, "message", None) or str(error).partition("\n")[0]
        raise ValueError(f"{where}: not a valid JSON Schema 2020-12: {reason}") from error


def _first(compiled: Any, instance: Any, known: Iterable[str]) -> str | None:
    try:
        compiled.validate(instance)
    except jsonschema_rs.ValidationError as error:
        return _describe(error, known)
    except ValueError as error:
        return shorten(str(error))
    return None


def _all(compiled: Any, instance: Any, known: Iterable[str]) -> str:
    errors = sorted(
        (_sortable(error.instance_path), _describe(error, known))
        for error in compiled.iter_errors(instance)
    )
    texts = [text for _, text in errors[:REPORTED_ERRORS]]
    if len(errors) > len(texts):
        texts.append(f"and {len(errors) - len(texts)} more")
    return "; ".join(texts)


def _sortable(path: list[str | int]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in path]


def _describe(error: Any, known: Iterable[str]) -> str:
    path = _path(error.instance_path)
    prefix = f"{path}: " if path else ""
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return shorten(f"{prefix}missing required {_noun(path)} {kind.property!r}")
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        near = () if path else known
        names = [with_suggestion(name, near) for name in kind.unexpected[:REPORTED_ERRORS]]
        return shorten(f"{prefix}unknown {_noun(path)} {', '.join(names)}")
    return shorten(f"{prefix}{error.message}")


def _noun(path: str) -> str:
    return "property" if path else "argument"


def with_suggestion(name: str, known: Iterable[str]) -> str:
    """The name, and the known one that was probably meant."""
    near = get_close_matches(name, list(known), n=1) if len(name) <= _LONGEST_TYPO else ()
    return f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name)


def _path(parts: list[str | int]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def shorten(text: str) -> str:
    """One line of limited length; the middle goes, as the value is in front of what was expected."""
    flat = " ".join(text.split())
    half = _MESSAGE_LIMIT // 2
    return flat if len(flat) <= _MESSAGE_LIMIT else f"{flat[: half - 1]}…{flat[-half:]}"


def _refuse_reference(uri: str) -> Any:
    raise ValueError(f"references are resolved within the schema only, not from {uri}")
