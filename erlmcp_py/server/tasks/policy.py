"""How a tool runs as a task, as its author declares it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from erlmcp_py.server.signature import Handler

TaskSupport = Literal["forbidden", "optional", "required"]

DEFAULT_TTL: Final = 3600.0
"""Seconds a task is kept, and may run, unless its tool says otherwise."""


@dataclass(frozen=True, slots=True)
class TaskPolicy:
    """support: "optional", a task for clients that can have one and a call for others; "required", a
    task or nothing. ttl: seconds from its creation until a task is forgotten, and killed if it still
    runs; None: never. poll_interval: seconds a client should wait between two looks. asks_first: the
    call becomes a task when its handler says ``await ctx.begin_task()``; until then it asks its
    client as every call does.
    """

    support: TaskSupport
    ttl: float | None = DEFAULT_TTL
    poll_interval: float = 1.0
    asks_first: bool = False

    def __post_init__(self) -> None:
        if self.support not in ("forbidden", "optional", "required"):
            raise ValueError(
                f"task must be 'optional', 'required' or 'forbidden', not {self.support!r}"
            )
        for name, seconds in (("ttl", self.ttl), ("poll_interval", self.poll_interval)):
            if seconds is not None and not (math.isfinite(seconds) and seconds >= 0.001):
                raise ValueError(f"{name} must be a number of seconds above 0, not {seconds!r}")


@dataclass(frozen=True, slots=True)
class TaskWish:
    """That this call becomes a task. told: only when its handler says so. ttl: as the client of
    2025-11-25 wishes, in seconds.
    """

    policy: TaskPolicy
    told: bool = False
    ttl: float | None = None

    def granted(self) -> float | None:
        """Seconds the task is kept: the client may wish for less than its tool allows, not more."""
        limit = self.policy.ttl
        if self.ttl is None:
            return limit
        wished = max(self.ttl, 1.0)
        return wished if limit is None else min(wished, limit)


def checked_policy(task: TaskSupport | TaskPolicy | None, handler: Handler) -> TaskPolicy | None:
    """The policy an author means; None for a tool that is never a task. ValueError names the place."""
    try:
        policy = task if isinstance(task, TaskPolicy) else TaskPolicy(task or "forbidden")
    except ValueError as error:
        raise ValueError(f"{handler.where}: {error}") from None
    if policy.asks_first and handler.mode != "async":
        raise ValueError(f"{handler.where}: asks_first is for async handlers: to ask is to wait")
    return None if policy.support == "forbidden" else policy
