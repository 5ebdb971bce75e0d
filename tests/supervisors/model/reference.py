"""A supervision tree as the rule book has it, in one thread of thought: no processes, no waiting.

Written from rules V1-V16 and G8-G9, not from the kernel: a tree is nested lists, a stop is
a recursion, and what a supervisor finds in its mailbox is a queue that is worked off to the
end. What it does is kept in `record`, in the order in which it must happen:

    start ID#N              an init is entered; N counts the starts of ID
    end ID#N REASON         a process is gone
    SUP#N CONTEXT ID REASON a report of a supervisor
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .order import Record
from .tree_spec import CROWDS, SIMPLE, Fork, Leaf, Node

GENTLE = ("normal", "shutdown")


@dataclass(eq=False)
class Child:
    """One child of a supervisor.

    state: "up", "pending" or "down", as its supervisor sees it. gone: the reason it ended
    with while its supervisor has not heard of it, or never will. hung: handles nothing any
    more. label: of its last start; key: of its last start that succeeded.
    """

    spec: Node
    state: str = "down"
    label: str = ""
    key: str = ""
    gone: str | None = None
    unlinked: bool = False
    hung: bool = False
    below: Tree | None = None

    @property
    def alive(self) -> bool:
        return self.state == "up" and self.gone is None


@dataclass(eq=False)
class Tree:
    """A running supervisor; children oldest first. inbox: what it has still to look at."""

    spec: Fork
    label: str
    children: list[Child] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    inbox: deque[Callable[[], None]] = field(default_factory=deque)


class GivesUp(Exception):
    """A supervisor stops its children and ends with shutdown."""


class Life:
    """The whole tree and its clock; `administration.Model` is the one that can also be asked."""

    def __init__(self, spec: Fork) -> None:
        self.now = 0.0
        self.record = Record()
        self.inits: dict[str, deque[str]] = defaultdict(deque)
        self.starts: Counter[str] = Counter()
        self.strays: set[str] = set()
        """Labels of those that live on and are nobody's children any more."""
        self.root = Child(spec)

    def end(self, child: Child, reason: str) -> None:
        self.record.write(f"end {child.label} {reason}")

    def tell(self, tree: Tree, context: str, child: Child, reason: str) -> None:
        shown = tree.spec.template if tree.spec.strategy == SIMPLE else child.spec
        assert shown is not None
        self.record.write(f"{tree.label} {context} {shown.id} {reason}")

    # --- starting (V2, V3) ---------------------------------------------------------------

    def start(self, child: Child) -> str:
        """Run a start function: "ok", "ignore", or the reason it failed with."""
        spec = child.spec
        self.starts[spec.id] += 1
        child.label = f"{spec.id}#{self.starts[spec.id]}"
        self.record.write(f"start {child.label}")
        child.unlinked = child.hung = False
        child.gone = None
        if isinstance(spec, Fork):
            return self._boot(child, spec)
        if spec.kind != "plain":
            self.now += spec.init_takes
        planned = self.inits[spec.id]
        outcome = planned.popleft() if planned else "ok"
        if outcome == "ok":
            self._is_up(child)
        else:
            self.end(child, "normal" if outcome == "ignore" else outcome)
        return outcome

    def _boot(self, child: Child, spec: Fork) -> str:
        tree = Tree(spec, child.label, [Child(c) for c in spec.children])
        if self._start_in_order(tree, list(tree.children)) is None:
            child.below = tree
            self._is_up(child)
            return "ok"
        self._stop_in_reverse(tree, list(tree.children))
        self.end(child, "failed_to_start_child")
        return "failed_to_start_child"

    def _is_up(self, child: Child) -> None:
        child.state = "up"
        child.key = child.label

    def _start_in_order(self, tree: Tree, children: list[Child]) -> Child | None:
        for child in children:
            outcome = self.start(child)
            if outcome == "ignore":
                self.is_down(tree, child)
            elif outcome != "ok":
                self.tell(tree, "start_error", child, outcome)
                return child
        return None

    def is_down(self, tree: Tree, child: Child) -> None:
        child.state = "down"
        child.below = None
        if tree.spec.strategy in CROWDS or child.spec.restart == "temporary":
            tree.children.remove(child)

    # --- stopping (V4-V6) ----------------------------------------------------------------

    def _stop_all(self, tree: Tree) -> None:
        if tree.spec.strategy not in CROWDS:
            self._stop_in_reverse(tree, list(tree.children))
            return
        children = [c for c in tree.children if c.state == "up"]
        tree.children = []
        reasons = self._at_once([(child, lambda c=child: self._stop(c)) for child in children])
        bad = [(c, r) for c, r in zip(children, reasons, strict=True) if not _stopped_well(c, r)]
        with self.record.parallel() as room:
            if tree.spec.strategy == SIMPLE:
                for reason, count in Counter(reason for _, reason in bad).items():
                    with self.record.branch(room):
                        self.tell(tree, "shutdown_error", bad[0][0], f"{reason} of {count}")
            else:
                for child, reason in bad:
                    with self.record.branch(room):
                        self.tell(tree, "shutdown_error", child, reason)

    def _at_once(self, work: list[tuple[Child, Callable[[], Any]]]) -> list[Any]:
        """Side by side: all begin now, and it takes as long as the one that takes longest."""
        begun = ended = self.now
        results = []
        with self.record.parallel() as room:
            for _, do in work:
                self.now = begun
                with self.record.branch(room):
                    results.append(do())
                ended = max(ended, self.now)
        self.now = ended
        return results

    def _stop_in_reverse(self, tree: Tree, children: list[Child]) -> None:
        for child in reversed(children):
            self.stop_and_tell(tree, child)
            self.is_down(tree, child)

    def stop_and_tell(self, tree: Tree, child: Child) -> None:
        if child.state == "up":
            reason = self._stop(child)
            if not _stopped_well(child, reason):
                self.tell(tree, "shutdown_error", child, reason)

    def _stop(self, child: Child) -> str:
        """End a child; the reason its supervisor sees."""
        if child.gone is not None:
            return "noproc" if child.unlinked else child.gone
        if child.below is not None:
            self._stop_all(child.below)
            reason = "shutdown"
        else:
            reason, seconds = _stopping(child)
            self.now += seconds
        self.end(child, reason)
        return reason

    # --- ends (V7-V14, V16) --------------------------------------------------------------

    def worker_ends(self, child: Child, reason: str) -> None:
        """A worker ends by itself, or by somebody who is not its supervisor. Its supervisor
        is told; `serve` lets it look."""
        spec = child.spec
        assert isinstance(spec, Leaf)
        if spec.cleans or (spec.kind == "async" and reason == "shutdown"):
            self.now += spec.lingers
        self.end(child, reason)
        child.gone = reason
        if not child.unlinked:
            self._exit(child, reason)

    def supervisor_is_killed(self, child: Child) -> None:
        """Those below go as well, while its own supervisor sees to its replacement."""
        assert child.below is not None
        orphans = [c for c in child.below.children if c.alive and not c.unlinked]
        self.strays |= {c.label for c in child.below.children if c.alive and c.unlinked}
        begun = self.now
        with self.record.parallel() as room:
            for orphan in orphans:
                self.now = begun
                with self.record.branch(room):
                    self._is_orphaned(orphan)
            self.now = begun
            with self.record.branch(room):
                self.end(child, "killed")
                self._exit(child, "killed")
                self.serve()

    def _is_orphaned(self, child: Child) -> None:
        if child.below is not None:
            self._stop_all(child.below)
        elif child.hung and child.spec.traps:  # type: ignore[union-attr]
            self.strays.add(child.label)  # nobody is left to kill it
            return
        self.end(child, "killed")

    def _exit(self, child: Child, reason: str) -> None:
        child.gone = reason
        if child is self.root:
            child.state = "down"
            child.below = None
            return
        tree = self.holder(child).below
        assert tree is not None
        label = child.label

        def heed() -> None:
            if child in tree.children and child.state == "up" and child.label == label:
                self._heed(tree, child, reason)

        tree.inbox.append(heed)

    def serve(self) -> None:
        """Let every supervisor look at what it has been told."""
        for holder in self.all():
            tree = holder.below
            if tree is None or not tree.inbox:
                continue
            try:
                while tree.inbox:
                    tree.inbox.popleft()()
            except GivesUp:
                tree.inbox.clear()
                self._stop_all(tree)
                self.end(holder, "shutdown")
                self._exit(holder, "shutdown")
            self.serve()
            return

    def _heed(self, tree: Tree, child: Child, reason: str) -> None:
        restarts = child.spec.restart == "permanent" or (
            child.spec.restart == "transient" and reason not in GENTLE
        )
        if restarts or reason not in GENTLE:
            self.tell(tree, "child_terminated", child, reason)
        if restarts:
            self._attempt(tree, child)
        else:
            self.is_down(tree, child)
            self._auto_shutdown(tree, child)

    def _attempt(self, tree: Tree, child: Child) -> None:
        second = math.floor(self.now)
        kept = [s for s in tree.attempts if s >= second - tree.spec.period]
        tree.attempts = [*kept, second]
        child.below = None
        if len(tree.attempts) > tree.spec.intensity:
            self.tell(tree, "shutdown", child, "reached_max_restart_intensity")
            self.is_down(tree, child)
            raise GivesUp
        child.state = "down"
        failed: Child | None
        if tree.spec.strategy in CROWDS:
            failed = self._start_in_order(tree, [child])
            if failed is None and child in tree.children:  # it is the newest now
                tree.children.remove(child)
                tree.children.append(child)
        else:
            at = tree.children.index(child)
            group = {
                "one_for_one": tree.children[at : at + 1],
                "one_for_all": tree.children[:],
                "rest_for_one": tree.children[at:],
            }[tree.spec.strategy]
            if tree.spec.strategy != "one_for_one":
                self._stop_in_reverse(tree, group)
            failed = self._start_in_order(tree, [c for c in group if c in tree.children])
        if failed is not None:
            failed.state = "pending"
            tree.inbox.append(lambda: self._try_again(tree, failed))

    def _try_again(self, tree: Tree, child: Child) -> None:
        if child in tree.children and child.state == "pending":
            self._attempt(tree, child)

    def _auto_shutdown(self, tree: Tree, ended: Child) -> None:
        kind = tree.spec.auto_shutdown
        if not ended.spec.significant or kind == "never":
            return
        others = any(c.spec.significant and c.state != "down" for c in tree.children)
        if kind == "any_significant" or not others:
            raise GivesUp

    # --- looking --------------------------------------------------------------------------

    def all(self) -> list[Child]:
        """Every child of every running supervisor, the root first."""
        found = [self.root]
        for child in found:
            if child.below is not None:
                found += child.below.children
        return found

    def find(self, id: str) -> Child | None:
        return next((c for c in self.all() if c.spec.id == id), None)

    def holder(self, child: Child) -> Child:
        return next(c for c in self.all() if c.below is not None and child in c.below.children)

    def shape(self, child: Child | None = None) -> Any:
        """Of each child its id and its state, or the shape below it if it supervises."""
        tree = (child or self.root).below
        assert tree is not None
        shown = [(c.spec.id, self._seen(tree, c)) for c in tree.children]
        return sorted(shown, key=str) if tree.spec.strategy in CROWDS else shown

    def _seen(self, tree: Tree, child: Child) -> Any:
        return self.shape(child) if child.below is not None else child.state


def _stopping(child: Child) -> tuple[str, float]:
    """How a worker that is told to stop ends, and after how many seconds (V5)."""
    spec = child.spec
    assert isinstance(spec, Leaf)
    reason = "killed" if spec.shutdown == "brutal_kill" else "shutdown"
    if spec.cleans:
        return reason, spec.lingers
    if isinstance(spec.shutdown, str) or not spec.traps or spec.kind == "plain":
        return reason, 0.0
    takes = math.inf if child.hung else spec.lingers
    return (reason, takes) if takes <= spec.shutdown else ("killed", spec.shutdown)


def _stopped_well(child: Child, reason: str) -> bool:
    """V6."""
    brutal = isinstance(child.spec, Leaf) and child.spec.shutdown == "brutal_kill"
    if reason == ("killed" if brutal else "shutdown"):
        return True
    return child.spec.restart != "permanent" and reason in GENTLE
