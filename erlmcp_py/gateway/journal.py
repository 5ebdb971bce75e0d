"""What an upstream's programs have said on standard error, and how they began and ended: the last of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

LINES: Final = 200
"""Lines that are kept of one upstream."""
LONGEST: Final = 500
"""Characters of a line."""

Kind = Literal["began", "said", "ended", "failed"]


class Line(msgspec.Struct, frozen=True):
    """at: seconds since the epoch. pid: of the program it is about, None before the first. text: its
    command, what it said, how it ended, or why the connection was lost or did not come to be.
    """

    at: float
    pid: int | None
    kind: Kind
    text: str


class Journal:
    """Of one instance; takes no room before the first line. last: the last line of each kind."""

    __slots__ = ("_lines", "_pid", "_wall_clock", "last")

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._lines: deque[Line] | None = None
        self._pid: int | None = None
        self.last: dict[Kind, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines or ())

    def began(self, pid: int, command: str) -> None:
        """A program was started; what follows is about it."""
        self._pid = pid
        self._keep("began", command)

    def said(self, text: str) -> None:
        """A line of its standard error."""
        self._keep("said", text)

    def has_said(self, text: str) -> bool:
        """Whether that is among the lines of its standard error."""
        cut = _cut(text)
        return any(line.kind == "said" and line.text == cut for line in self)

    def ended(self, pid: int, text: str) -> None:
        """This one has ended; another may have begun meanwhile."""
        self._keep("ended", text, pid)

    def failed(self, text: str) -> None:
        """Its connection was lost, or none came to be."""
        self._keep("failed", text)

    def _keep(self, kind: Kind, text: str, pid: int | None = None) -> None:
        if self._lines is None:
            self._lines = deque(maxlen=LINES)
        line = self.last[kind] = Line(self._wall_clock(), pid or self._pid, kind, _cut(text))
        self._lines.append(line)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
