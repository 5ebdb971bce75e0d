"""Standard error of a program: read line by line by a process linked to the owner, so a program that
fills it cannot stand still because its owner is busy.
"""

from __future__ import annotations

from typing import Final

import trio

from erlmcp_py.ports import pipes
from erlmcp_py.ports.lines import Lines
from supervisors import spawn_link

_AT_ONCE: Final = 8 * 1024
"""Bytes that are read at once. WHY few: what takes the lines is called for all of them in one turn."""


class StandardError:
    """descriptor: the node's end, non-blocking; -1 once closed. at_end: set when every line has been
    told, which is when nobody has the other end open any more, or when its reader has ended.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.at_end = trio.Event()

    def start(self, pid: int, lines: Lines) -> None:
        """Have a process linked to the caller feed them. pid: the program's."""
        spawn_link(self._read, lines, label=f"stderr of {pid}")

    def close(self) -> None:
        """Close it; a reader ends."""
        descriptor, self.descriptor = self.descriptor, -1
        pipes.close(descriptor)

    async def _read(self, lines: Lines) -> None:
        try:
            while data := await self._more():
                lines.feed(data)
            lines.finish()
        finally:
            self.at_end.set()

    async def _more(self) -> bytes:
        try:
            return await pipes.read_some(self.descriptor, _AT_ONCE)
        except (trio.ClosedResourceError, OSError):
            return b""  # the port has closed it: a daemon of the program still has it open
