"""The reference model as an administrator knows it: the table of answers in SEMANTICS 1.5.

A call is one more thing in the inbox of a supervisor, so what it finds there depends on
what was in the inbox before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .reference import Child, Life, Tree
from .tree_spec import CROWDS, DYNAMIC, SIMPLE, Leaf


@dataclass
class Ask:
    """One administration call: what is asked about whom, and the answer: "ok" with a pid,
    "nothing" without, "failed" when a start did, "gone" when the supervisor ended first, or
    the word it was refused with.
    """

    verb: str
    about: Leaf | str
    answer: str = "gone"


class Model(Life):
    """The whole tree, which can be asked."""

    def ask(self, holder: Child, ask: Ask) -> None:
        """Put a call into the inbox of a supervisor; `serve` answers it."""
        tree = holder.below
        assert tree is not None

        def answer() -> None:
            ask.answer = getattr(self, ask.verb)(tree, ask.about)

        tree.inbox.append(answer)

    def start_child(self, tree: Tree, spec: Leaf) -> str:
        crowd = tree.spec.strategy in CROWDS
        if tree.spec.strategy == DYNAMIC and len(tree.children) >= tree.spec.room:
            return "max_children"
        present = None if crowd else self._known(tree, spec.id)
        if present is not None:
            return "already_started" if present.state == "up" else "already_present"
        child = Child(spec)
        outcome = self.start(child)
        keeps = outcome == "ignore" and not crowd and spec.restart != "temporary"
        if outcome == "ok" or keeps:
            tree.children.append(child)
        return _answer(outcome)

    def terminate_child(self, tree: Tree, about: str) -> str:
        child = self._known(tree, about)
        if child is None:  # the dead are fine for simple_one_for_one
            dead = about not in self.strays
            return "nothing" if tree.spec.strategy == SIMPLE and dead else "not_found"
        self.stop_and_tell(tree, child)
        self.is_down(tree, child)
        return "nothing"

    def restart_child(self, tree: Tree, about: str) -> str:
        child, refused = self._at_rest(tree, about)
        if child is None:
            return refused
        outcome = self.start(child)
        return _answer(outcome)

    def delete_child(self, tree: Tree, about: str) -> str:
        child, refused = self._at_rest(tree, about)
        if child is None:
            return refused
        tree.children.remove(child)
        return "nothing"

    def _at_rest(self, tree: Tree, about: str) -> tuple[Child | None, str]:
        if tree.spec.strategy in CROWDS:
            return None, SIMPLE if tree.spec.strategy == SIMPLE else "not_found"
        child = self._known(tree, about)
        if child is None:
            return None, "not_found"
        refused = {"up": "running", "pending": "restarting", "down": ""}[child.state]
        return (None if refused else child), refused

    def _known(self, tree: Tree, about: str) -> Child | None:
        """A child by what it is known by: its id, or in a crowd the process it was."""
        crowd = tree.spec.strategy in CROWDS
        named = (c for c in tree.children if (c.key if crowd else c.spec.id) == about)
        return next(named, None)


def _answer(outcome: str) -> str:
    return {"ok": "ok", "ignore": "nothing"}.get(outcome, "failed")
