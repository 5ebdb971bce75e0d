"""The public kit: order from a seed, causes instead of sleeps, faults on order."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CrashReport,
    GenServer,
    Ignore,
    ProgressReport,
    StartError,
    Supervisor,
    SupFlags,
    testing,
)
from supervisors.testing import (
    Faults,
    end_of,
    events,
    restart_of,
    run,
    wait_all_blocked,
)

DOCS = Path(__file__).parents[3] / "docs"


class Plain(GenServer):
    def init(self, *args: Any) -> Any:
        return "ok", args

    def handle_call(self, request: Any, _from: Any, state: Any) -> Any:
        return "reply", request, state

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "stop", request, state


class Tree(Supervisor):
    def init(self, flags: SupFlags, specs: list[Any]) -> Any:
        return flags, specs


async def tree(*specs: Any, **flags: Any) -> otp.Pid:
    return await Tree.start_link(SupFlags(**{"intensity": 9, **flags}), list(specs))


def test_the_chapter() -> None:
    result = doctest.testfile(str(DOCS / "testing.md"), module_relative=False, encoding="utf-8")
    assert result.attempted > 8
    assert result.failed == 0


def test_the_docstring() -> None:
    result = doctest.testmod(testing)
    assert result.attempted > 5
    assert result.failed == 0


# --- order ------------------------------------------------------------------------------


async def order_of_arrival() -> list[int]:
    me = otp.self()

    async def sender(number: int) -> None:
        for _ in range(5):
            otp.send(me, number)
            await trio.lowlevel.checkpoint()

    for number in range(6):
        otp.spawn(sender, number)
    return [await otp.receive() for _ in range(30)]


def test_one_seed_one_order() -> None:
    orders = {seed: run(order_of_arrival, seed=seed) for seed in range(5)}
    assert all(run(order_of_arrival, seed=seed) == order for seed, order in orders.items())
    assert len({tuple(order) for order in orders.values()}) > 1


def test_trios_own_randomness_is_left_as_it_was() -> None:
    from trio._core import _run

    before = _run._r.getstate(), _run._ALLOW_DETERMINISTIC_SCHEDULING
    run(order_of_arrival, seed=3)
    assert (_run._r.getstate(), _run._ALLOW_DETERMINISTIC_SCHEDULING) == before


def test_a_failure_says_its_seed() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError) as caught:
        run(fail, seed=41)
    assert "seed=41" in caught.value.__notes__[0]
    with pytest.raises(ValueError) as caught:
        run(fail)
    assert "seed=" in caught.value.__notes__[0]


# --- causes -----------------------------------------------------------------------------


def test_an_end_is_waited_for_and_leaves_no_watch() -> None:
    async def body() -> None:
        pid = await Plain.start(name="x")
        assert await end_of("x", lambda: otp.cast("x", "enough")) == "enough"
        assert await end_of(pid) == "noproc"
        with pytest.raises(AssertionError, match="registered as 'x'"):
            await end_of("x")
        pid = await Plain.start()
        with pytest.raises(AssertionError, match="not ended within 3 s"):
            await end_of(pid, within=3)
        assert otp.process_info(pid).monitored_by == ()  # type: ignore[union-attr]

    run(body, seed=0)


def test_a_restart_is_waited_for() -> None:
    async def body() -> None:
        sup = await tree(Plain.child_spec(name="a"), Plain.child_spec(name="b"))
        old = otp.whereis("a")
        new = await restart_of(sup, "a", lambda: otp.cast("a", "enough"))
        assert new is otp.whereis("a") is not old
        with pytest.raises(AssertionError, match=r"no child 'c'; it has \['b', 'a'\]"):
            await restart_of(sup, "c", lambda: None)
        with pytest.raises(AssertionError, match="not restarted 'b' within 2 s"):
            await restart_of(sup, "b", lambda: otp.cast("a", "enough"), within=2)

    run(body, seed=0)


def test_a_supervisor_that_gives_up_instead_is_named() -> None:
    async def body() -> None:
        otp.trap_exit()
        sup = await tree(Plain.child_spec(name="a"), intensity=0)
        with pytest.raises(AssertionError, match="ended with shutdown instead"):
            await restart_of(sup, "a", lambda: otp.cast("a", "enough"))

    run(body, seed=0)


def test_events_are_recorded_until_the_block_ends() -> None:
    async def body() -> None:
        with events() as seen:
            await tree(Plain.child_spec(name="a"))
            otp.send_after(5, "a", "odd")
            otp.cast("a", "enough")
            crash = await seen.wait(CrashReport)
            assert crash.reason == "enough"
            mark = seen.all.index(crash)
            again = await seen.wait(ProgressReport, lambda r: r.started["id"] == "a", after=mark)
            assert again.started["pid"] is otp.whereis("a")
            with pytest.raises(AssertionError, match="no matching CrashReport within 7 s"):
                await seen.wait(CrashReport, after=len(seen.all), within=7)
        count = len(seen.all)
        otp.cast("a", "enough")
        await wait_all_blocked()
        assert len(seen.all) == count
        assert [r.reason for r in seen.of(CrashReport)] == ["enough"]

    run(body, seed=0)


# --- faults -----------------------------------------------------------------------------


def test_faults_strike_start_functions_as_often_as_ordered() -> None:
    async def body() -> None:
        faults = Faults()
        sup = await tree()
        faults.ignore("a")
        assert await otp.start_child(sup, faults.spec(Plain.child_spec(name="a"))) is None
        faults.fail_start("b", "no luck")
        with pytest.raises(otp.SupervisorError) as refused:
            await otp.start_child(sup, faults.spec(Plain.child_spec(name="b")))
        assert refused.value.reason[0] == "no luck"
        faults.delay("b", 3600.0)
        before = trio.current_time()
        await otp.start_child(sup, faults.spec(Plain.child_spec(name="b")))
        assert trio.current_time() - before == pytest.approx(3600)
        assert faults.met == ["a", "b", "b"]

    run(body, seed=0)


@pytest.mark.parametrize("waiting", [False, True])
def test_faults_strike_callbacks_that_match(waiting: bool) -> None:
    async def body() -> None:
        faults = Faults()
        cls = faults.waiting_server(Plain) if waiting else faults.server(Plain)
        assert cls.is_plain is not waiting
        pid = await cls.start()
        faults.crash(
            "handle_call", KeyError("x"), when=lambda request, _from, _state: request == "bad"
        )
        assert await otp.call(pid, "good") == "good"
        with pytest.raises(otp.CallExit) as lost:
            await otp.call(pid, "bad")
        assert isinstance(lost.value.cause[0], KeyError)
        faults.crash("init")
        with pytest.raises(StartError):
            await cls.start()
        faults.crash("init", Ignore("later"))
        faults.clear()
        assert otp.is_alive(await cls.start())

    run(body, seed=0)


def test_a_waiting_server_can_be_slow_and_hang() -> None:
    async def body() -> None:
        faults = Faults()
        pid = await faults.waiting_server(Plain).start()
        faults.delay("handle_call", 3.0)
        before = trio.current_time()
        assert await otp.call(pid, 1) == 1
        assert trio.current_time() - before == pytest.approx(3)
        faults.hang("handle_call")
        with pytest.raises(otp.CallExit, match="timeout"):
            await otp.call(pid, 2)
        assert await end_of(pid, lambda: otp.exit_signal(pid, "kill")) == "killed"

    run(body, seed=0)


def test_a_plain_callback_says_that_it_cannot_wait() -> None:
    async def body() -> None:
        faults = Faults()
        pid = await faults.server(Plain).start()
        faults.delay("handle_call", 3.0)
        with pytest.raises(otp.CallExit) as lost:
            await otp.call(pid, 1)
        assert "waiting_server" in str(lost.value.cause[0])

    run(body, seed=0)
