"""Callbacks that block: in a thread, while the loop and everybody else go on."""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, GenEvent, GenServer, GenStateMachine, blocking, call, cast

GUARD = 30
"""Seconds after which a thread stops waiting and the test fails."""

patiently = partial(call, timeout=math.inf)  # the virtual clock does not wait for threads


class Gate:
    """Lets a test hold a blocking callback in the middle, and know that it is there."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.left = threading.Event()

    def pass_through(self) -> None:
        self.entered.set()
        try:
            assert self.opened.wait(GUARD)
        finally:
            self.left.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


class Slow(GenServer):
    """Requests are functions of no arguments that are run where the server blocks."""

    def init(self) -> Any:
        return "ok", []

    @blocking
    def handle_call(self, request: Callable[[], Any], from_: Any, seen: list[Any]) -> Any:
        return "reply", request(), seen

    @blocking
    def handle_cast(self, request: Any, seen: list[Any]) -> Any:
        return "noreply", [*seen, request() if callable(request) else request]

    def handle_info(self, message: Any, seen: list[Any]) -> Any:
        return "noreply", [*seen, message]


class Quick(GenServer):
    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", request(), state


async def has_entered(gate: Gate) -> None:
    assert await trio.to_thread.run_sync(gate.entered.wait, GUARD)


def test_while_one_blocks_the_others_answer(as_process: Any, gate: Gate) -> None:
    async def main() -> None:
        slow, quick = await Slow.start_link(), await Quick.start_link()
        cast(slow, gate.pass_through)
        await has_entered(gate)
        assert await call(quick, lambda: "at once") == "at once"
        assert not gate.opened.is_set()
        gate.opened.set()
        assert await patiently(slow, threading.get_ident) != threading.get_ident()

    as_process(main)


def test_messages_keep_their_order_and_one_is_handled_at_a_time(
    as_process: Any, gate: Gate
) -> None:
    async def main() -> None:
        slow = await Slow.start_link()
        cast(slow, gate.pass_through)
        await has_entered(gate)
        for number in range(20):
            cast(slow, number)
            otp.send(slow, ("info", number))
        gate.opened.set()
        await patiently(slow, lambda: None)
        expected = [mail for n in range(20) for mail in (n, ("info", n))]
        assert await otp.sys.get_state(slow) == [None, *expected]

    as_process(main)


def test_a_killed_server_ends_before_its_thread_does(as_process: Any, gate: Gate) -> None:
    async def main() -> None:
        slow = await Slow.start(name="slow")
        ref = otp.monitor(slow)
        cast(slow, gate.pass_through)
        await has_entered(gate)
        otp.exit_signal(slow, "kill")
        assert await otp.receive() == ("DOWN", ref, "process", slow, "killed")
        assert otp.whereis("slow") is None
        assert not gate.left.is_set()

    as_process(main)


def test_the_process_is_the_servers_whoever_runs_in_the_loop(as_process: Any, gate: Gate) -> None:
    async def main() -> None:
        slow, quick = await Slow.start_link(), await Quick.start_link()
        told = threading.Event()
        who: list[Any] = []

        def ask() -> None:
            gate.pass_through()
            who.append(otp.self())
            told.set()

        def hold_the_loop() -> bool:
            gate.opened.set()
            return told.wait(GUARD)

        cast(slow, ask)
        await has_entered(gate)
        assert await call(quick, hold_the_loop)
        assert who == [slow]

    as_process(main)


def test_what_it_raises_ends_the_server_with_the_place_in_the_thread(as_process: Any) -> None:
    def fails() -> None:
        raise LookupError("no such row")

    async def main() -> None:
        slow = await Slow.start()
        with pytest.raises(CallExit) as failed:
            await patiently(slow, fails)
        error, stack = failed.value.cause
        assert (type(error), str(error)) == (LookupError, "no such row")
        assert [frame.name for frame in stack.frames][-2:] == ["handle_call", "fails"]
        slow, ref = await Slow.start_monitor()
        cast(slow, lambda: exec("raise SystemExit(3)"))
        assert (await otp.receive(lambda m: m[1] is ref))[4][0].code == 3

    as_process(main)


def test_exit_and_throw_mean_what_they_mean_elsewhere(as_process: Any) -> None:
    class Says(GenServer):
        @blocking
        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            raise request

    async def main() -> None:
        says = await Says.start()
        assert await patiently(says, otp.Throw(("reply", "thrown", None))) == "thrown"
        ref = otp.monitor(says)
        with pytest.raises(CallExit):
            await patiently(says, otp.Exit("enough"))
        assert (await otp.receive(lambda m: m[1] is ref))[4] == "enough"

    as_process(main)


def test_from_the_thread_the_others_are_reached_through_trio(as_process: Any) -> None:
    async def main() -> None:
        slow, other = await Slow.start_link(), await Slow.start_link()

        def tells() -> Any:
            trio.from_thread.run_sync(cast, other, "told")
            return trio.from_thread.run(patiently, other, lambda: "asked")

        assert await patiently(slow, tells) == "asked"
        assert await otp.sys.get_state(other) == ["told"]

    as_process(main)


def test_a_state_machine_blocks_in_its_states_and_in_others_not(as_process: Any) -> None:
    class Door(GenStateMachine):
        def callback_mode(self) -> Any:
            return "state_functions"

        def init(self) -> Any:
            return "ok", "closed", threading.get_ident()

        @blocking
        def closed(self, type: Any, content: Any, loop: int) -> Any:
            beside = threading.get_ident() != loop
            return "next_state", "open", loop, [("reply", type[1], beside)]

        def open(self, type: Any, content: Any, loop: int) -> Any:
            return "keep_state", loop, [("reply", type[1], threading.get_ident() != loop)]

    async def main() -> None:
        door = await Door.start_link()
        assert await patiently(door, "push") is True
        assert await patiently(door, "push") is False

    as_process(main)


def test_as_a_function_it_is_what_a_process_runs(as_process: Any) -> None:
    def work(seen: list[Any], limit: int) -> None:
        seen.append((otp.self(), limit, threading.get_ident()))

    async def main() -> None:
        seen: list[Any] = []
        pid, ref = otp.spawn_monitor(blocking(work), seen, 3)
        assert (await otp.receive(lambda m: m[1] is ref))[4] == "normal"
        [(who, limit, thread)] = seen
        assert (who, limit) == (pid, 3)
        assert thread != threading.get_ident()

    as_process(main)
    assert inspect.signature(blocking(work)) == inspect.signature(work)


def test_where_nothing_may_wait_it_is_refused() -> None:
    with pytest.raises(TypeError, match="must not wait"):

        class Tally(GenEvent):
            @blocking
            def handle_event(self, event: Any, state: Any) -> Any:
                return "ok", state

    with pytest.raises(TypeError, match="must be a plain function"):

        class Changes(GenServer):
            @blocking
            def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
                return "ok", state


async def waits() -> None: ...


@pytest.mark.parametrize("what", [waits, blocking(print), "print"])
def test_only_plain_functions_are_taken(what: Any) -> None:
    with pytest.raises(TypeError, match="needs a plain function"):
        blocking(what)
