"""Takes the connections that other workers hand over, and gives them to the listener they belong to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio
from trio.lowlevel import wait_readable

from erlmcp_py.telemetry.log import log
from erlmcp_py.transports.net.wire import Wire
from erlmcp_py.workers.company import PATIENCE, Company, Delivery, LetterError, take
from supervisors import CallExit, ChildSpec, Pid, call, register, spawn_link

NAME: Final = "post"
_AT_ONCE: Final = 64
"""Deliveries that are taken at the same time; the system queues the others."""
_BACKLOG: Final = 256
_PAUSE: Final = 0.1


def child_spec(company: Company, limit: int) -> ChildSpec:
    """The process that takes connections. limit: bytes that may have been read from one."""
    return ChildSpec(NAME, (_start, (company, limit)))


async def _start(company: Company, limit: int) -> Pid:
    path = company.post_box(company.ids.number)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        listening = sock.dup()
    pid = spawn_link(_accept, listening, path, limit, label=f"post {path}")
    register(NAME, pid)
    return pid


async def _accept(listening: socket.socket, path: Path, limit: int) -> None:
    places = trio.Semaphore(_AT_ONCE)
    with listening, _gone_in_the_end(path):
        async with trio.open_nursery() as nursery:
            while True:
                await wait_readable(listening)
                await places.acquire()
                try:
                    sock, _ = listening.accept()
                except OSError as problem:
                    places.release()
                    if not isinstance(problem, BlockingIOError | ConnectionError):
                        await trio.sleep(_PAUSE)  # out of descriptors
                    continue
                nursery.start_soon(_take, sock, limit, places)


@contextmanager
def _gone_in_the_end(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


async def _take(sock: socket.socket, limit: int, places: trio.Semaphore) -> None:
    with sock:
        sock.setblocking(False)
        try:
            with trio.fail_after(PATIENCE):
                await take(sock, limit, _serve)
        except (LetterError, OSError, CallExit, trio.TooSlowError) as error:
            log("warning", f"a connection handed over by another worker is lost: {error!r}")
        finally:
            places.release()


async def _serve(delivery: Delivery) -> None:
    letter = delivery.letter
    wire = Wire(delivery.connection, delivery.data)
    try:
        await call(f"{letter.transport}_connections", ("adopt", wire, letter.peer))
    except BaseException:
        wire.close()
        raise
