"""A supervision tree as the rule book has it, in one thread of thought: no processes, no waiting.

Written from rules V1-V16 and G8-G9, not from the kernel: a tree is nested lists, a stop is
a recursion, a restart is a loop. What it does is kept as lines in `log`, in the order in
which they must happen: "start ID" when an init is entered, "end ID REASON" when a process
is gone.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

GENTLE = ("normal", "shutdown")


@dataclass(frozen=True)
class Leaf:
    """A worker. lingers: seconds its terminate takes, only if async and trapping exits.
    init_takes: seconds its init takes, only if async.
    """

    id: str
    asynchronous: bool = False
    traps: bool = False
    restart: str = "permanent"
    shutdown: float | str = 5.0
    significant: bool = False
    lingers: float = 0.0
    init_takes: float = 0.0


@dataclass(frozen=True)
class Fork:
    """A supervisor; it gets all the time it needs to stop."""

    id: str
    children: tuple[Any, ...] = ()
    strategy: str = "one_for_one"
    intensity: int = 3
    period: int = 2
    auto_shutdown: str = "never"
    restart: str = "permanent"
    significant: bool = False


@dataclass
class Child:
    """One child of a supervisor. state: "up", "pending" or "down". dead: up in the eyes of
    its supervisor only, for it had unlinked before it ended.
    """

    spec: Leaf | Fork
    state: str = "down"
    unlinked: bool = False
    dead: bool = False
    below: Tree | None = None


@dataclass
class Tree:
    """A running supervisor; children oldest first."""

    spec: Fork
    children: list[Child] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)


class GivesUp(Exception):
    """A supervisor stops its children and ends with shutdown."""


class Model:
    """The whole tree and its clock."""

    def __init__(self, spec: Fork) -> None:
        self.now = 0.0
        self.log: list[str] = []
        self.inits: dict[str, deque[str]] = defaultdict(deque)
        self.root: Child = Child(spec)

    # --- starting and stopping (V2-V5) --------------------------------------------------

    def start(self, child: Child) -> str:
        """Run a start function: "ok", "ignore" or "fail"."""
        spec = child.spec
        self.log.append(f"start {spec.id}")
        child.unlinked = child.dead = False
        if isinstance(spec, Fork):
            return self._boot(child, spec)
        if spec.asynchronous:
            self.now += spec.init_takes
        planned = self.inits[spec.id]
        what = planned.popleft() if planned else "ok"
        if what == "ok":
            child.state = "up"
        else:
            self.log.append(f"end {spec.id} " + ("normal" if what == "ignore" else "refused"))
        return what

    def _boot(self, child: Child, spec: Fork) -> str:
        tree = Tree(spec, [Child(c) for c in spec.children])
        if self._start_in_order(tree, list(tree.children)) is None:
            child.below = tree
            child.state = "up"
            return "ok"
        self._stop_in_reverse(tree, list(tree.children))
        self.log.append(f"end {spec.id} failed_to_start_child")
        return "fail"

    def _start_in_order(self, tree: Tree, children: list[Child]) -> Child | None:
        for child in children:
            outcome = self.start(child)
            if outcome == "fail":
                return child
            if outcome == "ignore":
                self._is_down(tree, child)
        return None

    def _is_down(self, tree: Tree, child: Child) -> None:
        child.state = "down"
        child.below = None
        if child.spec.restart == "temporary":
            tree.children.remove(child)

    def _stop_in_reverse(self, tree: Tree, children: list[Child]) -> None:
        for child in reversed(children):
            self._stop(child)
            self._is_down(tree, child)

    def _stop(self, child: Child) -> None:
        if child.state != "up" or child.dead:
            return
        spec = child.spec
        if isinstance(spec, Fork):
            assert child.below is not None
            self._stop_in_reverse(child.below, list(child.below.children))
            self.log.append(f"end {spec.id} shutdown")
            return
        reason = "killed" if spec.shutdown == "brutal_kill" else "shutdown"
        if spec.asynchronous and spec.traps and not isinstance(spec.shutdown, str):
            if spec.lingers > spec.shutdown:
                reason = "killed"
            self.now += min(spec.lingers, spec.shutdown)
        self.log.append(f"end {spec.id} {reason}")

    # --- ends of children (V7-V14, V16) --------------------------------------------------

    def worker_ends(self, child: Child, reason: str) -> None:
        """A worker ends by itself, or by somebody who is not its supervisor."""
        self.log.append(f"end {child.spec.id} {reason}")
        if child.unlinked:
            child.dead = True
        else:
            self._heed(child, reason)

    def supervisor_is_killed(self, child: Child) -> None:
        """Those below go as well; the order is nobody's promise."""
        assert child.below is not None
        self._is_orphaned(child.below)
        self.log.append(f"end {child.spec.id} killed")
        self._heed(child, "killed")

    def _is_orphaned(self, tree: Tree) -> None:
        """The supervisor of these was killed; supervisors among them stop in order."""
        for child in tree.children:
            if child.state != "up" or child.dead or child.unlinked:
                continue
            if isinstance(child.spec, Fork):
                assert child.below is not None
                now = self.now
                self._stop_in_reverse(child.below, list(child.below.children))
                self.now = now  # while the others go on
            self.log.append(f"end {child.spec.id} killed")

    def _heed(self, child: Child, reason: str) -> None:
        """What the supervisor of `child` does about its end, and what follows above."""
        if child is self.root:
            child.state = "down"
            return
        holder = self.holder(child)
        tree = holder.below
        assert tree is not None
        try:
            if child.spec.restart == "permanent" or (
                child.spec.restart == "transient" and reason not in GENTLE
            ):
                self._restart(tree, child)
            else:
                self._is_down(tree, child)
                self._auto_shutdown(tree, child)
        except GivesUp:
            self._stop_in_reverse(tree, list(tree.children))
            self.log.append(f"end {tree.spec.id} shutdown")
            self._heed(holder, "shutdown")

    def _restart(self, tree: Tree, child: Child | None) -> None:
        while child is not None:
            second = math.floor(self.now)
            kept = [s for s in tree.attempts if s >= second - tree.spec.period]
            tree.attempts = [*kept, second]
            child.below = None
            if len(tree.attempts) > tree.spec.intensity:
                self._is_down(tree, child)
                raise GivesUp
            child.state = "down"
            group = {
                "one_for_one": [child],
                "one_for_all": list(tree.children),
                "rest_for_one": tree.children[tree.children.index(child) :],
            }[tree.spec.strategy]
            if tree.spec.strategy != "one_for_one":
                self._stop_in_reverse(tree, group)
            child = self._start_in_order(tree, [c for c in group if c in tree.children])
            if child is not None:
                child.state = "pending"

    def _auto_shutdown(self, tree: Tree, ended: Child) -> None:
        kind = tree.spec.auto_shutdown
        if not ended.spec.significant or kind == "never":
            return
        others = any(c.spec.significant and c.state != "down" for c in tree.children)
        if kind == "any_significant" or not others:
            raise GivesUp

    # --- administration ------------------------------------------------------------------

    def start_child(self, tree: Tree, spec: Leaf) -> str:
        present = next((c for c in tree.children if c.spec.id == spec.id), None)
        if present is not None:
            return "already_started" if present.state == "up" else "already_present"
        child = Child(spec)
        outcome = self.start(child)
        if outcome == "ok" or (outcome == "ignore" and spec.restart != "temporary"):
            tree.children.append(child)
        return outcome

    def terminate_child(self, tree: Tree, child: Child) -> str:
        self._stop(child)
        self._is_down(tree, child)
        return "ok"

    def restart_child(self, child: Child) -> str:
        return self.start(child) if child.state == "down" else "running"

    def delete_child(self, tree: Tree, child: Child) -> str:
        if child.state != "down":
            return "running"
        tree.children.remove(child)
        return "ok"

    # --- looking --------------------------------------------------------------------------

    def all(self) -> list[Child]:
        """Every child of every running supervisor, the root first."""
        found = [self.root]
        for child in found:
            if child.below is not None:
                found += child.below.children
        return found

    def holder(self, child: Child) -> Child:
        return next(c for c in self.all() if c.below is not None and child in c.below.children)

    def shape(self, child: Child | None = None) -> Any:
        """id -> state, or the shape below a running supervisor."""
        tree = (child or self.root).below
        assert tree is not None
        return [
            (c.spec.id, self.shape(c) if c.below is not None else c.state) for c in tree.children
        ]
