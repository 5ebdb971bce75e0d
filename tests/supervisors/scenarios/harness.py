"""Runs a scenario on our kernel and writes the trace that Erlang wrote for the same steps.

The grammar: ``<who> <event> <term>`` in order; ``~ <who> <event> <term>`` for reports whose
order is no part of the contract, sorted, at the end. `obs` is the driver, `log` a report
of a supervisor, `c#2` the second process started for child `c`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

import supervisors as otp
from supervisors import (
    ChildSpec,
    CrashReport,
    ErrorReport,
    GenServer,
    Pid,
    Report,
    Runtime,
    SupervisorReport,
    SupFlags,
)

from .terms import ErlangError, Text, render

OWN_OPTIONS = ("trap", "waits", "linger", "late")
GOLDEN = Path(__file__).parents[2] / "data" / "otp"


def golden(name: str) -> list[str]:
    """The recorded trace of a scenario, e.g. ``s03_one_for_all``."""
    return (GOLDEN / f"{name}.trace").read_text("utf-8").splitlines()


class Worker(GenServer):
    """A server that records its life. Start arguments: scenario, id, trap."""

    def init(self, scenario: Scenario, id: str, options: dict[str, Any]) -> Any:
        otp.trap_exit(options.get("trap", True))
        label, number = scenario.next(id)
        plan = scenario.plan.get(id, lambda _: "ok")(number)
        return self.begin(scenario, label, options, plan)

    def begin(self, scenario: Scenario, label: str, options: dict[str, Any], plan: Any) -> Any:
        """What init answers, by the plan."""
        scenario.event(label, "init", plan)
        match plan:
            case "ok":
                return "ok", (scenario, label, options)
            case ("raise", term):
                raise ErlangError(term)
        return plan

    def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        match request:
            case "label":
                return "reply", state[1], state
            case ("stop", reason):
                return "stop", reason, "ok", state
        _, term = request
        raise ErlangError(term)

    def handle_cast(self, request: Any, state: Any) -> Any:
        match request:
            case ("exit", reason):
                raise otp.Exit(reason)
            case ("stop", reason):
                return "stop", reason, state
        raise ErlangError(("bad_cast", request))

    def handle_info(self, message: Any, state: Any) -> Any:
        scenario, label, _ = state
        scenario.event(label, "info", message)
        return "noreply", state

    def terminate(self, reason: Any, state: Any) -> None:
        scenario, label, options = state
        if not options.get("late"):
            scenario.event(label, "terminate", reason)


class LingeringWorker(Worker):
    """The same as a task process: its plan may be to wait in init, and its end to linger."""

    async def init(self, scenario: Scenario, id: str, options: dict[str, Any]) -> Any:
        otp.trap_exit(options.get("trap", True))
        label, number = scenario.next(id)
        plan = scenario.plan.get(id, lambda _: "ok")(number)
        if isinstance(plan, Awaitable):
            plan = await plan
        return self.begin(scenario, label, options, plan)

    async def terminate(self, reason: Any, state: Any) -> None:
        scenario, label, options = state
        super().terminate(reason, state)
        await trio.sleep(options.get("linger", 0))
        if options.get("late"):
            scenario.event(label, "terminated", reason)


class Tree(otp.Supervisor):
    """A supervisor of whatever it is given."""

    def init(self, flags: SupFlags, specs: list[ChildSpec]) -> Any:
        return flags, specs


class Scenario:
    """One run: what was recorded, and the verbs the scenarios are written in."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.unordered: list[str] = []
        self.names: dict[Pid, str] = {}
        self.incarnations: Counter[str] = Counter()
        self.plan: dict[str, Callable[[int], Any]] = {}

    # --- recording ----------------------------------------------------------------------

    def event(self, who: str | Pid, event: str, term: Any) -> None:
        self.lines.append(self._line(who, event, term))

    def name(self, pid: Pid, name: str) -> Pid:
        self.names[pid] = name
        return pid

    def next(self, id: str) -> tuple[str, int]:
        """The label of the next incarnation of `id`, given to the current process."""
        self.incarnations[id] += 1
        number = self.incarnations[id]
        return self.names.setdefault(otp.self(), f"{id}#{number}"), number

    def report(self, report: Report) -> None:
        """A subscriber: supervisor reports are part of the order, the others are not."""
        match report:
            case SupervisorReport(context=context, reason=reason, offender=offender):
                self.event("log", "supervisor_report", (context, offender["id"], reason))
            case ErrorReport(name=name, pid=pid, reason=reason):
                self._unordered("gen_server_terminate", (name or pid, reason))
            case CrashReport(initial_call=call, kind=kind, reason=reason, pid=pid):
                if call.endswith(("Worker", "Tree")):
                    bare = reason if kind == "exit" else reason[0]
                    self._unordered("crash_report", (pid, kind, bare))
                elif kind != "exit":  # a bare spawn: Erlang's emulator says it in its own words
                    who = "" if pid is None else self.names.get(pid, "$pid")
                    text = (
                        f"Error in process {who} with exit value:\n{render(reason, self.names)}\n"
                    )
                    self._unordered("message", Text(text))

    def _unordered(self, event: str, term: Any) -> None:
        self.unordered.append("~ " + self._line("log", event, term))

    def _line(self, who: str | Pid, event: str, term: Any) -> str:
        shown = self.names.get(who, "$pid") if isinstance(who, Pid) else who
        return f"{shown} {event} {render(term, self.names)}"

    def show(self, term: Any) -> str:
        """A term as a trace writes it."""
        return render(term, self.names)

    # --- verbs --------------------------------------------------------------------------

    def spec(self, id: str, **options: Any) -> ChildSpec:
        """A worker; `trap`, `waits` (in init), `linger` (seconds), `late` are its own."""
        own = {key: options.pop(key) for key in OWN_OPTIONS if key in options}
        module = LingeringWorker if "linger" in own or "waits" in own else Worker
        return module.child_spec(self, id, own, name=id, **options)

    async def sup(self, specs: list[ChildSpec], **flags: Any) -> Pid:
        return self.name(await Tree.start_link(SupFlags(**flags), specs), "sup")

    async def kill(self, id: str, how: tuple[str, Any]) -> None:
        """Kill a child and wait until it is gone."""
        pid = otp.whereis(id)
        assert pid is not None, f"child {id} does not run"
        ref = otp.monitor(pid)
        self.event("obs", "do", (how, pid))
        match how:
            case ("cast", request):
                otp.cast(pid, request)
            case ("signal", reason):
                otp.exit_signal(pid, reason)
        await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)

    async def sync(self, sup: Pid) -> None:
        """Wait until the supervisor has dealt with what happened."""
        await otp.which_children(sup)

    async def kids(self, sup: Pid) -> list[tuple[Any, Any]]:
        return [(child.id, child.pid) for child in await otp.which_children(sup)]

    async def stop(self, sup: Pid) -> Any:
        """Stop a supervisor the way its parent would; its exit reason."""
        if not otp.is_alive(sup):
            return "gone"
        otp.exit_signal(sup, "shutdown")
        return await self.exit_of(sup)

    async def exit_of(self, pid: Pid, timeout: float = math.inf) -> Any:
        """The reason in the EXIT message of `pid`; TooSlowError after `timeout` seconds."""
        message = await otp.receive(lambda m: m[0] == "EXIT" and m[1] is pid, timeout=timeout)
        return message[2]


async def answer(request: Awaitable[Any], *, with_value: bool = False) -> Any:
    """What an administration call returns in Erlang: ok, {ok,Value} or {error,Reason}."""
    try:
        value = await request
    except otp.SupervisorError as refused:
        return "error", refused.reason
    return ("ok", value) if with_value else "ok"


async def drain() -> list[Any]:
    """Everything that arrives until nothing does for a while."""
    mail = []
    while True:
        try:
            mail.append(await otp.receive(timeout=0.05))
        except trio.TooSlowError:
            return mail


async def counts(sup: Pid) -> list[tuple[str, int]]:
    """`count_children` as Erlang's list of pairs."""
    counted = await otp.count_children(sup)
    names = ("specs", "active", "supervisors", "workers")
    return [(name, getattr(counted, name)) for name in names]


async def play(run: Callable[[Scenario], Awaitable[None]]) -> list[str]:
    """The trace of one scenario; to be run under a virtual clock."""
    scenario = Scenario()
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
