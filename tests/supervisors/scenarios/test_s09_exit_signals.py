"""S09: the matrix of exit signals, and the reasons of uncaught exceptions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import Exit, Pid

from .harness import Scenario, drain, golden, play
from .terms import ErlangError

WAIT = 0.05


async def probe(trap: bool, act: Callable[[Pid], None]) -> Any:
    """What becomes of a process that something is done to, and what it gets as mail."""
    me = otp.self()

    async def waiting() -> None:
        otp.trap_exit(trap)
        otp.send(me, "ready")
        try:
            otp.send(me, ("mail", await otp.receive(timeout=0.06)))
        except trio.TooSlowError:
            otp.send(me, "quiet")

    pid, ref = otp.spawn_monitor(waiting)
    await otp.receive(lambda message: message == "ready")
    act(pid)
    down = await otp.receive(lambda message: message[0] == "DOWN" and message[1] is ref)
    return "down", down[4], await drain()


async def s09(s: Scenario) -> None:
    """Seventeen small lives and deaths."""

    async def die(life: Callable[[], Awaitable[Any]]) -> Any:
        pid, ref = otp.spawn_monitor(life)
        s.name(pid, "dying")
        down = await otp.receive(lambda message: message[0] == "DOWN" and message[1] is ref)
        return down[4]

    async def survive(seconds: float) -> None:
        try:
            await otp.receive(timeout=seconds)
        except trio.TooSlowError:
            raise Exit("survived") from None

    async def end(reason: Any = "normal") -> None:
        raise Exit(reason)

    async def got_everything() -> None:
        raise Exit(("got", await drain()))

    s.event("obs", "normal_untrapped", await probe(False, lambda p: otp.exit(p, "normal")))
    s.event("obs", "normal_trapped", await probe(True, lambda p: otp.exit(p, "normal")))

    async def normal_to_itself() -> None:
        otp.exit(otp.self(), "normal")
        await survive(WAIT)

    async def normal_to_itself_trapped() -> None:
        otp.trap_exit()
        otp.exit(otp.self(), "normal")
        await got_everything()

    s.event("obs", "self_normal_untrapped", await die(normal_to_itself))
    s.event("obs", "self_normal_trapped", await die(normal_to_itself_trapped))

    async def linked_to_killed() -> None:
        otp.trap_exit()
        otp.exit(otp.spawn_link(otp.receive), "kill")
        await got_everything()

    s.event("obs", "kill_signal_trapped", await probe(True, lambda p: otp.exit(p, "kill")))
    s.event("obs", "linked_to_killed", await die(linked_to_killed))

    def linked(reason: Any, *, trap: bool, wait: float = WAIT) -> Callable[[], Awaitable[None]]:
        async def life() -> None:
            otp.trap_exit(trap)
            otp.spawn_link(end, reason)
            await (got_everything() if trap else survive(wait))

        return life

    s.event("obs", "linked_exit_kill_trapped", await die(linked("kill", trap=True)))
    s.event("obs", "linked_exit_kill_untrapped", await die(linked("kill", trap=False, wait=1.0)))
    s.event("obs", "linked_normal_untrapped", await die(linked("normal", trap=False)))
    s.event("obs", "linked_normal_trapped", await die(linked("normal", trap=True)))

    gone = otp.spawn(end)
    await trio.sleep(0.02)

    async def link_gone() -> None:
        try:
            otp.link(gone)
        except otp.NoProc:
            raise Exit(("error", "noproc")) from None

    async def link_gone_trapped() -> None:
        otp.trap_exit()
        otp.link(gone)
        await got_everything()

    s.event("obs", "link_gone_untrapped", await die(link_gone))
    s.event("obs", "link_gone_trapped", await die(link_gone_trapped))

    async def unlink_late() -> None:
        otp.trap_exit()
        pid = otp.spawn_link(end, "late")
        await trio.sleep(0.02)
        otp.unlink(pid)
        await got_everything()

    s.event("obs", "unlink_late", await die(unlink_late))

    async def error() -> None:
        raise ErlangError("bad")

    async def throw() -> None:
        raise otp.Throw("ball")

    async def leave() -> None:
        raise Exit("out")

    async def returned() -> int:
        return 42

    for kind, life in (("error", error), ("throw", throw), ("exit", leave), ("returned", returned)):
        s.event("obs", "uncaught", (kind, await die(life)))


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s09) == golden("s09_exit_signals")
