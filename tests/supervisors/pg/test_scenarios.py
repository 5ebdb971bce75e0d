"""S24, G01, G02: groups, step by step as in Erlang."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

import supervisors as otp
from supervisors import Pid, Ref, pg

from ..scenarios.erlang import erlangs_own
from ..scenarios.harness import Scenario, drain, golden, play

Run = Callable[[Scenario], Awaitable[None]]


def ok(done: bool, otherwise: Any) -> Any:
    return "ok" if done else otherwise


def idle(s: Scenario, name: str) -> Pid:
    """A process that ends when it is sent anything."""
    return s.name(otp.spawn(otp.receive), name)


async def end(pid: Pid) -> None:
    ref = otp.monitor(pid)
    otp.send(pid, "stop")
    await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)
    await trio.sleep(0.02)


async def told(ref: Ref) -> list[Any]:
    news = []
    while True:
        try:
            news.append((await otp.receive(lambda m: m[0] is ref, timeout=0.02))[1:])
        except trio.TooSlowError:
            return news


async def answer(request: Awaitable[Any]) -> Any:
    try:
        await request
    except otp.CallExit as lost:
        return lost.cause
    except otp.StartError as refused:
        return "error", refused.reason
    return "ok"


def by_name(s: Scenario, pids: list[Pid]) -> list[Pid]:
    return sorted(pids, key=lambda pid: s.names[pid])


async def s24(s: Scenario) -> None:
    """Joining twice needs leaving twice; the dead leave by themselves."""
    await pg.start_link("scope")
    me = otp.self()
    p = idle(s, "p")
    ref, members = await pg.monitor("scope", "g")
    assert members == []
    s.event("obs", "join", await answer(pg.join("scope", "g", [p, me])))
    s.event("obs", "join_again", await answer(pg.join("scope", "g", me)))
    s.event("obs", "members", by_name(s, pg.get_members("scope", "g")))
    left = [ok(await pg.leave("scope", "g", me), "not_joined") for _ in range(3)]
    s.event("obs", "leave", tuple(left))
    await end(p)
    s.event("obs", "after_death", (pg.get_members("scope", "g"), pg.which_groups("scope")))
    news = [(verb, group, by_name(s, pids)) for verb, group, pids in await told(ref)]
    s.event("obs", "told", news)
    s.event("obs", "demonitor", ok(await pg.demonitor("scope", ref), "false"))
    await pg.join("scope", "g", me)
    s.event("obs", "quiet", await drain())


async def g01(s: Scenario) -> None:
    """Pids in lists, more than once; one leave for every join at the end."""
    await pg.start_link("scope")
    p, q = idle(s, "p"), idle(s, "q")
    await pg.join("scope", "before", p)
    every, now = await pg.monitor_scope("scope")
    s.event("obs", "monitor_scope", now)
    one, members = await pg.monitor("scope", "before")
    s.event("obs", "monitor", members)
    await pg.join("scope", "a", [p, q, p])
    await pg.join("scope", "b", q)
    await pg.join("scope", "c", p)

    async def leave(group: str, pids: Pid | list[Pid]) -> Any:
        return ok(await pg.leave("scope", group, pids), "not_joined")

    s.event("obs", "members", by_name(s, pg.get_members("scope", "a")))
    s.event("obs", "groups", sorted(pg.which_groups("scope")))
    s.event("obs", "leave_list", await leave("a", [q, p]))
    s.event("obs", "leave_partly", await leave("b", [p, q]))
    s.event("obs", "leave_none", await leave("b", [p, q]))
    nowhere = pg.get_members("scope", "nowhere"), pg.get_local_members("scope", "nowhere")
    s.event("obs", "no_such_group", (await leave("nowhere", p), *nowhere))
    s.event("obs", "told", await told(every))
    s.event("obs", "told_one", await told(one))
    await end(p)
    s.event("obs", "told", await told(every))
    s.event("obs", "told_one", await told(one))
    s.event("obs", "groups", pg.which_groups("scope"))
    empty = await answer(pg.join("scope", "e", []))
    s.event("obs", "empty_list", (empty, pg.which_groups("scope"), await leave("e", [])))
    s.event("obs", "told", await told(every))


async def g02(s: Scenario) -> None:
    """Scopes apart, monitors and their ends, scopes that are not there."""
    alpha = s.name(await pg.start_link("alpha"), "alpha")
    await pg.start_link("beta")
    me = otp.self()
    p = idle(s, "p")
    s.event("obs", "twice", await answer(pg.start("alpha")))
    await pg.join("alpha", "g", p)
    await pg.join("beta", "g", me)
    s.event("obs", "apart", (pg.get_members("alpha", "g"), pg.get_members("beta", "g")))
    ref, _ = await pg.monitor_scope("alpha")
    ref2, _ = await pg.monitor("alpha", "g")
    await pg.join("alpha", "g", me)
    s.event("obs", "demonitor", ok(await pg.demonitor("alpha", ref), False))
    s.event("obs", "again", ok(await pg.demonitor("alpha", ref), False))
    s.event("obs", "other_scope", ok(await pg.demonitor("beta", ref2), False))
    s.event("obs", "left_in_mailbox", await drain())

    async def watch() -> None:
        await pg.monitor_scope("alpha")
        otp.send(me, "ready")
        s.event("watcher", "told", await otp.receive())
        await otp.receive(lambda message: message == "stop")

    watcher = otp.spawn(watch)
    await otp.receive(lambda message: message == "ready")
    await pg.leave("alpha", "g", me)
    await trio.sleep(0.02)
    await end(watcher)
    await pg.join("alpha", "h", p)
    await trio.sleep(0.02)
    await end(p)
    s.event("obs", "mail", await drain())
    s.event("obs", "dead_joins", await answer(pg.join("alpha", "d", p)))
    await trio.sleep(0.02)
    s.event("obs", "dead_left", (pg.get_members("alpha", "d"), pg.which_groups("alpha")))
    gamma = pg.get_members("gamma", "g"), pg.get_local_members("gamma", "g")
    s.event("obs", "no_scope", gamma)
    with pytest.raises(otp.BadArg):
        pg.which_groups("gamma")
    s.event("obs", "no_scope_groups", "badarg")
    s.event("obs", "no_scope_join", await answer(pg.join("gamma", "g", me)))
    s.event("obs", "no_scope_monitor", await answer(pg.monitor("gamma", "g")))
    await pg.join("alpha", "g", me)
    otp.trap_exit()
    await otp.stop(alpha)
    s.event("obs", "stopped", (pg.get_members("alpha", "g"), await drain()))
    await pg.start_link("alpha")
    s.event("obs", "started_anew", pg.get_members("alpha", "g"))


SCENARIOS: dict[str, Run] = {
    "s24_pg_groups": s24,
    "own/g01_pg_duplicates": g01,
    "own/g02_pg_scopes": g02,
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_as_erlang_does(autojump_clock: Any, name: str) -> None:
    assert await play(SCENARIOS[name]) == golden(name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_trace_as_the_installed_erlang(escript: str, name: str) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(play, SCENARIOS[name], clock=clock) == erlangs_own(escript, name)
