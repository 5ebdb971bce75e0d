"""Values checked against a JSON Schema 2020-12, and what is wrong with them in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from erlmcp_py.server.bounds import fanout_of, is_describable
from erlmcp_py.server.plain import is_plain

REPORTED_ERRORS = 5
"""Errors that are put into words; the others are counted."""

TOO_DEEP = "a value does not match its schema, and is nested too deeply to say where"

_MESSAGE_LIMIT = 200
_LONGEST_TYPO = 64


class Validator:
    """A schema that is known to be valid, compiled when it is needed for the first time."""

    __slots__ = ("_compiled", "_fanout", "_schema", "is_valid")

    def __init__(self, schema: Mapping[str, Any], fanout: int) -> None:
        self._schema = schema
        self._fanout = fanout
        self._compiled: Any = None
        self.is_valid: Callable[[Any], bool] = self._is_valid_at_last
        """Whether a value of JSON matches. Raises ValueError for what is none."""

    def compile(self) -> None:
        """Compile it now. ValueError says why it is not valid."""
        from erlmcp_py.server import engine

        self._compiled = engine.compiled(self._schema)
        self.is_valid = self._compiled.is_valid

    def _is_valid_at_last(self, instance: Any) -> bool:
        self.compile()
        return self.is_valid(instance)

    def first_error(self, instance: Any, known: Iterable[str] = ()) -> str | None:
        """One line about the first thing that is wrong: path and expectation; None if all is well.

        `known` are the property names to suggest when the root has a name that is not allowed.
        """
        try:
            if self.is_valid(instance):
                return None
        except ValueError as error:
            return shorten(str(error))
        if not self._tells(instance):
            return TOO_DEEP
        from erlmcp_py.server import engine

        return engine.first_error(self._compiled, instance, known)

    def all_errors(self, instance: Any, known: Iterable[str] = ()) -> str:
        """`first_error` for every error, by path, the first few in words and the rest counted."""
        if not self._tells(instance):
            return TOO_DEEP
        from erlmcp_py.server import engine

        if self._compiled is None:
            self.compile()
        return engine.all_errors(self._compiled, instance, known)

    def _tells(self, instance: Any) -> bool:
        return is_describable(self._fanout, instance)


def compile_schema(schema: Mapping[str, Any], where: str) -> Validator:
    """A validator; ValueError names `where` if the schema is no valid 2020-12, or over a limit."""
    try:
        validator = Validator(schema, fanout_of(schema))
        if not is_plain(schema):
            validator.compile()
    except ValueError as error:
        raise ValueError(f"{where}: not a valid JSON Schema 2020-12: {error}") from error
    return validator


def with_suggestion(name: str, known: Iterable[str]) -> str:
    """The name, and the known one that was probably meant."""
    near = get_close_matches(name, list(known), n=1) if len(name) <= _LONGEST_TYPO else ()
    return f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name)


def shorten(text: str) -> str:
    """One line of limited length; the middle goes, as the value is in front of what was expected."""
    flat = " ".join(text.split())
    half = _MESSAGE_LIMIT // 2
    return flat if len(flat) <= _MESSAGE_LIMIT else f"{flat[: half - 1]}…{flat[-half:]}"
