"""Running an async function as a process, in virtual time and in a seeded order."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from trio.testing import MockClock

from .. import _runtime
from ._order import seeded

T = TypeVar("T")


def run(
    async_fn: Callable[..., Awaitable[T]],
    *args: Any,
    seed: int | None = None,
    node: str = "node",
) -> T:
    """`supervisors.run` under a virtual clock, with trio's order of tasks drawn from `seed`.

    Time stands still while anybody can run and then jumps to the next deadline, so a test
    that waits for hours takes milliseconds. The same seed gives the same run; None takes a
    fresh one, and what the function raises carries a note with it. Reports are not printed: in
    a test processes crash on purpose.
    """
    if seed is None:
        seed = random.SystemRandom().randrange(2**32)
    try:
        with seeded(seed):
            clock = MockClock(autojump_threshold=0)
            return _runtime.run(async_fn, *args, node=node, clock=clock, log=False)
    except BaseException as error:
        error.add_note(f"to repeat this run: supervisors.testing.run(..., seed={seed})")
        raise
