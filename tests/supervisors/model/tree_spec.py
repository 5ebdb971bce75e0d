"""What a random tree is made of: workers and supervisors, as they are wanted to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SIMPLE, DYNAMIC = "simple_one_for_one", "dynamic"
CROWDS = (SIMPLE, DYNAMIC)
"""Supervisors whose children have no order: they are known by pid."""


@dataclass(frozen=True)
class Leaf:
    """A worker.

    kind: "plain" and "async" are servers, "task" is a bare coroutine. Seconds:
    `init_takes`, how long starting takes, and `lingers`, how long it takes to end when
    told to, both nothing for plain servers. An async server lingers in terminate if it
    traps exits; a task on the EXIT if it traps, else in a `finally` that cannot be
    interrupted.
    """

    id: str
    kind: str = "plain"
    traps: bool = False
    restart: str = "permanent"
    shutdown: float | str = 5.0
    significant: bool = False
    lingers: float = 0.0
    init_takes: float = 0.0

    @property
    def cleans(self) -> bool:
        """Whether it lingers however it ends."""
        return self.kind == "task" and not self.traps


@dataclass(frozen=True)
class Fork:
    """A supervisor; it gets all the time it needs to stop.

    strategy: one of OTP's, or "dynamic" for a DynamicSupervisor. template: for
    simple_one_for_one, what all children are like. room: for "dynamic", how many may be.
    """

    id: str
    children: tuple[Any, ...] = ()
    strategy: str = "one_for_one"
    intensity: int = 3
    period: int = 2
    auto_shutdown: str = "never"
    restart: str = "permanent"
    significant: bool = False
    template: Leaf | None = None
    room: int = 3


Node = Leaf | Fork
