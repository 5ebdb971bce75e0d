"""The process of a node that can be replaced: it answers an heir, and when that serves, has the node drain."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio
from trio.lowlevel import wait_readable

from erlmcp_py.console.claim import NameClaim
from erlmcp_py.guards import drain
from erlmcp_py.handover.messages import (
    Ask,
    Estate,
    HandoverError,
    Line,
    Place,
    Ready,
    Refused,
    Taken,
    Yours,
    place,
)
from erlmcp_py.telemetry.log import audit, log
from supervisors import CallExit, ChildSpec, Pid, call, register, spawn_link

NAME: Final = "handover"
STARTS_WITHIN: Final = 120.0
"""Seconds an heir has until it could serve."""
_ANSWERS_WITHIN: Final = 10.0
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def child_spec(claim: NameClaim, transports: tuple[str, ...], key: bytes) -> ChildSpec:
    """claim: on the node's name. transports: names of those that listen. key: seals states."""
    return ChildSpec(NAME, (_start, (claim, transports, key)))


async def _start(claim: NameClaim, transports: tuple[str, ...], key: bytes) -> Pid:
    path = place(claim.name, claim.path.parent)
    listening = _listen(path)
    pid = spawn_link(
        _serve, _Giver(claim, transports, key), listening, path, label=f"handover {path}"
    )
    register(NAME, pid)
    return pid


def _listen(path: Path) -> socket.socket:
    """In place of whoever listened there before: the name is ours."""
    fresh = path.with_name(f".{os.getpid()}.handover")
    with socket.socket(socket.AF_UNIX) as sock:
        fresh.unlink(missing_ok=True)
        sock.bind(str(fresh))
        fresh.chmod(0o600)
        sock.listen(8)
        sock.setblocking(False)
        fresh.replace(path)
        return sock.dup()


async def _serve(giver: _Giver, listening: socket.socket, path: Path) -> None:
    with listening, _gone_in_the_end(path):
        async with trio.open_nursery() as nursery:
            while True:
                await wait_readable(listening)
                try:
                    sock, _ = listening.accept()
                except OSError as problem:
                    if problem.errno in _EXHAUSTED:
                        await trio.sleep(0.5)
                    continue
                nursery.start_soon(giver.talk, sock)


@contextmanager
def _gone_in_the_end(path: Path) -> Iterator[None]:
    """Remove the socket, unless an heir has put its own there."""
    own = path.stat()
    try:
        yield
    finally:
        try:
            there = path.stat()
            if (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino):
                path.unlink()
        except FileNotFoundError:
            pass  # an heir has come and gone


class _Giver:
    """claim, transports, key: see `child_spec`."""

    def __init__(self, claim: NameClaim, transports: tuple[str, ...], key: bytes) -> None:
        self._claim = claim
        self._transports = transports
        self._key = key
        self._heir: int | None = None
        """The operating-system process of the one that is being served."""

    async def talk(self, sock: socket.socket) -> None:
        """One who wants to be the heir, to the end."""
        line = Line(sock)
        try:
            with trio.fail_after(_ANSWERS_WITHIN):
                ask = await line.hear()
                if not isinstance(ask, Ask):
                    raise HandoverError(f"it begins with {type(ask).__name__}")
                no = await self._objection()
                if no is not None:
                    await line.say(Refused(no))
                    return
            self._heir = ask.pid
            try:
                await self._hand_over(line, ask)
            finally:
                self._heir = None
        except HandoverError as error:
            log("warning", f"handover: {error}; this node goes on")
        except trio.TooSlowError:
            log("warning", "handover: who wants to replace this node takes too long; it goes on")
        finally:
            line.close()

    async def _objection(self) -> str | None:
        if self._heir is not None:
            return f"the process {self._heir} is about to replace it already"
        if await drain.status() is not None:
            return "it is going down already; start the new node when it has gone"
        return None

    async def _hand_over(self, line: Line, ask: Ask) -> None:
        audit(f"pid {ask.pid}", "handover", version=ask.version, outcome="begun")
        with trio.fail_after(_ANSWERS_WITHIN):
            await self._lend(line)
        with trio.fail_after(STARTS_WITHIN):
            await _expect(line, Ready)
        no = await drain.status()
        if no is not None:
            await line.say(Refused("it is going down"))
            return
        with trio.fail_after(_ANSWERS_WITHIN):
            await line.say(Yours())
            await _expect(line, Taken)
        self._claim.give_away()
        audit(f"pid {ask.pid}", "handover", version=ask.version, outcome="done")
        await drain.begin(f"replaced by process {ask.pid}", shared=True)

    async def _lend(self, line: Line) -> None:
        descriptors = [self._claim.lend()]
        places = []
        try:
            for name in self._transports:
                try:
                    lent = await call(f"{name}_connections", ("lend",))
                except CallExit as failed:
                    raise HandoverError(f"{name} cannot lend its socket: {failed}") from None
                if lent is not None:
                    host, port, descriptor = lent
                    descriptors.append(descriptor)
                    places.append(Place(name, host, port))
            await line.say(Estate(os.getpid(), self._key, tuple(places)), tuple(descriptors))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


async def _expect(line: Line, kind: type[Ready | Taken]) -> None:
    message = await line.hear()
    if not isinstance(message, kind):
        raise HandoverError(f"{type(message).__name__} came, and not {kind.__name__}")
