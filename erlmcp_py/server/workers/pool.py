"""The workers of one server: OS processes, each with a process of the node that owns it.

The owner starts the OS process, and kills and reaps it when it ends itself, whatever the reason; so
there is no worker without an owner. While a worker has nothing to do, its owner is linked to the
server; while it works, to the process of the call. Killing the call therefore kills the work, and a
worker that dies takes its call along, with the reason.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import trio

import supervisors
from erlmcp_py.server.workers.frames import HEADER, MAX_FRAME, TooLarge, pack, unpack
from supervisors import Pid

IDLE: Final = 60.0
"""Seconds a worker is kept without work."""

_PROGRAM: Final = "erlmcp_py.server.workers.child"


class WorkerDied(Exception):
    """A worker process ended in the middle of a call."""


@dataclass(slots=True)
class _Job:
    """One call, and what became of it."""

    request: bytes
    done: trio.Event = field(default_factory=trio.Event)
    answer: tuple[Any, ...] = ()


@dataclass(slots=True)
class _Worker:
    """The owner of an OS process, as a call knows it."""

    pid: Pid | None = None
    jobs: Any = None


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
        job = _Job(pack((function.__module__, function.__qualname__, keywords)))
        worker = self._take()
        assert worker.pid is not None, "it was started"
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
            assert worker.pid is not None, "it was started"
            if supervisors.is_alive(worker.pid):
                supervisors.link(worker.pid)
                return worker
        worker = _Worker()
        worker.jobs, incoming = trio.open_memory_channel[_Job](1)
        worker.pid = supervisors.spawn_link(_own, incoming, self._server, label="worker process")
        return worker

    def _put_back(self, worker: _Worker) -> None:
        if len(self._idle) < self._most:
            self._idle.append(worker)
        else:
            worker.jobs.close()


async def _own(jobs: trio.MemoryReceiveChannel[_Job], server: Pid) -> None:
    """The life of an owner: start the OS process, hand jobs over, end it."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    try:
        while True:
            job = None
            with trio.move_on_after(IDLE):
                try:
                    job = await jobs.receive()
                except trio.EndOfChannel:
                    return
            if job is None:
                return
            supervisors.unlink(server)
            job.answer = await _ask(process, job.request)
            supervisors.link(server)
            job.done.set()
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            await _close(process)


async def _ask(process: trio.Process, request: bytes) -> tuple[Any, ...]:
    assert process.stdin is not None, "it has pipes"
    try:
        await process.stdin.send_all(request)
        (size,) = HEADER.unpack(await _receive(process, HEADER.size))
        if size > MAX_FRAME:
            raise TooLarge(f"a worker answers with {size} bytes")
        answer: tuple[Any, ...] = unpack(await _receive(process, size))
    except (trio.BrokenResourceError, EOFError):
        raise WorkerDied(f"the worker process {await _ending(process)}") from None
    return answer


async def _receive(process: trio.Process, size: int) -> bytes:
    assert process.stdout is not None, "it has pipes"
    parts = bytearray()
    while len(parts) < size:
        part = await process.stdout.receive_some(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


async def _ending(process: trio.Process) -> str:
    code = await process.wait()
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


async def _close(process: trio.Process) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            await pipe.aclose()
