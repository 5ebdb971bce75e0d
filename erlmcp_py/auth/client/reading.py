"""JSON documents of strangers, as types."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class NoDocument(Exception):
    """The bytes are no JSON object of that type; its text says where, and repeats nothing of it."""


def read_object(body: bytes, type: type[T]) -> T:
    """A member that is null counts as one that is not there: many servers write all they know of.

    Raises NoDocument.
    """
    try:
        found: Any = msgspec.json.decode(body)
        if not isinstance(found, dict):
            raise NoDocument("it is no object")
        present = {name: value for name, value in found.items() if value is not None}
        return msgspec.convert(present, type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise NoDocument(str(problem)) from None
