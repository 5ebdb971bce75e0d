"""The process of the node that owns a worker: starts it, hands calls over, one at a time, ends it.

While the worker has nothing to do, its owner is linked to the server; while it works, to the process
of the call. Killing the call therefore kills the work, with all the processes it has started, and a
worker that dies takes its call along, with the reason.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Any, Final

import trio

import supervisors
from erlmcp_py.ports import Command, Graces, Port, open_port
from erlmcp_py.server.workers.frames import HEADER, MAX_FRAME, TooLarge, unpack
from supervisors import Pid

IDLE: Final = 60.0
"""Seconds a worker is kept without work."""

_PROGRAM: Final = "erlmcp_py.server.workers.child"
_AT_ONCE: Final = Graces(close=0.0, term=0.0)
"""Nobody waits for what a worker still does when it is ended."""


class WorkerDied(Exception):
    """A worker process ended in the middle of a call."""


@dataclass(slots=True)
class Job:
    """One call, and what became of it. request: what `frames` has packed."""

    request: bytes
    done: trio.Event = field(default_factory=trio.Event)
    answer: tuple[Any, ...] = ()


async def own(jobs: trio.MemoryReceiveChannel[Job], server: Pid) -> None:
    """The life of an owner, until `jobs` ends or is quiet for long, or the worker dies."""
    command = Command(
        argv=(sys.executable, "-m", _PROGRAM),
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    async with open_port(command, graces=_AT_ONCE) as port:
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
            job.answer = await _ask(port, job.request)
            supervisors.link(server)
            job.done.set()


async def _ask(port: Port, request: bytes) -> tuple[Any, ...]:
    try:
        await port.write(request)
        answer: tuple[Any, ...] = unpack(await _receive(port))
    except (BrokenPipeError, EOFError):
        raise WorkerDied(f"the worker process {await port.wait()}") from None
    return answer


async def _receive(port: Port) -> bytes:
    """The body of the only message there is: a worker says nothing unasked."""
    received = bytearray()
    end = HEADER.size
    while len(received) < end:
        data = await port.read()
        if not data:
            raise EOFError
        received += data
        if end == HEADER.size <= len(received):
            (size,) = HEADER.unpack_from(received)
            if size > MAX_FRAME:
                raise TooLarge(f"a worker answers with {size} bytes")
            end += size
    return bytes(memoryview(received)[HEADER.size :])
