"""When an upstream is started and stopped, in every order of what can happen."""

from __future__ import annotations

import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from erlmcp_py.gateway.sleep import Sleep

TIMEOUT = 10.0


class Sleeper(RuleBasedStateMachine):
    """Users that come and go, a steward that decides when it is told to or its time is over, and dies."""

    @initialize(on_demand=st.booleans(), timeout=st.sampled_from([TIMEOUT, math.inf]))
    def begin(self, on_demand: bool, timeout: float) -> None:
        self.now = 0.0
        self.sleep = Sleep(timeout, on_demand=on_demand)
        self.users = 0
        self.idle_since = 0.0
        self.told = False
        self.alarm: float | None = None
        self.runs = self.sleep.begin(self.now)
        assert self.runs == (not on_demand)
        self.told = True  # a steward looks when it begins

    @rule()
    def comes(self) -> None:
        self.users += 1
        self.told |= self.sleep.enter()

    @precondition(lambda self: self.users)
    @rule()
    def goes(self) -> None:
        self.users -= 1
        self.idle_since = self.now
        self.told |= self.sleep.leave(self.now)

    @rule(seconds=st.sampled_from([0.125, TIMEOUT / 2, TIMEOUT, 3 * TIMEOUT]))
    def time_passes(self, seconds: float) -> None:
        """No further than to the next alarm, which a steward does not miss."""
        self.now += seconds if self.alarm is None else min(seconds, self.alarm - self.now)

    @precondition(lambda self: self.told or (self.alarm is not None and self.now >= self.alarm))
    @rule(held=st.booleans())
    def decides(self, held: bool) -> None:
        if self.alarm is not None and self.now >= self.alarm:
            self.alarm = None
        self.told = False
        match self.sleep.decide(self.now, held=held):
            case "start":
                assert not self.runs
                assert self.users or held or self.sleep.timeout == math.inf
            case "stop":
                assert self.runs
                assert not self.users
                assert not held
                assert self.now >= self.idle_since + TIMEOUT
            case float(rest):
                assert 0 < rest <= TIMEOUT
                self.alarm = self.now + rest
            case None:
                pass
        if held:
            self.idle_since = self.now

    @precondition(lambda self: self.sleep.phase in ("waking", "stopping"))
    @rule()
    def is_done(self) -> None:
        self.runs = self.sleep.phase == "waking"
        self.idle_since = max(self.idle_since, self.now if self.runs else 0.0)
        self.sleep.done(self.now)
        self.told = True

    @rule()
    def falls_at_once(self) -> None:
        self.runs = self.sleep.begin(self.now)
        self.idle_since = self.now
        self.told = True

    @rule(timeout=st.sampled_from([TIMEOUT, math.inf]), on_demand=st.booleans())
    def is_configured_anew(self, timeout: float, on_demand: bool) -> None:
        self.sleep.timeout, self.sleep.on_demand = timeout, on_demand
        self.told = True

    @invariant()
    def while_it_is_used_nothing_is_stopped_or_forgotten(self) -> None:
        if self.users and self.sleep.phase == "asleep":
            assert self.told  # and so it will be started
        if self.sleep.phase == "awake":
            assert self.runs

    @invariant()
    def an_idle_one_is_looked_at_again(self) -> None:
        if self.sleep.phase == "awake" and not self.users and self.sleep.timeout != math.inf:
            assert self.told or self.alarm is not None

    @invariant()
    def what_does_not_run_takes_nothing(self) -> None:
        assert self.sleep.may_work == (self.sleep.phase in ("awake", "waking"))


TestSleeper = Sleeper.TestCase


def test_used_it_is_started_and_unused_stopped() -> None:
    sleep = Sleep(TIMEOUT, on_demand=True)
    assert sleep.decide(0, held=False) is None
    assert sleep.enter()
    assert sleep.decide(1, held=False) == "start"
    sleep.done(2)
    assert sleep.leave(3)
    assert sleep.decide(3, held=False) == TIMEOUT
    assert sleep.decide(13, held=True) == TIMEOUT
    assert not sleep.enter()
    assert sleep.decide(23, held=False) is None
    assert sleep.leave(24)
    assert sleep.decide(34, held=False) == "stop"
    assert not sleep.enter()  # it waits: when the stop is done, it is looked at anyway
    sleep.done(35)
    assert sleep.decide(35, held=False) == "start"
