"""S21, A01-A03: applications, step by step as in Erlang."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

import supervisors as otp
from supervisors import Pid, application
from supervisors.application import Application, ApplicationError

from ..scenarios.erlang import erlangs_own
from ..scenarios.harness import Scenario, Tree, Worker, golden, play
from ..scenarios.terms import ErlangError

Run = Callable[[Scenario], Awaitable[None]]


class App(Application):
    """Says what is done to it; what it starts depends on its name."""

    def __init__(self, s: Scenario, name: str, needs: tuple[str, ...] = (), **more: Any) -> None:
        self.s = s
        self.name = self.args = name
        self.applications = needs
        self.said_by = more.pop("said_by", name)
        for key, value in more.items():
            setattr(self, key, value)

    async def tree(self, *children: str, trap: bool = True) -> Pid:
        """A supervisor of these workers."""
        specs = [self.s.spec(child, trap=trap) for child in children]
        return await Tree.start_link(otp.SupFlags(), specs, name=f"{self.name}_sup")

    async def start(self, type: str, args: str) -> Any:
        self.s.event(args, "app_start", type)
        return await self.tree(args), args

    def prep_stop(self, state: Any) -> Any:
        self.s.event(self.said_by, "prep_stop", state)
        return state

    def stop(self, state: Any) -> None:
        self.s.event(self.said_by, "stop", state)


def short(reason: Any) -> Any:
    """Refusals as the scripts print them: ``{Fun,[Args]}`` without the module."""
    match reason:
        case (str(), ("start" | "start_phase") as callback, tuple(args)):
            return callback, list(args)
        case ("bad_return" | "bad_return_value" as tag, (call, value)):
            return tag, short(call), value
        case (name, (_, _) as inner) if name in ("error", "odd"):
            return name, short(inner)
        case tuple():
            return tuple(short(part) for part in reason)
    return reason


async def answer(request: Awaitable[Any], *, flat: bool = False) -> Any:
    try:
        value = await request
    except ApplicationError as refused:
        why = short(refused.reason)
        return ("error", *why) if flat else ("error", why)
    return "ok" if value is None else ("ok", value)


async def running() -> list[str]:
    return [app.name for app in await application.which_applications()]


async def s21(s: Scenario) -> None:
    """Dependencies, order, reverse stop; a temporary one that dies leaves the node up."""

    class Two(App):
        async def start(self, type: str, args: str) -> Any:
            s.event(args, "app_start", type)
            return await self.tree(f"{args}_1", f"{args}_2", trap=args != "mid"), args

    for name, needs in (("base", ()), ("mid", ("base",)), ("top", ("mid", "base"))):
        await application.load(Two(s, name, needs))
    s.event("obs", "start_top", await answer(application.start("top")))
    s.event("obs", "ensure_all_started", await answer(application.ensure_all_started("top")))
    s.event("obs", "start_again", await answer(application.start("top")))
    s.event("obs", "stop_base", await answer(application.stop("base")))
    s.event("obs", "running", sorted(await running()))
    s.event("obs", "stop_top", await answer(application.stop("top")))
    s.event("obs", "stop_top_again", await answer(application.stop("top")))
    mid = otp.whereis("mid_sup")
    assert mid is not None
    otp.exit(mid, "boom")
    otp.exit(mid, "kill")
    await trio.sleep(0.05)
    s.event("obs", "running", await running())


class Odd(App):
    """Those whose start or phase goes wrong."""

    async def start(self, type: str, args: str) -> Any:
        self.s.event(args, "app_start", type)
        match args:
            case "error":
                raise otp.StartError("nope")
            case "odd":
                return "what"
            case "crash":
                raise ErlangError("boom")
            case "ignored":
                raise otp.Ignore
        return await self.tree(args, trap=args not in ("unphased", "raising")), args

    def start_phase(self, phase: str, type: str, args: Any) -> None:
        if phase == "raise":
            raise ErlangError("boom")
        self.s.event("app", "phase", (phase, type, args))
        if phase == "bad":
            raise otp.StartError("nope")


async def a01(s: Scenario) -> None:
    """What a start answers when something goes wrong, and what is run then."""

    async def load(name: str, *needs: str, **more: Any) -> Any:
        return await answer(application.load(Odd(s, name, needs, said_by="app", **more)))

    for name in ("good", "error", "odd", "crash", "ignored"):
        assert await load(name) == "ok"
    await load("phased", "good", start_phases=[("one", 1), ("two", 2)])
    await load("unphased", start_phases=[("one", 1), ("bad", "x"), ("two", 2)])
    await load("raising", start_phases=[("raise", "x")])
    await load("hopeless", "good", "phased", "error")
    await load("optional", "good", optional_applications=("absent", "odd"))
    s.event("obs", "load_twice", (await load("good"))[1][0])
    for name in ("error", "odd", "crash", "ignored"):
        s.event("obs", name, await answer(application.start(name)))
    s.event("obs", "missing", await answer(application.start("phased")))
    undone = await answer(application.ensure_all_started("hopeless"), flat=True)
    s.event("obs", "undone", undone)
    s.event("obs", "running", await running())
    s.event("obs", "phased", await answer(application.ensure_all_started("phased")))
    s.event("obs", "nothing_to_do", await answer(application.ensure_all_started("phased")))
    s.event("obs", "running", await running())
    s.event("obs", "unphased", await answer(application.start("unphased")))
    s.event("obs", "raising", await answer(application.start("raising")))
    s.event("obs", "running", await running())
    fails = await answer(application.ensure_all_started("optional"), flat=True)
    s.event("obs", "optional_fails", fails)
    await application.unload("odd")
    s.event("obs", "optional_absent", await answer(application.ensure_all_started("optional")))
    s.event("obs", "unload_running", await answer(application.unload("good")))
    stops = [await answer(application.stop(name)) for name in ("phased", "phased", "nobody")]
    s.event("obs", "stop", tuple(stops))
    unloads = [await answer(application.unload("phased")) for _ in range(2)]
    s.event("obs", "unload", (*unloads, await answer(application.start("phased")) != "ok"))
    s.event("obs", "running", await running())


async def a02(s: Scenario) -> None:
    """What ends with an application, and ends by itself."""

    class Base(App):
        def start(self, type: str, args: str) -> Any:
            pid = otp.spawn_link(base)
            otp.register("base_1", pid)
            return pid, args

    class One(App):
        async def start(self, type: str, args: str) -> Any:
            return await Worker.start_link(s, args, {}, name=args), args

    async def stubborn() -> None:
        otp.trap_exit()
        await trio.sleep_forever()

    async def base() -> None:
        otp.trap_exit()
        while True:
            match await otp.receive():
                case ("spawn", to):
                    otp.send(to, (otp.spawn_link(stubborn), otp.spawn(stubborn)))
                case ("EXIT", _, "shutdown"):
                    s.event("base", "told", "shutdown")
                    raise otp.Exit("shutdown")

    def env(*args: Any) -> Any:
        value = application.get_env(*args)
        return ("ok", value) if value is not None and len(args) == 2 else value

    def owner(pid: Pid | None) -> Any:
        name = application.get_application(pid)
        return None if name is None else ("ok", name)

    for kind, name in ((Base, "base"), (One, "quits"), (One, "falls")):
        await application.load(kind(s, name, said_by="app", env={"depth": 3}))
    await application.start("base")
    otp.send("base_1", ("spawn", otp.self()))
    linked, loose = await otp.receive()
    s.name(loose, "loose")
    s.name(linked, "linked")
    base_1 = otp.whereis("base_1")
    s.event("obs", "belongs", (owner(loose), owner(base_1), owner(otp.self())))
    refs = [otp.monitor(loose), otp.monitor(linked)]
    s.event("obs", "stop", await answer(application.stop("base")))
    for ref in refs:
        down = await otp.receive(lambda m, ref=ref: m[0] == "DOWN" and m[1] is ref)
        s.event("obs", "down", (down[3], down[4]))
    s.event("obs", "env", (env("base", "depth"), env("base", "nothing"), env("base", "nothing", 7)))
    await application.set_env("base", "depth", 4)
    s.event("obs", "env", env("base", "depth"))
    await application.start("base")
    s.event("obs", "env", env("base", "depth"))
    await application.stop("base")
    await application.start("quits", "transient")
    s.event("obs", "running", await running())
    otp.cast("quits", ("stop", "normal"))
    await trio.sleep(0.03)
    s.event("obs", "running", await running())
    s.event("obs", "again", await answer(application.start("quits", "transient")))
    await application.stop("quits")
    await application.start("falls", "temporary")
    otp.cast("falls", ("stop", "boom"))
    await trio.sleep(0.03)
    s.event("obs", "running", await running())
    await application.load(One(s, "needs", ("falls",)))
    s.event("obs", "needs_ended", await answer(application.start("needs")))
    s.event("obs", "stop_ended", await answer(application.stop("falls")))
    s.event("obs", "needs_stopped", await answer(application.start("needs")))
    bad: Any = "eternal"
    s.event("obs", "bad_type", await answer(application.start("falls", bad)))


async def a03(s: Scenario) -> None:
    """Requests that meet an application on its way up or down."""
    me = otp.self()

    async def gate(name: str) -> None:
        otp.register(name, gated := otp.spawn(otp.receive))
        ref = otp.monitor(gated)
        await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)

    async def go(name: str) -> None:
        while otp.whereis(name) is None:
            await trio.sleep(0.01)
        s.event("obs", "go", name)
        otp.send(name, "go")

    class Slow(App):
        async def start(self, type: str, args: str) -> Any:
            s.event(args, "app_start", type)
            if args == "slow":
                await gate("start_slow")
            return await Worker.start_link(s, args, {}, name=args), args

        async def prep_stop(self, state: Any) -> Any:  # type: ignore[override]
            super().prep_stop(state)
            await gate("stop_slow")
            return state

    async def ask(tag: str, request: Callable[[], Awaitable[Any]]) -> None:
        async def asking() -> None:
            otp.send(me, (tag, await answer(request())))

        otp.spawn_link(asking)
        await trio.sleep(0.02)

    async def answered(tag: str) -> None:
        s.event(tag, "answer", (await otp.receive(lambda m: m[0] == tag))[1])

    await application.load(Slow(s, "slow"))
    await application.load(Slow(s, "needs", ("slow",)))
    await ask("first", lambda: application.start("slow"))
    await ask("second", lambda: application.start("slow"))
    s.event("obs", "stop", await answer(application.stop("slow")))
    s.event("obs", "needs", await answer(application.start("needs")))
    s.event("obs", "running", await running())
    await go("start_slow")
    await answered("first")
    await answered("second")
    s.event("obs", "needs", await answer(application.start("needs")))
    s.event("obs", "running", await running())
    await ask("stopper", lambda: application.stop("slow"))
    await ask("late_stopper", lambda: application.stop("slow"))
    await ask("starter", lambda: application.start("slow"))
    await go("stop_slow")
    await go("start_slow")
    for tag in ("starter", "stopper", "late_stopper"):
        await answered(tag)
    s.event("obs", "running", await running())


SCENARIOS: dict[str, Run] = {
    "s21_application": s21,
    "own/a01_application_start": a01,
    "own/a02_application_end": a02,
    "own/a03_application_meanwhile": a03,
}


def ordered(lines: list[str]) -> list[str]:
    """Without the reports: these scripts take Erlang's handler of them away."""
    return [line for line in lines if not line.startswith(("~", "log "))]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_as_erlang_does(autojump_clock: Any, name: str) -> None:
    assert ordered(await play(SCENARIOS[name])) == ordered(golden(name))


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_trace_as_the_installed_erlang(escript: str, name: str) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    ours = ordered(trio.run(play, SCENARIOS[name], clock=clock))
    assert ours == erlangs_own(escript, name, told=ordered)
