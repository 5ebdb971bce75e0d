"""The process of a breaker: time, probes that are killed, crashes, operators, alarms. On a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from erlmcp_py.guards import breaker as guard
from erlmcp_py.guards.breaker import Breaker, BreakerSettings
from erlmcp_py.protocol.errors import McpError
from supervisors import (
    ChildSpec,
    Runtime,
    Supervisor,
    SupFlags,
    alarm_handler,
    exit_signal,
    process_info,
    restart_child,
    spawn,
    sys,
    terminate_child,
    whereis,
)


class Top(Supervisor):
    def init(self, *children: ChildSpec) -> Any:
        return SupFlags("one_for_one", 10, 60), list(children)


@pytest.fixture
async def breaker() -> AsyncIterator[Breaker]:
    made = Breaker("x", BreakerSettings())
    async with Runtime("n"):
        up = trio.Event()

        async def parent() -> None:
            await Top.start_link(guard.child_spec(made), alarm_handler.child_spec(), name="top")
            up.set()
            await trio.sleep_forever()

        spawn(parent)
        await up.wait()
        yield made


class Caller:
    """A process that enters, and stays until it is told how its request ended."""

    def __init__(self, breaker: Breaker, generation: int = 1) -> None:
        self.outcome = trio.Event()
        self.end = ""
        self.refusal: McpError | None = None
        self.entered = trio.Event()
        self.leaves = trio.Event()
        """Processes of requests go on to the next one."""
        self.pid = spawn(self.run, breaker, generation)

    async def run(self, breaker: Breaker, generation: int) -> None:
        try:
            permit = await guard.enter(breaker, generation)
        except McpError as refusal:
            self.refusal = refusal
            return
        finally:
            self.entered.set()
        await self.outcome.wait()
        if "lives" in self.end:
            permit.lives()
        if "succeeded" in self.end:
            permit.succeeded()
        elif self.end in ("failed", "lost"):
            permit.failed("no answer", lost=self.end == "lost")
        permit.release()
        await self.leaves.wait()

    async def ends(self, how: str) -> None:
        await self.entered.wait()
        self.end = how
        self.outcome.set()
        self.leaves.set()
        await over(self.pid)


async def over(pid: Any) -> None:
    while process_info(pid) is not None:
        await trio.lowlevel.checkpoint()


async def let_in(breaker: Breaker, generation: int = 1) -> Caller | None:
    caller = Caller(breaker, generation)
    await caller.entered.wait()
    return caller if caller.refusal is None else None


async def opened(breaker: Breaker, times: int = 5) -> None:
    for _ in range(times):
        await Caller(breaker).ends("failed")
    while breaker.state != "open":
        await trio.lowlevel.checkpoint()


async def test_it_opens_waits_lets_two_try_and_closes(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    assert await let_in(breaker) is None
    await trio.sleep(59)
    assert await let_in(breaker) is None
    await trio.sleep(1.1)
    assert breaker.state == "half_open"  # by itself, without anybody who asks
    probes = [await let_in(breaker) for _ in range(3)]
    assert [probe is not None for probe in probes] == [True, True, False]
    for probe in probes[:2]:
        assert probe is not None
        await probe.ends("succeeded")
    while breaker.state != "closed":
        await trio.lowlevel.checkpoint()
    assert breaker.refused == 3


async def test_who_is_refused_is_told_the_code_the_hint_and_when(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    await trio.sleep(20)
    caller = Caller(breaker)
    await caller.entered.wait()
    assert caller.refusal is not None
    assert caller.refusal.data["refusal"] == 1086
    assert caller.refusal.data["hint"] == "wait, then send the request again"
    assert "5 failures in a row, the last one: no answer; it is tried again in" in str(
        caller.refusal
    )


async def test_ten_requests_that_are_lost_at_once_do_not_open_it(
    autojump_clock: Any, breaker: Breaker
) -> None:
    callers = [Caller(breaker) for _ in range(10)]
    for caller in callers:
        await caller.ends("lost")
    (status,) = await guard.statuses()  # behind all that was told before
    assert (status.state, status.failures) == ("closed", 1)


async def test_without_failures_a_request_costs_its_process_nothing(
    autojump_clock: Any, breaker: Breaker
) -> None:
    pid = whereis("breaker_x")
    assert pid is not None
    before = process_info(pid)
    for _ in range(50):
        await Caller(breaker).ends("succeeded")
    after = process_info(pid)
    assert before is not None
    assert after is not None
    assert after.messages_in == before.messages_in


async def test_the_place_of_a_probe_that_is_killed_is_free_again(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    await trio.sleep(60)
    probes = [await let_in(breaker) for _ in range(2)]
    assert await let_in(breaker) is None
    assert probes[0] is not None
    exit_signal(probes[0].pid, "kill")
    await over(probes[0].pid)
    assert await let_in(breaker) is not None
    assert await let_in(breaker) is None


async def test_the_place_of_a_probe_that_was_not_sent_is_free_again(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    await trio.sleep(60.1)
    probes = [await let_in(breaker) for _ in range(2)]
    assert probes[1] is not None
    probes[1].outcome.set()
    await trio.testing.wait_all_tasks_blocked()
    assert await let_in(breaker) is not None
    assert await let_in(breaker) is None


async def test_a_probe_that_lives_is_a_success_and_counts_once(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    await trio.sleep(60.1)
    probes = [await let_in(breaker) for _ in range(2)]
    assert probes[0] is not None
    await probes[0].ends("lives, succeeded")
    assert (await guard.statuses())[0].state == "half_open"
    assert await let_in(breaker) is None
    assert probes[1] is not None
    await probes[1].ends("lives")
    assert (await guard.statuses())[0].state == "closed"


async def test_who_waits_for_the_answer_no_longer_takes_no_place(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    await trio.sleep(60.1)
    pid = whereis("breaker_x")
    assert pid is not None
    await sys.suspend(pid)  # as one that has much to do
    waits, given_up = trio.CancelScope(), trio.Event()

    async def gives_up() -> None:
        with waits:
            await guard.enter(breaker, 1)
        given_up.set()
        await trio.sleep_forever()  # processes of requests go on to the next one

    caller = spawn(gives_up)
    await trio.testing.wait_all_tasks_blocked()
    waits.cancel()
    await given_up.wait()
    await sys.resume(pid)
    assert await let_in(breaker) is not None
    assert await let_in(breaker) is not None
    assert await let_in(breaker) is None
    exit_signal(caller, "kill")


async def test_other_numbers_are_in_effect_at_once_or_with_the_next_process(
    autojump_clock: Any, breaker: Breaker
) -> None:
    guard.configure_breaker(breaker, None)
    assert (await guard.statuses())[0].off
    await terminate_child("top", "breaker")
    guard.configure_breaker(breaker, BreakerSettings(failure_threshold=1))
    await restart_child("top", "breaker")
    await Caller(breaker).ends("failed")
    assert (await guard.statuses())[0].state == "open"


async def test_what_was_started_anew_is_tried_at_once(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    assert await let_in(breaker, 1) is None
    assert await let_in(breaker, 2) is not None
    assert breaker.state == "half_open"


async def killed(breaker: Breaker) -> None:
    pid = whereis("breaker_x")
    assert pid is not None
    exit_signal(pid, "kill")
    while whereis("breaker_x") in (None, pid):
        await trio.lowlevel.checkpoint()


async def test_a_crash_of_its_process_changes_nothing(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    await trio.sleep(30)
    await killed(breaker)
    assert await let_in(breaker) is None
    await trio.sleep(29)
    assert await let_in(breaker) is None
    await trio.sleep(1.1)
    assert await let_in(breaker) is not None


async def test_what_an_operator_opened_stays_open_over_crashes_and_hours(
    autojump_clock: Any, breaker: Breaker
) -> None:
    status = await guard.open_breaker("x", "maintenance")
    assert (status.state, status.held, status.retry_in) == ("open", True, None)
    await killed(breaker)
    await trio.sleep(3600)
    assert await let_in(breaker, 77) is None
    assert (await guard.reset_breaker("x")).held
    assert (await guard.close_breaker("x")).state == "closed"
    assert await let_in(breaker) is not None


async def test_nobody_is_let_through_while_the_process_that_counts_is_not_there(
    autojump_clock: Any, breaker: Breaker
) -> None:
    await opened(breaker)
    await trio.sleep(60)
    await terminate_child("top", "breaker")
    assert await let_in(breaker) is None


async def test_the_alarm_is_set_once_and_cleared_also_when_it_is_taken_away(
    autojump_clock: Any, breaker: Breaker
) -> None:
    def alarm(text: str) -> list[Any]:
        return [(("breaker_open", "x"), text)]

    await opened(breaker)
    why = "5 failures in a row, the last one: no answer"
    assert await alarm_handler.get_alarms() == alarm(why)
    await killed(breaker)
    assert await alarm_handler.get_alarms() == alarm(why)
    await guard.open_breaker("x", "maintenance")
    assert await alarm_handler.get_alarms() == alarm("maintenance")
    await guard.close_breaker("x")
    assert await alarm_handler.get_alarms() == []
    await guard.open_breaker("x", "maintenance")
    await terminate_child("top", "breaker")
    assert await alarm_handler.get_alarms() == []


async def test_it_is_as_old_as_its_first_process(autojump_clock: Any, breaker: Breaker) -> None:
    await trio.sleep(30)
    await killed(breaker)
    assert 30 <= (await guard.statuses())[0].seconds < 31


async def test_its_state_can_be_looked_at(autojump_clock: Any, breaker: Breaker) -> None:
    await opened(breaker)
    pid = whereis("breaker_x")
    assert pid is not None
    assert (await sys.get_status(pid))["state"]["state"] == "open"
    assert [each.name for each in await guard.statuses()] == ["x"]
