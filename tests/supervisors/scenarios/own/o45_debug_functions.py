"""O45, 1.7: debug functions, the log's ring, statistics, and switching everything off."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import GenServer, sys

from ..harness import Scenario, drain

OTP = [("sys", "install"), ("sys", "log"), ("sys", "stats"), ("sys", "trace")]


class Worker(GenServer):
    """Counts."""

    def init(self) -> Any:
        return "ok", 0

    def handle_call(self, request: Any, from_: Any, number: int) -> Any:
        return "reply", number, number

    def handle_cast(self, request: Any, number: int) -> Any:
        return "noreply", number + 1

    def handle_info(self, message: Any, number: int) -> Any:
        return "noreply", number + 1


def short(event: tuple[Any, ...]) -> Any:
    match event:
        case ("out", reply, _, state):
            return "out", reply, state
        case ("in", ("$gen_call", _, request)):
            return "in", ("call", request)
    return event


def erlang_order(terms: list[Any]) -> list[Any]:
    """Atoms before tuples, short tuples before long ones, then by content."""
    return sorted(terms, key=lambda t: (len(t), t[:2]) if isinstance(t, tuple) else (0, (t,)))


async def run(s: Scenario) -> None:
    """Once per id; until done, or raising; ten events, or two."""
    me = otp.self()
    pid = s.name(await Worker.start(), "srv")

    def tells(tag: str) -> Any:
        def function(number: int, event: Any, who: Any) -> int:
            otp.send(me, (tag, number, short(event), who))
            return number + 1

        return function

    async def handled() -> None:
        """Everything sent so far."""
        while otp.process_info(pid).message_queue_len:  # type: ignore[union-attr]
            await otp.yield_()

    async def install(id: str, tag: str, state: int) -> str:
        await sys.install(pid, tells(tag), state, id=id)
        return "ok"

    installed = [("one", "first", 0), ("one", "second", 5), ("two", "third", 9)]
    s.event("obs", "install", [await install(*each) for each in installed])
    otp.cast(pid, "add")
    await otp.call(pid, "get")
    s.event("obs", "seen", erlang_order(await drain()))
    await sys.remove(pid, "one")
    s.event("obs", "remove", "ok")
    otp.send(pid, "add")
    await handled()
    s.event("obs", "seen", await drain())
    await sys.remove(pid, "two")
    await otp.call(pid, "get")
    s.event("obs", "removed", await drain())

    def once(state: str, event: Any, _who: Any) -> str:
        otp.send(me, (state, short(event)))
        return "done"

    def raising(_state: Any, _event: Any, _who: Any) -> Any:
        otp.send(me, "raising")
        raise ValueError("no")

    await sys.install(pid, once, "only", id="once")
    await sys.install(pid, raising)
    otp.cast(pid, "add")
    otp.cast(pid, "add")
    await handled()
    s.event("obs", "gone", erlang_order(await drain()))
    await sys.log(pid, True)
    for _ in range(9):
        otp.cast(pid, "add")
    await handled()
    log = await sys.log(pid, "get")
    assert log is not None
    s.event("obs", "log", (len(log), log[-1]))
    await sys.log(pid, False)
    await sys.log(pid, 2)
    otp.cast(pid, "add")
    await handled()
    s.event("obs", "log", await sys.log(pid, "get"))
    await sys.statistics(pid, True)
    await otp.call(pid, "stop_counting")
    s.event("obs", "statistics", sorted(await sys.statistics(pid)))
    await sys.no_debug(pid)
    after = ["ok", ("ok", await sys.log(pid, "get")), ("ok", await sys.statistics(pid))]
    s.event("obs", "no_debug", after)
    await otp.call(pid, "get")
    s.event("obs", "alive", otp.is_alive(pid))
