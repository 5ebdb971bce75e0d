"""The order in which things must happen, where the rules fix it and where they do not.

What the model writes is a sequence; in it, a `Parallel` stands for several sequences whose
lines may come in any interleaving, all of them before whatever follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Parallel:
    """Sequences that run side by side."""

    branches: list[list[Step]] = field(default_factory=list)


Step = str | Parallel


class Record:
    """Lines written one after the other, or into branches."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def write(self, line: str) -> None:
        self.steps.append(line)

    @contextmanager
    def parallel(self) -> Iterator[Parallel]:
        """Room for branches, each of them filled inside `branch`."""
        room = Parallel()
        yield room
        self.steps.append(room)

    @contextmanager
    def branch(self, room: Parallel) -> Iterator[None]:
        outer, self.steps = self.steps, []
        try:
            yield
        finally:
            room.branches.append(self.steps)
            self.steps = outer

    def flush(self) -> list[Step]:
        steps, self.steps = self.steps, []
        return steps


def surprise(steps: list[Step], lines: list[str]) -> str | None:
    """What is wrong with `lines` as a record of `steps`; None when nothing is."""
    left = list(steps)
    for number, line in enumerate(lines):
        if not _take(left, line):
            return f"line {number} is {line!r}, due was {_next(left) or 'nothing'}"
    due = _next(left)
    return f"nothing more happened, due was {due}" if due else None


def _take(steps: list[Step], line: str) -> bool:
    """Cross `line` off, if it may be next."""
    while steps and isinstance(steps[0], Parallel) and not _next(steps[:1]):
        del steps[0]
    if not steps:
        return False
    head = steps[0]
    if isinstance(head, Parallel):
        return any(_take(branch, line) for branch in head.branches)
    if head == line:
        del steps[0]
        return True
    return False


def _next(steps: list[Step]) -> list[str]:
    """The lines that may come next."""
    for step in steps:
        if isinstance(step, str):
            return [step]
        found = [line for branch in step.branches for line in _next(branch)]
        if found:
            return found
    return []
