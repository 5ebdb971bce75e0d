"""The process list: every process of the node, in the order an operator wants to see it.

Three orders, because three things go wrong: a mailbox that grows (``mailbox``), a
process that works too much (``messages`` since the caller's last look), and one that
keeps dying (``restarts``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import trio

from erlmcp_py.console.looks import Looks
from erlmcp_py.console.restarts import Restarts
from supervisors import Pid, ProcessInfo, current_runtime, process_info


class ProcessRow(msgspec.Struct, frozen=True):
    """One process.

    name: registered name. label: what it says it does, else None. initial_call: what it was
    started to run. state: "waiting", "runnable", "running", "suspended" or "exiting".
    mailbox: messages waiting. messages: received since the caller's last look.
    messages_total: since it started. restarts: of its place in the tree. memory: bytes,
    an estimate. uptime: seconds.
    """

    pid: str
    name: str | None
    label: str | None
    initial_call: str
    state: str
    mailbox: int
    messages: int
    messages_total: int
    restarts: int
    memory: int
    uptime: float


class ProcessList(msgspec.Struct, frozen=True):
    """Rows in the order `sorted_by`, at most as many as asked for of `total` processes.

    since: seconds since the caller's last look, None at the first (then `messages` counts
    from the start of each process).
    """

    total: int
    sorted_by: str
    since: float | None
    processes: tuple[ProcessRow, ...]


ORDERS: dict[str, Callable[[ProcessRow], tuple[Any, ...]]] = {
    "mailbox": lambda row: (-row.mailbox, -row.messages),
    "messages": lambda row: (-row.messages, -row.mailbox),
    "restarts": lambda row: (-row.restarts, -row.mailbox, -row.messages),
    "memory": lambda row: (-row.memory,),
    "uptime": lambda row: (row.uptime,),
}
"""Each order's key; `uptime` has the youngest first."""

_BATCH = 100


async def listing(
    order: str, limit: int, session: str, looks: Looks, restarts: Restarts
) -> ProcessList:
    """The first `limit` processes in `order`; takes the look of `session`.

    Gives way to other processes every hundred rows.
    """
    infos: dict[Pid, ProcessInfo] = {}
    for index, pid in enumerate(current_runtime().processes()):
        info = process_info(pid)
        if info is not None:
            infos[pid] = info
        if index % _BATCH == _BATCH - 1:
            await trio.lowlevel.checkpoint()
    counters = {pid: info.messages_in for pid, info in infos.items()}
    since, received = looks.take(session, trio.current_time(), counters)
    rows = [row_of(info, received[pid], restarts.of(pid)) for pid, info in infos.items()]
    rows.sort(key=ORDERS[order])
    return ProcessList(len(rows), order, since, tuple(rows[:limit]))


def row_of(info: ProcessInfo, messages: int, restarts: int) -> ProcessRow:
    """One row from what the kernel says about a process."""
    return ProcessRow(
        pid=str(info.pid),
        name=info.registered_name,
        label=None if info.label is None else str(info.label),
        initial_call=info.initial_call,
        state=info.status,
        mailbox=info.message_queue_len,
        messages=messages,
        messages_total=info.messages_in,
        restarts=restarts,
        memory=info.memory,
        uptime=info.uptime,
    )
