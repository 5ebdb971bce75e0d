"""JSON on standard output."""

from __future__ import annotations

import re
from typing import Any, Final

import click
import msgspec

from erlmcp_py.console.render import json_text

_CONTROL: Final = re.compile("[\x7f-\x9f]")
"""What a terminal obeys, and JSON may hold as it is."""


def print_json(value: Any) -> None:
    """`value` as indented JSON, without anything that a terminal would obey."""
    click.echo(_safe(json_text(value)))


def print_line(value: Any) -> None:
    """The same in one line."""
    click.echo(_safe(msgspec.json.encode(value).decode()))


def _safe(text: str) -> str:
    """The same JSON. Control characters stand in its strings only, where they can be escaped."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
