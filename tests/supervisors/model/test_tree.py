"""Random trees of real processes, driven by random commands, against the reference model.

Compared after every command: who was started and who ended with what, in which order as
far as there is one, the reports of the supervisors, the answers of the administration, and
the shape of the whole tree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

import supervisors as otp

from .administration import Ask, Model
from .order import surprise
from .reference import Child
from .stepper import Stepper
from .tree import Branch, Real
from .tree_spec import CROWDS, SIMPLE, Fork, Leaf
from .trees import forks, ids, leaves

ENDS = st.sampled_from(["normal", "shutdown", "bad", "raised", "killed"])
INITS = st.lists(st.sampled_from(["bad", "ignore", "raised", "ok"]), min_size=1, max_size=3)
VERBS = st.sampled_from(["terminate_child", "restart_child", "delete_child"])
EVENTS = st.just("killed") | INITS | VERBS
NUMBERED = st.tuples(st.integers(0, 4), leaves(auto="any_significant"))


def has_workers(machine: Any) -> bool:
    return any(isinstance(c.spec, Leaf) and c.alive for c in machine.model.all())


def has_children(machine: Any) -> bool:
    return any(c.below is not None and c.below.children for c in machine.model.all())


def has_crowds(machine: Any) -> bool:
    return bool(_crowds(machine.model))


class Trees(RuleBasedStateMachine):
    """The model and the real tree, given the same commands.

    known: the ids of everybody who was ever in the tree; `homes` has the supervisor of each.
    When the root has ended the same tree is planted anew.
    """

    known = Bundle("known")
    stepper: Stepper | None = None
    orphans = False

    @initialize(target=known, spec=forks(), seed=st.integers(0, 3))
    def plant(self, spec: Fork, seed: int) -> Any:
        self.spec, self.seed = spec, seed
        self.begin()
        return multiple(*ids(spec))

    def begin(self) -> None:
        self.real = Real()
        self.model = Model(self.spec)
        self.homes = _homes(self.spec)
        self.stepper = Stepper(self.seed, self.real.report)
        assert self.model.start(self.model.root) == "ok"
        self.root = self.stepper.do(Branch.start_link, self.real, self.spec)

    def teardown(self) -> None:
        if self.stepper is not None:
            self.stepper.close()
            self.stepper = None

    # --- what happens ------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.25, 1.0, 2.75]))
    def time_passes(self, seconds: float) -> None:
        self.stepper.do(trio.sleep, seconds)
        self.model.now += seconds

    @rule(id=known, outcomes=INITS)
    def the_next_starts_come_to(self, id: str, outcomes: list[str]) -> None:
        child = self.model.find(id)
        if child is not None and isinstance(child.spec, Leaf):
            self.model.inits[id].extend(outcomes)
            self.real.inits[id].extend(outcomes)

    @precondition(has_workers)
    @rule(id=known, reason=ENDS)
    def a_worker_ends(self, id: str, reason: str) -> None:
        child = self.worker(id)
        if child is None:
            return
        self.perform([self.order(child, reason)])
        if reason == "killed" or not child.hung:
            self.model.worker_ends(child, reason)
            self.model.serve()

    @precondition(has_workers)
    @rule(id=known)
    def a_worker_hangs(self, id: str) -> None:
        child = self.worker(id)
        if child is not None and child.spec.kind != "plain":  # type: ignore[union-attr]
            self.perform([self.order(child, "hang")])
            child.hung = True

    @precondition(has_workers)
    @rule(id=known)
    def a_worker_unlinks(self, id: str) -> None:
        child = self.worker(id)
        if child is not None and not child.hung:
            self.perform([self.order(child, "unlink")])
            child.unlinked = True

    @rule(id=known, even_the_root=st.sampled_from([False, False, False, True]))
    def a_supervisor_is_killed(self, id: str, even_the_root: bool) -> None:
        child = self.model.find(id)
        if child is self.model.root and not even_the_root:
            return
        if child is not None and child.below is not None:
            self.perform([self.order(child, "killed")])
            self.model.supervisor_is_killed(child)
            self.orphans = True

    # --- administration ----------------------------------------------------------------------

    @rule(target=known, near=known, numbered=NUMBERED)
    def a_child_is_started(self, near: str, numbered: tuple[int, Leaf]) -> Any:
        return self.starts(self.holder(near), [numbered])

    @precondition(has_crowds)
    @rule(target=known, which=st.integers(0, 2), like=st.lists(NUMBERED, min_size=2, max_size=4))
    def a_crowd_gathers(self, which: int, like: list[tuple[int, Leaf]]) -> Any:
        crowds = _crowds(self.model)
        return self.starts(crowds[which % len(crowds)], like)

    @precondition(has_children)
    @rule(id=known, verb=VERBS)
    def a_child_is_administered(self, id: str, verb: str) -> None:
        holder = self.holder(self.homes.get(id, ""))
        if holder is not None and id != holder.spec.id and self.model.starts[id]:
            self.at_once(holder, [Ask(verb, self.address(holder, id))])

    @precondition(lambda self: bool(_shaky(self.model)))
    @rule(
        where=st.integers(0, 9),
        who=st.integers(0, 3),
        outcomes=INITS,
        verb=VERBS,
        new=NUMBERED,
        and_another=st.booleans(),
    )
    def a_word_between_two_tries(
        self,
        where: int,
        who: int,
        outcomes: list[str],
        verb: str,
        new: tuple[int, Leaf],
        and_another: bool,
    ) -> None:
        """A child does not come back at once; before its supervisor tries again it is asked,
        and maybe told of the end of another."""
        holders = _shaky(self.model)
        holder = holders[where % len(holders)]
        fall = [child for child in _children(holder) if _falls_at_once(child)]
        child, other = fall[who % len(fall)], fall[(who + 1) % len(fall)]
        self.the_next_starts_come_to(child.spec.id, ["bad", *outcomes])
        asked = Ask(verb, self.address(holder, child.spec.id))
        started = Ask("start_child", self.fitting(holder, *new))
        self.at_once(holder, [child, *[other] * and_another, asked, started])

    @precondition(has_children)
    @rule(near=known, events=st.lists(st.tuples(EVENTS, st.integers(0, 3)), min_size=2, max_size=6))
    def much_is_in_the_mailbox(self, near: str, events: list[tuple[Any, int]]) -> None:
        """Ends of children and calls that the supervisor finds side by side, while some of
        the children may not come back at once."""
        holder = self.holder(near)
        children = [] if holder is None else _children(holder)
        if holder is None or not children:
            return
        mail: list[Ask | Child] = []
        for what, index in events:
            child = children[index % len(children)]
            if isinstance(what, list):
                self.the_next_starts_come_to(child.spec.id, what)
            elif what != "killed":
                mail.append(Ask(what, self.address(holder, child.spec.id)))
            elif _falls_at_once(child):
                mail.append(child)
        self.at_once(holder, mail)

    # --- what must be ------------------------------------------------------------------------

    @invariant()
    def the_same(self) -> None:
        if self.stepper is None:
            return
        self.stepper.do(self.real.settle)
        lines, self.real.lines = self.real.lines, []
        wrong = surprise(self.model.record.flush(), lines)
        assert wrong is None, f"{wrong}; all of it: {lines}"
        now = self.stepper.do(_now)
        late = now - self.model.now  # being at rest is seen a quarter later, orphans take longer
        assert 0 <= late <= (math.inf if self.orphans else 0.25)
        self.model.now, self.orphans = now, False
        up = self.model.root.state == "up"
        assert otp.is_alive(self.root) == up
        if up:
            assert self.stepper.do(self.shape) == self.model.shape()
        else:  # the same tree begins another life
            self.teardown()
            self.begin()

    # --- the two of them ---------------------------------------------------------------------

    def worker(self, id: str) -> Child | None:
        child = self.model.find(id)
        return child if child is not None and isinstance(child.spec, Leaf) and child.alive else None

    def holder(self, near: str) -> Child | None:
        """The supervisor with this id, or that of the child with this id."""
        child = self.model.find(near)
        if child is not None and child.below is None:
            child = self.model.holder(child)
        return child if child is not None and child.alive else None

    def address(self, holder: Child, id: str) -> str:
        """How its supervisor knows a child: by id, or by the process that it was last."""
        assert isinstance(holder.spec, Fork)
        if holder.spec.strategy not in CROWDS:
            return id
        child = self.model.find(id)
        return f"{id}#{self.model.starts[id]}" if child is None else child.key

    def starts(self, holder: Child | None, like: list[tuple[int, Leaf]]) -> Any:
        if holder is None:
            return multiple()
        workers = [self.fitting(holder, number, leaf) for number, leaf in like]
        self.at_once(holder, [Ask("start_child", leaf) for leaf in workers])
        return multiple(*(leaf.id for leaf in workers))

    def fitting(self, holder: Child, number: int, like: Leaf) -> Leaf:
        """A worker that this supervisor may have."""
        fork = holder.spec
        assert isinstance(fork, Fork)
        if fork.strategy in CROWDS:
            number = sum(home == fork.id for home in self.homes.values())
            id = f"{fork.id}.{number}"
        else:
            id = f"{fork.id}{number}"
        self.homes[id] = fork.id
        if fork.template is not None:
            own = fork.template
            significant, restart, shutdown = own.significant, own.restart, own.shutdown
            return replace(like, id=id, restart=restart, shutdown=shutdown, significant=significant)
        return replace(like, id=id, significant=like.significant and fork.auto_shutdown != "never")

    def order(self, child: Child, what: str) -> Callable[[], object]:
        pid = self.real.pids[child.label]
        if what == "killed":
            return lambda: otp.exit_signal(pid, "kill")
        return lambda: otp.send(pid, what)

    def at_once(self, holder: Child, mail: list[Ask | Child]) -> None:
        """Let children end and callers ask, in this order, before the supervisor looks.

        It is suspended meanwhile: at rest it would be entered by the first who asks. With
        one request alone it may be.
        """
        asked = [ask for ask in mail if isinstance(ask, Ask)]
        steps: list[Callable[[], object]] = []
        for item in mail:
            if isinstance(item, Ask):
                steps.append(self.request(holder, item))
                self.model.ask(holder, item)
            elif item.alive:
                steps.append(self.order(item, "killed"))
                self.model.worker_ends(item, "killed")
        answers = self.perform(steps, self.real.pids[holder.label] if len(mail) > 1 else None)
        self.model.serve()
        assert answers == [ask.answer for ask in asked], asked

    def request(self, holder: Child, ask: Ask) -> Callable[[], object]:
        supervisor = self.real.pids[holder.label]
        fork = holder.spec
        assert isinstance(fork, Fork)
        about: Any = ask.about
        if isinstance(about, Leaf):
            about = [about] if fork.strategy == SIMPLE else self.real.spec(about)
        elif fork.strategy in CROWDS:
            about = self.real.pids[about]
        return lambda: otp.send_request(supervisor, (ask.verb, about))

    def perform(
        self, steps: list[Callable[[], object]], suspended: otp.Pid | None = None
    ) -> list[str]:
        """Do these without a pause; the answers to those that are requests."""

        async def all_of_them() -> list[str]:
            if suspended is not None:
                await otp.sys.suspend(suspended)
            done = [step() for step in steps]
            if suspended is not None:
                await otp.sys.resume(suspended)
            return await self.real.answers([r for r in done if isinstance(r, otp.RequestId)])

        answers: list[str] = self.stepper.do(all_of_them)  # type: ignore[union-attr]
        return answers

    async def shape(self) -> Any:
        return await self.real.shape(self.root, self.model.root.spec)


def _children(holder: Child) -> list[Child]:
    return [] if holder.below is None else list(holder.below.children)


def _crowds(model: Model) -> list[Child]:
    return [c for c in model.all() if c.below is not None and c.below.spec.strategy in CROWDS]


def _shaky(model: Model) -> list[Child]:
    """Supervisors with children that fall at once; the rarer kinds are named more often."""
    shaky = [c for c in model.all() if any(map(_falls_at_once, _children(c)))]
    rare = [c for c in shaky if c in _crowds(model) or _waits_for_all(c)]
    return shaky + 4 * rare


def _waits_for_all(holder: Child) -> bool:
    assert isinstance(holder.spec, Fork)
    return holder.spec.auto_shutdown == "all_significant"


def _falls_at_once(child: Child) -> bool:
    """Whether a kill ends it on the spot: tasks unwind first, in trio's own time."""
    return isinstance(child.spec, Leaf) and child.spec.kind == "plain" and child.alive


async def _now() -> float:
    return otp.current_runtime().now()


def _homes(fork: Fork) -> dict[str, str]:
    """The id of the supervisor of everybody in a tree; the root is its own."""
    homes = {fork.id: fork.id}
    for child in fork.children:
        if isinstance(child, Fork):
            homes |= _homes(child)
        homes[child.id] = fork.id
    return homes


def test_random_trees_live_as_the_rules_say() -> None:
    run_state_machine_as_test(
        Trees, settings=settings(max_examples=300, stateful_step_count=30, deadline=None)
    )
