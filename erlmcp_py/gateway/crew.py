"""The processes that requests have: each to itself while it is at work, and afterwards the next one has it.

WHY they are kept: to begin and end a process costs more than to bring a request to a program and back. One
that has come to be tied to somebody, or was killed, is not given to another request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import supervisors
from supervisors import Pid, is_alive, process_info

KEPT: Final = 64
"""Processes of one server that wait for their next request."""

Work = Callable[..., Awaitable[bool]]
"""What is done for a request; whether its process can do more."""


class _Job:
    __slots__ = ("args", "label", "work")

    def __init__(self, label: str, work: Work, args: tuple[Any, ...]) -> None:
        self.label = label
        self.work = work
        self.args = args


class Crew:
    """Of one server; in its process."""

    def __init__(self) -> None:
        self._idle: list[Pid] = []

    def begin(self, label: str, work: Work, *args: Any) -> Pid:
        """Have a process linked to the calling one do it."""
        pid = self._free() or supervisors.spawn_link(_attend, label=label)
        supervisors.send(pid, _Job(label, work, args))
        return pid

    def _free(self) -> Pid | None:
        while self._idle:
            pid = self._idle.pop()
            if is_alive(pid):
                return pid
        return None

    def keep(self, pid: Pid) -> None:
        """It has done what it had to do, and can do more."""
        if len(self._idle) < KEPT:
            self._idle.append(pid)
        else:
            supervisors.send(pid, None)

    def lost(self, pid: Pid) -> None:
        """It has ended."""
        if pid in self._idle:
            self._idle.remove(pid)

    def dismiss(self) -> None:
        """There will be no more requests."""
        while self._idle:
            supervisors.send(self._idle.pop(), None)


def is_unattached(server: Pid) -> bool:
    """Whether the calling process is tied to nobody but its server."""
    links: tuple[Pid, ...] = process_info(supervisors.self(), "links")
    return links == (server,)


async def _attend() -> None:
    """The life of a process. What a request has brought is not kept until the next one: neither here nor among
    what the process was started with.
    """
    while True:
        job = await supervisors.receive()
        if job is None:
            return
        if type(job) is not _Job:
            continue  # that was for a request that has ended
        supervisors.set_label(job.label)
        can_do_more = await job.work(*job.args)
        job = None
        if not can_do_more:
            return
        supervisors.set_label("waits for a request")
