"""O20, 1.2, G8, V1: exit signals that arrive while a server or a supervisor initialises."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import Pid, StartError

from ...lives import down_of
from ..harness import LingeringWorker, Scenario, drain
from .gates import Gate, wait

OTP = [
    ("gen_server", "start"),
    ("proc_lib", "init_dont_hang"),
    ("proc_lib", "sync_start_link_timeout"),
    ("supervisor", "sup_start_fail"),
]


async def run(s: Scenario) -> None:
    """Of strangers and of parents, trapped or not; a start that takes too long."""
    otp.trap_exit()
    gate = Gate()
    await servers(s, gate)
    await too_long(s)
    await supervisor_orphaned(s, gate)
    await supervisor_killed(s, gate)


async def started(start: Any) -> Any:
    try:
        return "ok", await start
    except StartError as error:
        return "error", error.reason


async def servers(s: Scenario, gate: Gate) -> None:
    """One that does not trap ends at once, one that traps finishes its init first."""
    s.plan["a"] = lambda _: gate.hold("ok")
    for trap, how, reason in (
        (False, "stranger", "bang"),
        (True, "stranger", "bang"),
        (True, "stranger", "kill"),
        (False, "parent", "kill"),
        (True, "parent", "kill"),
    ):
        answers: list[Any] = []

        async def parent(trap: bool = trap, answers: list[Any] = answers) -> None:
            otp.trap_exit()
            s.name(otp.self(), "parent")
            function, args = s.spec("a", waits=True, trap=trap).start
            answers.append(await started(function(*args)))
            await otp.receive(lambda message: message == "stop")

        starter, ref = otp.spawn_monitor(parent)
        held = await gate.held()
        await trio.sleep(0.02)
        otp.exit_signal(held if how == "stranger" else starter, reason)
        await trio.sleep(0.02)
        gate.open(held)
        await trio.sleep(0.05)
        answer = answers[0] if answers else "none"
        s.event("obs", "start_link", (trap, how, answer, otp.is_alive(held)))
        if otp.is_alive(held):
            await otp.stop(held)
        try:
            with trio.fail_after(0.05):
                s.event("obs", "starter", await down_of(ref))
        except trio.TooSlowError:
            s.event("obs", "starter", "lives")
            otp.demonitor(ref)
        s.incarnations.clear()


async def too_long(s: Scenario) -> None:
    """The process is killed, nothing is left of it."""
    start = LingeringWorker.start_link(s, "a", {"waits": True}, name="a", timeout=0.05)
    s.event("obs", "too_long", await started(start))
    await otp.receive(lambda message: message[0] == "trying")
    s.event("obs", "name_free", await wait(lambda: otp.whereis("a") is None))
    s.event("obs", "mailbox", await drain())
    s.incarnations.clear()


def parent_of(pid: Pid) -> Pid:
    info = otp.process_info(pid)
    assert info is not None
    ancestor = info.ancestors[0]
    assert isinstance(ancestor, Pid)
    return ancestor


async def supervisor_orphaned(s: Scenario, gate: Gate) -> None:
    """It starts all its children, then stops them all."""
    s.plan["b"] = lambda _: gate.hold("ok")
    del s.plan["a"]

    async def starter() -> None:
        await s.sup([s.spec("a"), s.spec("b", waits=True), s.spec("c")])

    pid = otp.spawn(starter)
    held = await gate.held()
    sup = parent_of(held)
    ref = otp.monitor(sup)
    otp.exit_signal(sup, "not_the_parent")
    otp.exit_signal(pid, "parents_end")
    await wait(lambda: not otp.is_alive(pid))
    gate.open(held)
    s.event("obs", "parent_ended", await down_of(ref))
    s.incarnations.clear()


async def supervisor_killed(s: Scenario, gate: Gate) -> None:
    """What it has started ends with it."""

    async def starter() -> None:
        otp.trap_exit()
        s.name(otp.self(), "starter")
        children = [s.spec("a"), s.spec("b", waits=True), s.spec("c")]
        raise otp.Exit(await started(s.sup(children)))

    _, ref = otp.spawn_monitor(starter)
    held = await gate.held()
    a = otp.whereis("a")
    assert a is not None
    a_ref = otp.monitor(a)
    otp.exit_signal(parent_of(held), "kill")
    s.event("obs", "a_down", await down_of(a_ref))
    s.event("obs", "killed", await down_of(ref))
    held_ref = otp.monitor(held)
    gate.open(held)
    s.event("obs", "b_down", await down_of(held_ref))
    s.event("obs", "left", [id for id in "abc" if otp.whereis(id) is not None])
