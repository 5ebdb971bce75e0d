"""Standard output of a program: it ends when everybody has closed it, and soon after the program has.

WHY not with the last who has it open alone: a daemon that the program has started, and that nobody waits
for, may have it open for ever. Whoever reads would never hear that the program has crashed.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from typing import Final

import trio
from trio.lowlevel import notify_closing, wait_readable

from erlmcp_py.ports import pipes

LAST_OUTPUT: Final = 0.5
"""Seconds in which those whom a program has left behind (`tee`) may pass on what it wrote last."""


class StandardOutput:
    """descriptor: the node's end, non-blocking; -1 once closed."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._left: int | None = None
        """Bytes that may still be read; None: as many as come."""

    @property
    def was_cut(self) -> bool:
        """Whether it ends although somebody has it open."""
        return self._left is not None

    async def read(self, size: int) -> bytes:
        """What there is, at most `size` bytes; empty at the end. Raises ClosedResourceError once closed."""
        while self._left is None:
            pipes.check_open(self.descriptor)
            try:
                await wait_readable(self.descriptor)
            except trio.ClosedResourceError:
                continue  # it is closed, or at its end
            if self._left is None:
                try:
                    return os.read(self.descriptor, size)
                except BlockingIOError:
                    continue
        return await self._rest(self._left, size)

    async def _rest(self, left: int, size: int) -> bytes:
        pipes.check_open(self.descriptor)
        await trio.lowlevel.checkpoint()
        try:
            data = os.read(self.descriptor, min(left, size)) if left else b""
        except BlockingIOError:
            data = b""  # somebody else has read it
        self._left = left - len(data) if data else 0
        return data

    def finish(self) -> None:
        """What has been written so far is the last."""
        if self.descriptor >= 0 and self._left is None:
            room = fcntl.ioctl(self.descriptor, termios.FIONREAD, bytes(4))
            (self._left,) = struct.unpack("i", room)
            notify_closing(self.descriptor)

    def close(self) -> None:
        """Close it."""
        descriptor, self.descriptor = self.descriptor, -1
        pipes.close(descriptor)
