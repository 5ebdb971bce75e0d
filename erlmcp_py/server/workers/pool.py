"""The workers of one server: which of them takes a call, and which are kept for the next."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

import supervisors
from erlmcp_py.server.workers.frames import pack
from erlmcp_py.server.workers.owner import Job, own
from supervisors import Pid


@dataclass(frozen=True, slots=True)
class _Worker:
    """The owner of an OS process, and the way to it."""

    pid: Pid
    jobs: trio.MemorySendChannel[Job]


class Workers:
    """The workers of a server process. server: to which they are linked while they are idle."""

    __slots__ = ("_idle", "_most", "_server")

    def __init__(self, server: Pid) -> None:
        self._server = server
        self._most = os.cpu_count() or 1
        self._idle: list[_Worker] = []

    async def run(self, function: Callable[..., Any], keywords: dict[str, Any]) -> Any:
        """What `function`, named by its module and name, returns in a worker; or raises there.

        The calling process must be one that may be killed: it is linked to the worker meanwhile.
        """
        job = Job(pack((function.__module__, function.__qualname__, keywords)))
        worker = self._take()
        worker.jobs.send_nowait(job)
        await job.done.wait()
        supervisors.unlink(worker.pid)
        self._put_back(worker)
        if job.answer[0] == "returned":
            return job.answer[1]
        _, error, told = job.answer
        error.add_note(f"in a worker process:\n{told}")
        raise error

    def close(self) -> None:
        """End the workers that have nothing to do."""
        while self._idle:
            self._idle.pop().jobs.close()

    def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if supervisors.is_alive(worker.pid):
                supervisors.link(worker.pid)
                return worker
        jobs, incoming = trio.open_memory_channel[Job](1)
        pid = supervisors.spawn_link(own, incoming, self._server, label="worker process")
        return _Worker(pid, jobs)

    def _put_back(self, worker: _Worker) -> None:
        if len(self._idle) < self._most:
            self._idle.append(worker)
        else:
            worker.jobs.close()
