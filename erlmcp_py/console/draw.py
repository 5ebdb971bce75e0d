"""Small pieces of text: durations, sizes, and what a node says made safe for a terminal.

Everything a node sends can hold what a stranger sent to the node: a label, a message, a
state. A terminal obeys escape sequences wherever they come from, so all of it passes
through `clean`.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(value: object) -> str:
    """`value` as text, control characters other than tab and newline made visible."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))


def duration(seconds: float | None) -> str:
    """``"340ms"``, ``"12.3s"``, ``"4m05s"``, ``"3h12m"``, ``"5d07h"``; "-" for None."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    for size, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if whole >= size:
            return f"{whole // size}{name}{whole % size // part:02d}{part_name}"
    return f"{whole // 60}m{whole % 60:02d}s"


def size(count: float | None) -> str:
    """``"712B"``, ``"3.4K"``, ``"45.0M"``; "-" for None."""
    if count is None:
        return "-"
    for unit in ("B", "K", "M", "G"):
        if count < 1024:
            return f"{count:.0f}{unit}" if unit == "B" else f"{count:.1f}{unit}"
        count /= 1024
    return f"{count:.1f}T"


def dash(value: object) -> str:
    """`value` cleaned, "-" for None."""
    return "-" if value is None else clean(value)
