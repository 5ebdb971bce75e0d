"""A reference model of T1-T4, written from the rules with plain lists, and its programs.

A program is a list of events that come from outside, one each second. An event is a `Plan`:
what the callback does with it. Enter calls have plans of their own, by state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

STATES = ("a", "b", "c")
NAMES = ("timeout", "state_timeout", ("timeout", "x"), ("timeout", "y"))
DELAYS = (0, 0.3137, 0.7291, 1.3719, 2.6173)
"""Seconds; no few of them add up to the whole second in which an event comes."""


LIMIT = 60
"""Callbacks after which plans do nothing: two postponed events can change the state in turns
for ever, here and in Erlang.
"""


@dataclass(frozen=True)
class Plan:
    """go: the next state, None to keep it, "repeat". actions: as OTP's, in order."""

    tag: int
    go: str | None = None
    actions: tuple[Any, ...] = ()

    def after(self, log: list[Any]) -> Plan:
        """The plan, as long as the limit is not reached."""
        return self if len(log) < LIMIT else Plan(self.tag)

    def returned(self, data: Any) -> Any:
        """What a callback returns that follows this plan."""
        actions = list(self.actions)
        if self.go is None:
            return "keep_state", data, actions
        if self.go == "repeat":
            return "repeat_state", data, actions
        return "next_state", self.go, data, actions


@dataclass(frozen=True)
class Program:
    """enter: what enter calls do, by state; None when the machine has none."""

    events: tuple[Plan, ...]
    enter: dict[str, Plan] | None


def _timeouts(tags: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(NAMES)
    return st.one_of(
        st.tuples(names, st.sampled_from(DELAYS), tags.map(Plan)),
        st.tuples(names, st.just("cancel")),
        st.tuples(names, st.just("update"), tags.map(Plan)),
    )


def programs() -> st.SearchStrategy[Program]:
    tags = st.integers(0, 999)
    go = st.sampled_from((None, None, "repeat", *STATES))
    postpone = st.one_of(st.just("postpone"), st.booleans().map(lambda flag: ("postpone", flag)))
    calm = st.one_of(postpone, _timeouts(tags))

    def inserted(plans: st.SearchStrategy[Plan]) -> st.SearchStrategy[Any]:
        return st.tuples(st.just("next_event"), st.just("internal"), plans)

    def plan(actions: st.SearchStrategy[Any]) -> st.SearchStrategy[Plan]:
        return st.builds(Plan, tags, go, st.lists(actions, max_size=4).map(tuple))

    leaf = plan(calm)
    middle = plan(st.one_of(calm, inserted(leaf)))
    top = plan(st.one_of(calm, inserted(middle)))
    entering = st.builds(Plan, tags, st.none(), st.lists(_timeouts(tags), max_size=2).map(tuple))
    return st.builds(
        Program,
        st.lists(top, min_size=1, max_size=8).map(tuple),
        st.one_of(st.none(), st.fixed_dictionaries(dict.fromkeys(STATES, entering))),
    )


@dataclass
class Model:
    """One machine. log: (type, tag or old state, state) of every callback, in order."""

    program: Program
    log: list[Any] = field(default_factory=list)
    state: str = "a"
    now: float = 0
    queue: list[Any] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    timers: list[list[Any]] = field(default_factory=list)
    """[name, when it is due or None for at once, plan], oldest first."""

    def run(self) -> list[Any]:
        self.transition(("internal", None), (), self.state, enter=True)
        self.settle()
        for number, plan in enumerate(self.program.events, 1):
            self.pass_time(number)
            self.queue.append(("cast", plan))
            self.settle()
        self.pass_time(float("inf"))
        return self.log

    def pass_time(self, until: float) -> None:
        while due := [t for t in self.timers if t[1] is not None and t[1] < until]:
            timer = min(due, key=lambda t: t[1])  # the first of several: started first
            self.now = timer[1]
            self.timers.remove(timer)
            self.queue.append((timer[0], timer[2]))
            self.settle()
        self.now = until

    def settle(self) -> None:
        while True:
            if not self.queue:
                at_once = [t for t in self.timers if t[1] is None]
                if not at_once:
                    return
                self.timers.remove(at_once[0])
                self.queue.append((at_once[0][0], at_once[0][2]))
            event = self.queue.pop(0)
            kind, plan = event[0], event[1].after(self.log)
            self.log.append((kind, plan.tag, self.state))
            target = self.state if plan.go in (None, "repeat") else plan.go
            self.transition(
                event, plan.actions, target, enter=plan.go == "repeat" or target != self.state
            )

    def transition(self, event: Any, actions: Any, target: str, *, enter: bool) -> None:
        asked = list(actions)
        if enter and self.program.enter is not None:
            self.log.append(("enter", self.state, target))
            asked += self.program.enter[target].actions
        postponed = [a for a in asked if a == "postpone" or a[0] == "postpone"]
        if postponed and postponed[-1] in ("postpone", ("postpone", True)):
            self.kept.append(event)
        self.stop("timeout")
        if target != self.state:
            self.stop("state_timeout")
            self.queue, self.kept = self.kept + self.queue, []
        self.state = target
        timeouts = [a for a in asked if a[0] in NAMES]
        for position, action in enumerate(timeouts):
            if all(later[0] != action[0] for later in timeouts[position + 1 :]):
                self.set(*action)
        inserted = [(a[1], a[2]) for a in asked if a[0] == "next_event"]
        self.queue = inserted + self.queue

    def stop(self, name: Any) -> None:
        self.timers = [t for t in self.timers if t[0] != name]

    def set(self, name: Any, time: Any, plan: Plan | None = None) -> None:
        if time == "update":
            for timer in self.timers:
                if timer[0] == name:
                    timer[2] = plan
                    return
            time = 0
        self.stop(name)
        if time != "cancel":
            self.timers.append([name, self.now + time if time else None, plan])
