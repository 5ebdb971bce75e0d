"""The event scenarios' handler and driver: the Python side of ``tests/data/otp/own/e0*``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import trio

import supervisors as otp
from supervisors import GenEvent, HandlerError, HandlerReport, Pid, Report, Runtime, gen_event
from supervisors.alarm_handler import AlarmHandler, AlarmReport

from ..scenarios.harness import Scenario
from ..scenarios.terms import ErlangError


class Seed(NamedTuple):
    """What a Recorder is started with."""

    scenario: EventScenario
    id: str
    plan: Any


class Recorder(GenEvent):
    """Records its life, and does what an event tells it by name. State: seed, count."""

    def init(self, args: Any) -> Any:
        if isinstance(args, Seed):
            args.scenario.event(args.id, "init", args.plan)
            seed = args
        else:
            seed, handed = args
            seed.scenario.event(seed.id, "init", (seed.plan, handed))
        return ("ok", (seed, 0)) if seed.plan == "ok" else self.do(seed.plan, seed, 0)

    def handle_event(self, event: Any, state: Any) -> Any:
        return self.act("event", event, *state)

    def handle_info(self, message: Any, state: Any) -> Any:
        return self.act("info", message, *state)

    def act(self, kind: str, message: Any, seed: Seed, count: int) -> Any:
        seed.scenario.event(seed.id, kind, message)
        if isinstance(message, tuple) and message[0] == seed.id:
            return self.do(message[1], seed, count + 1)
        return "ok", (seed, count + 1)

    def handle_call(self, request: Any, state: Any) -> Any:
        seed, count = state
        return ("ok", count, state) if request == "count" else self.do(request, seed, count)

    def terminate(self, argument: Any, state: Any) -> Any:
        seed, count = state
        seed.scenario.event(seed.id, "terminate", (argument, count))
        if isinstance(argument, tuple) and argument[0] == "raise":
            raise ErlangError(argument[1])
        return "handed_over_by", seed.id, count

    def do(self, what: Any, seed: Seed, count: int) -> Any:
        """What an event, a request or a plan asks for. A state in it is ``(id, count)``."""

        def heir(to: str, plan: Any) -> tuple[Any, Seed]:
            return (Recorder, to), Seed(seed.scenario, to, plan)

        match what:
            case ("raise", term):
                raise ErlangError(term)
            case ("exit", term):
                raise otp.Exit(term)
            case ("throw", value):
                raise otp.Throw(_with_seed(value, seed))
            case ("return", value):
                return _with_seed(value, seed)
            case ("swap", argument, to, plan):
                return ("swap_handler", argument, (seed, count), *heir(to, plan))
            case ("swap", reply, argument, to, plan):
                return ("swap_handler", reply, argument, (seed, count), *heir(to, plan))
        raise AssertionError(f"no such step: {what!r}")


def _with_seed(value: Any, seed: Seed) -> Any:
    """A return value with its ``(id, count)`` made the state a Recorder keeps."""
    match value:
        case ("ok", (str(), int(count)), *rest):
            return ("ok", (seed, count), *rest)
        case ("ok", reply, (str(), int(count))):
            return "ok", reply, (seed, count)
    return value


NAMES = {Recorder: "handler", AlarmHandler: "alarm_handler"}


def plain(term: Any) -> Any:
    """`term` with handler classes as the atoms they are in the traces."""
    if isinstance(term, type):
        return NAMES.get(term, "handler")
    if type(term) is tuple:
        return tuple(plain(part) for part in term)
    return [plain(part) for part in term] if type(term) is list else term


class EventScenario(Scenario):
    """A scenario whose verbs are those of gen_event."""

    def event(self, who: str | Pid, event: str, term: Any) -> None:
        super().event(who, event, plain(term))

    def report(self, report: Report) -> None:
        match report:
            case HandlerReport(handler=handler, message=last, reason=reason):
                self._unordered("gen_event_terminate", plain((handler, last, reason)))
            case AlarmReport():
                self._unordered("report", ("error_logger", "info_report"))
            case _:
                super().report(report)

    async def start(self) -> None:
        self.name(await gen_event.start_link(name="manager"), "manager")

    async def add(self, id: str, plan: Any = "ok") -> None:
        seed = Seed(self, id, plan)
        added = await answer(gen_event.add_handler("manager", (Recorder, id), seed))
        self.event("obs", "add", (id, added))

    async def add_sup(self, id: str, plan: Any = "ok") -> None:
        seed = Seed(self, id, plan)
        added = await answer(gen_event.add_sup_handler("manager", (Recorder, id), seed))
        self.event("obs", "add_sup", (id, added))

    async def tell(self, event: Any) -> None:
        self.event("obs", "notify", event)
        await gen_event.sync_notify("manager", event)

    async def ask(self, id: str, request: Any) -> None:
        reply = await answer(gen_event.call("manager", (Recorder, id), request), in_error=True)
        self.event("obs", "call", (id, request, reply))

    async def delete(self, id: str, argument: Any) -> Any:
        try:
            return await gen_event.delete_handler("manager", (Recorder, id), argument)
        except HandlerError as failed:
            reason = failed.reason
            return ("error", reason) if isinstance(reason, str) else reason

    async def swap(self, old: str, argument: Any, new: str, plan: Any, *, sup: bool = False) -> Any:
        swap = gen_event.swap_sup_handler if sup else gen_event.swap_handler
        seed = Seed(self, new, plan)
        return await answer(
            swap("manager", ((Recorder, old), argument), ((Recorder, new), seed)), in_error=True
        )

    async def which(self) -> None:
        handlers = await gen_event.which_handlers("manager")
        self.event("obs", "which", [handler[1] for handler in handlers])


async def answer(request: Awaitable[Any], *, in_error: bool = False) -> Any:
    """What the function returns in Erlang: ok, a reply, a reason, or {error,Reason}."""
    try:
        value = await request
    except HandlerError as failed:
        return ("error", failed.reason) if in_error else failed.reason
    return "ok" if value is None else value


async def play(run: Callable[[EventScenario], Awaitable[None]]) -> list[str]:
    """The trace of one scenario; to be run under a virtual clock."""
    scenario = EventScenario()
    done = trio.Event()

    async def driver() -> None:
        scenario.name(otp.self(), "obs")
        try:
            await run(scenario)
        finally:
            done.set()

    async with Runtime() as runtime:
        runtime.subscribe(scenario.report)
        otp.spawn(driver)
        await done.wait()
        await trio.sleep(0.3)  # virtual: whatever is still to end, ends
    return scenario.lines + sorted(scenario.unordered)
