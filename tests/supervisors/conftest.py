"""Running a test's body as a process, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.testing import MockClock

import supervisors

Body = Callable[[], Awaitable[Any]]


@pytest.fixture
def as_process() -> Callable[[Body], Any]:
    """Run an async function as the first process of a fresh runtime; answers its result."""

    def go(body: Body) -> Any:
        return supervisors.run(body, clock=MockClock(autojump_threshold=0))

    return go
