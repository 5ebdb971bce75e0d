"""The core of a node inside a host's trio loop: started, watched, and stopped in order.

It has a runtime of its own, so nothing that the host does with `supervisors` itself is in the way. What
watches a machine (the log writer, alarms, the console) is left to the host: reports go to Python's logging,
under ``erlmcp_py``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from erlmcp_py.application import start_node
from erlmcp_py.node import describe_start_error
from erlmcp_py.telemetry.entry import describe
from erlmcp_py.tree import Specs
from supervisors import (
    ApplicationError,
    Report,
    Runtime,
    application,
    format_reason,
    receive,
    send,
    spawn,
)

logger: Final = logging.getLogger("erlmcp_py")

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "audit": logging.INFO,
}
_STOPPING: Final = 10.0
"""Seconds that the tree has to stop in order, also when the host is cancelled."""


class StartFailed(Exception):
    """The servers could not be started; the message says why."""


class _Life:
    """What the tasks of one node tell each other. problem: why it could not be started."""

    def __init__(self, children: Specs, on_end: Callable[[str], object]) -> None:
        self.children = children
        self.on_end = on_end
        self.decided = trio.Event()
        self.stop = trio.Event()
        self.over = trio.Event()
        self.problem: str | None = None


@asynccontextmanager
async def embedded(
    node: str, children: Specs, on_end: Callable[[str], object]
) -> AsyncIterator[Runtime]:
    """Run the children as a node, as long as the block does.

    on_end: told why, if the tree gives up before that. Raises StartFailed.

    WHY a task of its own: the processes shall not end with a host that is cancelled, but in order, and a
    host that is a process itself shall stay who it is.
    """
    life = _Life(children, on_end)
    manager = trio.open_nursery()
    nursery = await manager.__aenter__()
    try:
        runtime: Runtime = await nursery.start(_keep, node, life)
        if life.problem is not None:
            raise StartFailed(life.problem)
        yield runtime
    finally:
        life.stop.set()
        # Without what the block has raised: that leaves as it is, not in a group.
        await manager.__aexit__(None, None, None)


async def _keep(node: str, life: _Life, *, task_status: trio.TaskStatus[Runtime]) -> None:
    """Hold the runtime open until the host has enough of it."""
    with trio.CancelScope(shield=True):
        async with Runtime(node) as runtime:
            runtime.subscribe(_to_logging)
            top = spawn(_live, life, label="main")
            await life.decided.wait()
            task_status.started(runtime)
            await life.stop.wait()
            send(top, "stop")
            with trio.move_on_after(_STOPPING):
                await life.over.wait()


async def _live(life: _Life) -> None:
    """The process at the top."""

    def gave_up(reason: object) -> None:
        life.on_end(f"its servers were restarted too often: {format_reason(reason)}")

    try:
        await application.on_node_down(gave_up)
        await start_node(life.children)
    except ApplicationError as error:
        match error.reason:
            case (inner, (_, "start", _)):
                life.problem = describe_start_error(inner)
            case reason:
                life.problem = format_reason(reason)
    finally:
        life.decided.set()
    if life.problem is None:
        while await receive() != "stop":
            pass
        await application.stop_all()
    life.over.set()


def _to_logging(report: Report) -> None:
    at = time.time()
    try:
        entries = list(describe(report, at))
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        logger.error("a %s that cannot be shown: %s", type(report).__name__, type(error).__name__)
        return
    for entry in entries:
        logger.log(_LEVELS[entry.level], "%s %s", entry.pid or "-", entry.text)
