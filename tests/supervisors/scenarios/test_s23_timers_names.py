"""S23: registered names and what is refused; timers and when their target is looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import BadArg, GenServer, Ref, StartError, TimerRef

from .harness import Scenario, drain, golden, play


class Server(GenServer):
    def init(self, state: Any) -> Any:
        return "ok", state


def attempt(function: Callable[..., None], *args: Any) -> Any:
    try:
        function(*args)
    except BadArg:
        return "error", "badarg"
    return True


def shown(message: Any) -> Any:
    """A message as Erlang shows it: there a timer is a reference like any other."""
    if isinstance(message, tuple):
        return tuple(Ref() if isinstance(part, TimerRef) else part for part in message)
    return message


def false_or(left: float | None) -> bool | float:
    """The answer of a timer function, whose "no such timer" is `false` in Erlang."""
    return False if left is None else left


async def s23(s: Scenario) -> None:
    otp.trap_exit()

    async def life() -> None:
        await otp.receive(lambda m: m == "stop")

    p = s.name(otp.spawn_link(life), "p")
    s.event("obs", "register", attempt(otp.register, "n1", p))
    s.event("obs", "register_twice_same_pid", attempt(otp.register, "n2", p))
    s.event("obs", "register_taken", attempt(otp.register, "n1", otp.self()))
    s.event("obs", "register_undefined", attempt(otp.register, "undefined", p))
    s.event("obs", "whereis", otp.whereis("n1"))
    try:
        await Server.start("x", name="n1")
    except StartError as refused:
        s.event("obs", "gen_server_same_name", ("error", refused.reason))
    otp.send(p, "stop")
    s.event("obs", "exited", await s.exit_of(p))
    s.event("obs", "whereis", otp.whereis("n1"))
    s.event("obs", "unregister", attempt(otp.unregister, "n1"))
    s.event("obs", "process_info_dead", otp.process_info(p))
    s.event("obs", "is_alive", otp.is_alive(p))

    first = otp.send_after(0.020, otp.self(), "bare")
    second = otp.start_timer(0.030, otp.self(), "tagged")
    third = otp.send_after(5.0, otp.self(), "never")
    await trio.sleep(0.060)
    s.event("obs", "got", [shown(message) for message in await drain()])
    s.event("obs", "cancel_fired", false_or(otp.cancel_timer(first)))
    s.event("obs", "cancel_live", false_or(otp.cancel_timer(third)) > 4.0)
    s.event("obs", "cancel_again", false_or(otp.cancel_timer(third)))
    s.event("obs", "read_fired", false_or(otp.read_timer(second)))

    otp.send_after(0.030, "late_name", "hello")
    otp.register("late_name", otp.self())
    await trio.sleep(0.060)
    s.event("obs", "by_name", await drain())
    otp.unregister("late_name")
    otp.send_after(0.010, "late_name", "hello")
    await trio.sleep(0.030)
    s.event("obs", "no_name", await drain())


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s23) == golden("s23_timers_names")
