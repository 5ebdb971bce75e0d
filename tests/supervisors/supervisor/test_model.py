"""Random lives of a regular supervisor against a small reference model.

The model keeps a plain list of children and computes by the rules, not by the code, what
runs after each event. What is compared: who runs, in which order, and who was started and
stopped in which order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisors._supervisor.errors import SupervisorError
from supervisors._supervisor.plan import Halt

from .driver import Driver, spec

IDS = "abcdef"
REASONS = ["normal", "shutdown", ("shutdown", "x"), "bad", "killed"]
GENTLE = ("normal", "shutdown", ("shutdown", "x"))
STRATEGIES = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])
RESTARTS = st.sampled_from(["permanent", "transient", "temporary"])
INTENSITY, PERIOD = 3, 2


@dataclass
class Kid:
    id: str
    restart: str
    up: bool = False
    pending: bool = False


class Life(RuleBasedStateMachine):
    """One supervisor; `kids` is the model, oldest first."""

    @initialize(strategy=STRATEGIES, restarts=st.lists(RESTARTS, max_size=4))
    def boot(self, strategy: str, restarts: list[Any]) -> None:
        children = [spec(id, restart=r) for id, r in zip(IDS, restarts, strict=False)]
        self.strategy = strategy
        self.driver = Driver(children, strategy=strategy, intensity=INTENSITY, period=PERIOD)
        self.kids = [Kid(str(c.id), c.restart, up=True) for c in children]
        self.attempts: list[int] = []
        self.halted = False
        assert self.driver.boot() is None
        assert self.work() == [f"start {kid.id}" for kid in self.kids]

    @precondition(lambda self: self.halted)
    @rule(strategy=STRATEGIES, restarts=st.lists(RESTARTS, max_size=4))
    def another_life(self, strategy: str, restarts: list[Any]) -> None:
        self.boot(strategy, restarts)

    def work(self) -> list[str]:
        return [line for line in self.driver.seen() if line.startswith(("start ", "stop "))]

    def kid(self, id: str) -> Kid | None:
        return next((kid for kid in self.kids if kid.id == id), None)

    def allowed(self) -> bool:
        second = math.floor(self.driver.now)
        self.attempts = [s for s in self.attempts if s >= second - PERIOD] + [second]
        return len(self.attempts) <= INTENSITY

    def expected_restart(self, kid: Kid, failing: str | None) -> list[str]:
        """What a restart of `kid` has to do; updates the model."""
        place = self.kids.index(kid)
        group = {
            "one_for_one": [kid],
            "one_for_all": list(self.kids),
            "rest_for_one": self.kids[place:],
        }[self.strategy]
        work = []
        for member in reversed(group):
            if member.up:
                work.append(f"stop {member.id}")
            member.up = member.pending = False
            if member.restart == "temporary":
                self.kids.remove(member)
                group = [other for other in group if other is not member]
        for member in group:
            work.append(f"start {member.id}")
            if member.id == failing:
                member.pending = True
                break
            member.up = True
        return work

    def happened(self) -> list[str]:
        """The work of the machine, pids cut down to ids."""
        return [line.split("#")[0] for line in self.work()]

    def after_attempt(self, verdict: Halt | None, kid: Kid, failing: str | None) -> None:
        if self.allowed():
            assert verdict is None
            assert self.happened() == self.expected_restart(kid, failing)
            return
        assert verdict == Halt("shutdown")
        self.halted = True
        if kid.restart == "temporary":
            self.kids.remove(kid)
        kid.pending = False
        assert self.happened() == []
        self.driver.run(self.driver.machine.stop_all())
        assert self.happened() == [f"stop {k.id}" for k in reversed(self.kids) if k.up]
        for other in self.kids:
            other.up = other.pending = False
        self.kids = [k for k in self.kids if k.restart != "temporary"]

    @precondition(lambda self: not self.halted)
    @rule(data=st.data(), reason=st.sampled_from(REASONS), failing=st.sampled_from([None, *IDS]))
    def child_ends(self, data: st.DataObject, reason: object, failing: str | None) -> None:
        running = [kid for kid in self.kids if kid.up]
        if not running:
            return
        kid = data.draw(st.sampled_from(running))
        self.driver.plans = {failing: ["busy"]} if failing else {}
        verdict = self.driver.exited(self.driver.pids()[kid.id], reason)
        kid.up = False
        if kid.restart == "permanent" or (kid.restart == "transient" and reason not in GENTLE):
            self.after_attempt(verdict, kid, failing)
            return
        assert (verdict, self.happened()) == (None, [])
        if kid.restart == "temporary":
            self.kids.remove(kid)

    @precondition(lambda self: not self.halted and self.driver.retries)
    @rule(failing=st.sampled_from([None, *IDS]))
    def retry_comes(self, failing: str | None) -> None:
        kid = self.kid(str(self.driver.retries[0]))
        self.driver.plans = {failing: ["busy"]} if failing else {}
        verdict = self.driver.retry()
        if kid is None or not kid.pending:
            assert (verdict, self.happened()) == (None, [])
        else:
            self.after_attempt(verdict, kid, failing)

    @precondition(lambda self: not self.halted)
    @rule(
        id=st.sampled_from(IDS), restart=RESTARTS, outcome=st.sampled_from(["ok", "ignore", "no"])
    )
    def start_child(self, id: str, restart: Any, outcome: str) -> None:
        kid = self.kid(id)
        self.driver.plans = {id: [outcome]}
        answer = self.answer(self.driver.machine.start_child(spec(id, restart=restart)))
        if kid is not None:
            expected = "already_started" if kid.up else "already_present"
            assert answer == expected
            assert self.happened() == []
            return
        assert self.happened() == [f"start {id}"]
        if outcome == "ok" or (outcome == "ignore" and restart != "temporary"):
            self.kids.append(Kid(id, restart, up=outcome == "ok"))

    @precondition(lambda self: not self.halted)
    @rule(id=st.sampled_from(IDS))
    def terminate_child(self, id: str) -> None:
        kid = self.kid(id)
        answer = self.answer(self.driver.machine.terminate_child(id))
        if kid is None:
            assert answer == "not_found"
            return
        assert self.happened() == ([f"stop {id}"] if kid.up else [])
        kid.up = kid.pending = False
        if kid.restart == "temporary":
            self.kids.remove(kid)

    @precondition(lambda self: not self.halted)
    @rule(id=st.sampled_from(IDS), delete=st.booleans())
    def restart_or_delete(self, id: str, delete: bool) -> None:
        kid = self.kid(id)
        machine = self.driver.machine
        self.driver.plans = {}
        answer: object = None
        try:
            if delete:
                machine.delete_child(id)
            else:
                self.driver.run(machine.restart_child(id))
        except SupervisorError as refused:
            answer = refused.reason
        if kid is None:
            assert answer == "not_found"
        elif kid.up or kid.pending:
            assert answer == ("running" if kid.up else "restarting")
        elif delete:
            self.kids.remove(kid)
        else:
            kid.up = True
            assert self.happened() == [f"start {id}"]
        self.driver.seen()

    @precondition(lambda self: not self.halted)
    @rule(seconds=st.floats(0, 2, allow_nan=False))
    def time_passes(self, seconds: float) -> None:
        self.driver.now += seconds

    def answer(self, plan: Any) -> object:
        try:
            return self.driver.run(plan)
        except SupervisorError as refused:
            return refused.reason[0] if isinstance(refused.reason, tuple) else refused.reason

    @invariant()
    def same_children_in_the_same_order(self) -> None:
        if not hasattr(self, "driver"):
            return
        shown = {
            id: "pending" if pid == "restarting" else "up" if pid else "down"
            for id, pid in self.driver.pids().items()
        }
        model = {k.id: "pending" if k.pending else "up" if k.up else "down" for k in self.kids}
        assert list(shown.items()) == list(model.items())


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40)
