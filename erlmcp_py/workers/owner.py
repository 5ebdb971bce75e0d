"""The process of the parent that owns one worker: it starts it, listens to it, and ends with it.

Its supervisor restarts it, after a pause that grows (`supervisors.Backoff`), and with it the worker.
"""

from __future__ import annotations

import sys
from typing import Final

import msgspec
import trio

from erlmcp_py.config import Config
from erlmcp_py.guards.drain import Going, Left, tell_left
from erlmcp_py.ports import Command, Exit, Graces, Port, open_port
from erlmcp_py.ports.lines import Lines
from erlmcp_py.telemetry.log import log, stderr
from erlmcp_py.workers.crew import Crew, Worker
from erlmcp_py.workers.doors import Doors
from erlmcp_py.workers.keeper import NAME as KEEPER
from erlmcp_py.workers.orders import (
    Beat,
    Drained,
    Finish,
    Orders,
    Refused,
    Up,
    decode_report,
    encode,
)
from supervisors import (
    Pid,
    cast,
    exit_signal,
    process_info,
    receive,
    register,
    send,
    set_label,
    spawn_link,
    trap_exit,
)
from supervisors import self as own_pid

_PROGRAM: Final = (sys.executable, "-m", "erlmcp_py.workers.program")
_GRACES: Final = Graces(close=60.0, term=5.0)
"""A worker ends in order within its own deadlines; what takes longer hangs."""
_LONGEST_LINE: Final = 64 * 1024


class WorkerEnded(Exception):
    """The worker has ended and nobody had told it to."""


class Employment(msgspec.Struct, frozen=True):
    """What does not change over the lives of one worker."""

    worker: Worker
    config: Config
    parent: str
    directory: str
    key: bytes
    doors: Doors
    crew: Crew

    def orders(self) -> Orders:
        """For its next life."""
        return Orders(
            config=self.config,
            parent=self.parent,
            number=self.worker.number,
            directory=self.directory,
            doors=self.doors.open(self.worker.number),
            key=self.key,
        )


async def start_owner(employment: Employment) -> Pid:
    """Start the owner; the worker comes up in its own time."""
    pid = spawn_link(_own, employment)
    register(member(employment.worker), pid)
    return pid


def member(worker: Worker) -> str:
    """The name of its owner, as one of those who drain."""
    return f"worker_{worker.number}"


async def _own(employment: Employment) -> None:
    trap_exit()
    worker = employment.worker
    worker.owner = own_pid()
    set_label(f"{worker.name} is started")
    orders = employment.orders()
    command = Command(argv=_PROGRAM, descriptors=tuple(orders.doors.values()))
    async with open_port(
        command, graces=_GRACES, on_stderr=_Labelled(worker.name), line_limit=_LONGEST_LINE
    ) as port:
        worker.begins(port.pid)
        _show(worker)
        watch = _Watch(employment, port, own_pid())
        try:
            how = await watch.run(encode(orders))
        finally:
            worker.ends(str(port.exit or "was stopped"))
            cast(KEEPER, ("down", worker.number))
    if how is not None and watch.finishing:
        await watch.rest()
        how = None
    if how is not None:
        raise WorkerEnded(f"{worker.name} {how}")
    trap_exit(False)
    exit_signal(own_pid(), "shutdown")


class _Labelled:
    """Passes a worker's lines on to standard error, with its name before them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, line: str) -> None:
        stderr.put(f"[{self._name}] {line}")


class _Watch:
    """Listens to one life of a worker until it ends, or is to end."""

    def __init__(self, employment: Employment, port: Port, me: Pid) -> None:
        self.employment = employment
        self.worker = employment.worker
        self.port = port
        self.me = me
        self.finishing = False
        """The worker has been told to drain, and does not come back."""
        self.cut_off = 0
        about = process_info(me)
        self.boss = None if about is None else about.parent

    async def run(self, orders: bytes) -> Exit | None:
        """How it ended; None if it is to end now."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._order, orders)
            nursery.start_soon(self._listen)
            nursery.start_soon(self._await_end)
            self.nursery = nursery
            how = await self._messages()
            nursery.cancel_scope.cancel()
        return how

    async def _messages(self) -> Exit | None:
        while True:
            match await receive():
                case "stop":
                    return None
                case ("EXIT", pid, _) if pid == self.boss:
                    return None
                case ("EXIT", _, reason) if reason != "normal":
                    raise WorkerEnded(f"{self.worker.name}: its standard error: {reason!r}")
                case ("ended", Exit() as how):
                    return how
                case ("$gen_cast", ("drain", Going() as going)):
                    self._finish(going)

    def _finish(self, going: Going) -> None:
        """Have the worker drain, once nobody is sent to it any more."""
        if not self.finishing:
            self.finishing = True
            self.employment.doors.close_all()
            seconds = max(0.0, going.ends_at - trio.current_time())
            self.nursery.start_soon(self._order, encode(Finish(seconds)))
        left = Left(False, 1, self.worker.requests, self.cut_off)
        tell_left(member(self.worker), left)

    async def rest(self) -> None:
        """The worker has finished; until the tree is stopped."""
        while True:
            match await receive():
                case "stop":
                    return
                case ("EXIT", pid, _) if pid == self.boss:
                    return
                case ("$gen_cast", ("drain", Going())):
                    tell_left(member(self.worker), Left(False, 0, 0, self.cut_off))

    async def _order(self, orders: bytes) -> None:
        try:
            await self.port.write(orders)
        except BrokenPipeError:
            return  # it has ended already, of which we hear

    async def _await_end(self) -> None:
        send(self.me, ("ended", await self.port.wait()))

    async def _listen(self) -> None:
        lines = Lines(self._take, _LONGEST_LINE)
        while data := await self.port.read():
            lines.feed(data)

    def _take(self, line: str) -> None:
        try:
            report = decode_report(line)
        except msgspec.MsgspecError as error:
            log("warning", f"{self.worker.name} reports what is no report: {error}: {line[:200]!r}")
            return
        match report:
            case Up(lines):
                log("info", f"{self.worker.name} serves, os pid {self.port.pid}")
                self.employment.crew.is_up(self.worker, lines)
            case Beat(health, requests):
                self.worker.is_heard(health, requests)
            case Drained(cut_off):
                self.cut_off = cut_off
            case Refused(text):
                self.employment.crew.is_refused(self.worker, text)
        _show(self.worker)


def _show(worker: Worker) -> None:
    set_label(f"{worker.name}, os pid {worker.os_pid}, {worker.health}")
