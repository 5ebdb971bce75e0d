"""JSON with comments and trailing commas, as editors take it for their settings."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/|(?P<comma>,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[\]}]))""",
    re.S,
)


class Twice(ValueError):
    """A key of an object, of which nobody could say which one counts; the message is the key."""


def read_jsonc(text: str) -> Any:
    """The value. Raises ValueError, whose places are those of the text, and `Twice`."""
    return json.loads(_TOKEN.sub(_blank, text), object_pairs_hook=_once)


def _blank(found: re.Match[str]) -> str:
    """Texts as they are; everything else as long as it was, so that lines and columns stay."""
    return found["text"] or re.sub(r"[^\n]", " ", found[0])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise Twice(next(key for key in keys if keys.count(key) > 1))
    return found
