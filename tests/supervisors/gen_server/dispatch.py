"""A program of calls, casts, crashes and system messages, and everything it lets one see.

Run twice, with direct dispatch and without it, it must look the same. One step is played
after the other, each until everybody waits; what takes time takes a time of its own in
every step, so that no two things are due at one moment and nothing is left to trio's dice
(`HAIRS`). Programs in which two processes race all the same are not for this.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import supervisors as otp
from supervisors import CallExit, CrashReport, ErrorReport, GenServer, Pid, Report, Stack, sys
from supervisors._gen_server.calls import NO_REPLY, From
from supervisors._gen_server.plain import PlainServer
from supervisors._process import CALL, Envelope
from supervisors._task import TaskProcess

SERVERS = 3
# What each step adds to its times. Multiples of one hair would not do, for their sums meet
# (1 + 4 = 2 + 3); no two sums of square roots of different primes are the same.
HAIRS = [
    math.sqrt(n) / 10_000 for n in range(2, 100) if all(n % divisor for divisor in range(2, n))
]
LOOKED_AT = (
    "links",
    "message_queue_len",
    "messages_in",
    "monitored_by",
    "monitors",
    "reductions",
    "status",
    "trap_exit",
)


@contextmanager
def through_mailboxes() -> Iterator[None]:
    """Nobody is entered by a caller: every call and request lies in a mailbox first."""

    def queue(process: PlainServer, request: Any, from_: From) -> Any:
        envelope = Envelope()
        envelope.kind, envelope.body, envelope.extra = CALL, request, from_
        process.pid._post(envelope)
        return NO_REPLY

    with (
        patch.object(PlainServer, "enter_call", queue),
        patch.object(PlainServer, "catch_up", lambda _: False),
        patch.object(TaskProcess, "catch_up", lambda _: False),
    ):
        yield


class Played:
    """One run, and all that was seen of it: `seen[who]` is what happened to or by `who`."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {}
        self.names: dict[Pid, str] = {}
        self.servers: list[Pid] = []
        self.callers: list[Pid] = []
        self.step = 0
        self.runtime = otp.current_runtime()

    def note(self, who: str, *what: Any) -> None:
        now = round(self.runtime.now(), 6)
        self.seen.setdefault(who, []).append((now, *map(self.shown, what)))

    def shown(self, term: Any) -> Any:
        match term:
            case Pid():
                return self.names.get(term, "somebody")
            case From():
                return ("from", self.shown(term.pid))
            case Stack() | otp.RequestId() | otp.Ref():
                return type(term).__name__
            case Exception():
                return repr(term)
            case tuple() | list():
                return tuple(map(self.shown, term))
            case dict():
                return tuple((key, self.shown(value)) for key, value in term.items())
        return term

    def delay(self, seconds: float) -> float:
        """A time that nothing else takes: each step has a hair of its own."""
        return seconds + HAIRS[self.step]

    def report(self, report: Report) -> None:
        match report:
            case ErrorReport():
                events = [plainly(event) for event in report.log]
                what = report.reason, report.message, report.state, events
                self.note("reports", "error", report.pid, *what)
            case CrashReport():
                of_it = report.kind, report.reason, report.message_queue_len, report.links
                self.note("reports", "crash", report.pid, *of_it)


class Server(GenServer):
    """Does what it is told and notes it; its state is how much it has done."""

    def init(self, played: Played, number: int, trap: bool) -> Any:
        otp.trap_exit(trap)
        self.note_(played, "init", number)
        return "ok", (played, number, 0)

    @staticmethod
    def note_(played: Played, *what: Any) -> None:
        played.note(played.names.get(otp.self(), "new"), *what)

    def done(self, state: Any, *what: Any) -> Any:
        played, number, count = state
        self.note_(played, *what, count)
        return played, number, count + 1

    def act(self, what: Any, state: Any) -> Any:
        """What a callback other than handle_call answers."""
        played = state[0]
        match what:
            case "crash":
                raise ValueError("told to")
            case "exit":
                raise otp.Exit("told to")
            case "throw":
                raise otp.Throw(("noreply", state))
            case "odd":
                return "what is this"
            case "stop":
                return "stop", "told to", state
            case "idle":
                return "noreply", state, played.delay(0.5)
            case "at once":
                return "noreply", state, 0
            case "continue":
                return "noreply", state, ("continue", "note")
            case "continue and stop":
                return "noreply", state, ("continue", "stop")
            case "hibernate":
                return "noreply", state, "hibernate"
            case ("pass", other):
                otp.cast(played.servers[other], "passed on")
                otp.send(played.servers[other], "passed on")
            case ("kill", other):
                otp.exit_signal(played.servers[other], "killed by a neighbour")
            case ("request", other):
                otp.send_request(played.servers[other], "note")
            case "end me":
                otp.exit_signal(otp.self(), "told to")
            case "to myself":
                otp.cast(otp.self(), "note")
                otp.send(otp.self(), "note")
        return "noreply", state

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        played = state[0]
        state = self.done(state, "call", request, from_)
        match request:
            case "early":
                otp.reply(from_, "early")
                return "noreply", state
            case "early and crash":
                otp.reply(from_, "early")
                raise ValueError("told to")
            case "late":
                otp.spawn(later, played.delay(0.3), from_)
                return "noreply", state
            case "never":
                return "noreply", state
            case "stop with a reply":
                return "stop", "told to", "bye", state
            case "reply and idle":
                return "reply", "idle", state, played.delay(0.5)
            case "throw":
                raise otp.Throw(("reply", "thrown", state))
        tag, *rest = answer = self.act(request, state)
        return ("reply", state[2], *rest) if tag == "noreply" else answer

    def handle_cast(self, request: Any, state: Any) -> Any:
        return self.act(request, self.done(state, "cast", request))

    def handle_info(self, message: Any, state: Any) -> Any:
        return self.act(message, self.done(state, "info", message))

    def handle_continue(self, what: Any, state: Any) -> Any:
        return self.act(what, self.done(state, "continue", what))

    def terminate(self, reason: Any, state: Any) -> None:
        self.done(state, "terminate", reason)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        if "state" in status:
            status["state"] = status["state"][2]
        return status


class AsyncServer(Server):
    """The same; its callbacks may wait, and ask each other."""

    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        await self.waits(request, state)
        return super().handle_call(request, from_, state)

    async def handle_cast(self, request: Any, state: Any) -> Any:
        await self.waits(request, state)
        return super().handle_cast(request, state)

    async def waits(self, request: Any, state: Any) -> None:
        played, number, _ = state
        assert otp.self() is played.servers[number]
        match request:
            case "sleep" | "sleep and crash":
                await trio.sleep(played.delay(0.1))
                self.note_(played, "awake")
                await trio.sleep(played.delay(0.1))
                self.note_(played, "awake")
                if request == "sleep and crash":
                    raise ValueError("told to")
            case "yield":
                await trio.lowlevel.checkpoint()
            case "give up":
                with trio.move_on_after(played.delay(0.1)):
                    await trio.sleep_forever()
            case ("ask", other):
                self.note_(played, "was told", await asked(played, other, "note", 0.4))


async def later(seconds: float, from_: From) -> None:
    await trio.sleep(seconds)
    otp.reply(from_, "late")


async def asked(played: Played, server: int, request: Any, timeout: float) -> Any:
    try:
        return await otp.call(played.servers[server], request, played.delay(timeout + 0.0005))
    except CallExit as failed:
        return "exit", played.shown(failed.cause)


async def play(cls: type[Server], trap: bool, program: list[Any]) -> dict[str, list[Any]]:
    """Run the program; what was seen, per server, per caller, and of the whole."""
    played = Played()
    played.names[otp.self()] = "client"
    otp.trap_exit()
    runtime = played.runtime
    runtime.subscribe(played.report)
    for number in range(SERVERS):
        pid = await cls.start(played, number, trap)
        played.names[pid] = f"server {number}"
        played.servers.append(pid)
        otp.monitor(pid)
    for step, command in enumerate(program, 1):
        played.step = step
        await perform(played, command)
        await wait_all_tasks_blocked()
        look(played)
    played.step += 1
    await trio.sleep(10)
    await wait_all_tasks_blocked()
    look(played)
    while True:
        try:
            played.note("client", await otp.receive(timeout=0))
        except trio.TooSlowError:
            break
    played.note("all", len(runtime.processes()), len(runtime.timers))
    return played.seen


def look(played: Played) -> None:
    for number, pid in enumerate(played.servers):
        looked = otp.process_info(pid, list(LOOKED_AT))
        played.note(f"looks {number}", looked)


async def perform(played: Played, command: Any) -> None:
    how, number, what = command
    pid = played.servers[number]
    match how:
        case "cast":
            otp.cast(pid, what)
        case "send":
            otp.send(pid, what)
        case "request":
            otp.send_request(pid, what)
        case "casts and a call":
            for order in what:
                otp.cast(pid, order)
            played.note("client", await asked(played, number, "note", 0.25))
        case "call":
            who = f"caller {played.step}"

            async def caller() -> None:
                played.names[otp.self()] = who
                played.note(who, await asked(played, number, what, 0.25))

            played.callers.append(otp.spawn(caller))
        case "caller ends" if played.callers:
            otp.exit_signal(played.callers[number % len(played.callers)], "kill")
        case "time":
            await trio.sleep(played.delay(what))
        case "sys":
            await ask_sys(played, number, what)


async def ask_sys(played: Played, number: int, what: str) -> None:
    pid, who = played.servers[number], f"sys {number}"
    timeout = played.delay(0.1)
    try:
        match what:
            case "get_state":
                answer = (await sys.get_state(pid, timeout))[2]
            case "replace_state":
                answer = (
                    await sys.replace_state(pid, lambda s: (s[0], s[1], s[2] + 100), timeout)
                )[2]
            case "suspend":
                answer = await sys.suspend(pid, timeout)
            case "resume":
                answer = await sys.resume(pid, timeout)
            case "count":
                answer = await sys.statistics(pid, True, timeout)
            case "counted":
                counted = await sys.statistics(pid, "get", timeout)
                keys = ("messages_in", "messages_out", "reductions")
                answer = counted if isinstance(counted, str) else [counted[key] for key in keys]
            case "log":
                answer = await sys.log(pid, 20, timeout)
            case "logged":
                answer = [plainly(e) for e in await sys.log(pid, "get", timeout) or ()]
            case "trace":
                answer = sys.trace(pid, lambda e: played.note(f"trace {number}", *plainly(e)))
            case "no trace":
                answer = sys.trace(pid, None)
            case _:
                answer = await sys.terminate(pid, "sys", timeout)
    except (CallExit, otp.NoProc, otp.BadArg) as failed:
        answer = type(failed).__name__, str(getattr(failed, "cause", failed))
    played.note(who, "sys", what, answer)


def plainly(event: Any) -> Any:
    """An event without the server's state, which holds the test itself."""
    match event:
        case ("out", answer, to, _):
            return "out", answer, to
        case ("noreply", _):
            return ("noreply",)
    return event


def seen(
    cls: type[Server], trap: bool, program: list[Any], *, direct: bool
) -> dict[str, list[Any]]:
    clock = MockClock(autojump_threshold=0)
    if direct:
        return otp.run(play, cls, trap, program, clock=clock)
    with through_mailboxes():
        return otp.run(play, cls, trap, program, clock=clock)
