"""The process of a worker that keeps in touch with the parent: it tells how the node is, and ends
the node when the parent says so or is gone.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio
from trio.lowlevel import wait_readable

from erlmcp_py.guards import drain
from erlmcp_py.workers.orders import BEAT, Beat, Finish, Report, decode_finish, encode
from supervisors import ChildSpec, Pid, register, set_label, spawn_link

NAME: Final = "superior"
_IMPATIENT: Final = 0.1
"""Seconds between two reports until the health of the node is known."""


class Line:
    """The two pipes to the parent. lifeline: readable when it ends. reports: takes lines."""

    def __init__(self, lifeline: int, reports: int) -> None:
        self._lifeline = lifeline
        self._reports = reports
        for descriptor in (lifeline, reports):
            os.set_blocking(descriptor, False)

    def tell(self, report: Report) -> None:
        """Write a report; a parent that is too busy to read misses one, a dead one misses them all."""
        try:
            os.write(self._reports, encode(report))
        except (BlockingIOError, BrokenPipeError):
            return

    async def hear(self) -> Finish | None:
        """What the parent says next; None at the end of the lifeline."""
        while True:
            await wait_readable(self._lifeline)
            try:
                # Shorter than what a pipe takes in one piece.
                said = os.read(self._lifeline, 4096)
            except BlockingIOError:
                continue
            return decode_finish(said) if said else None


def child_spec(
    line: Line, health: Callable[[], Awaitable[Any]], stop: Callable[[str], object]
) -> ChildSpec:
    """health: asked every time, has a `status`. stop: called once with the reason, returns at once."""
    return ChildSpec(NAME, (_start, (line, health, stop)))


async def _start(
    line: Line, health: Callable[[], Awaitable[Any]], stop: Callable[[str], object]
) -> Pid:
    pid = spawn_link(_live, line, health, stop)
    register(NAME, pid)
    return pid


async def _live(
    line: Line, health: Callable[[], Awaitable[Any]], stop: Callable[[str], object]
) -> None:
    set_label("tells the parent")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beat, line, health)
        while (order := await line.hear()) is not None:
            await drain.begin("the parent has said so", order.deadline, shared=False)
        nursery.cancel_scope.cancel()
    stop("its parent has said so, or has ended")
    await trio.sleep_forever()


async def _beat(line: Line, health: Callable[[], Awaitable[Any]]) -> None:
    while True:
        status = (await health()).status
        going = await drain.status()
        if going is None:
            line.tell(Beat(status))
        else:
            line.tell(Beat("draining", going.requests))
        await trio.sleep(_IMPATIENT if status == "unknown" else BEAT)
