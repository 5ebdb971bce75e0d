"""How many calls of a handler run at a time.

Those beyond wait in order, in processes of their own, so that they can be cancelled like those that
run; and of them there is a limit, too, beyond which a call is refused at once: a queue that only
grows helps nobody.
"""

from __future__ import annotations

import trio

from erlmcp_py.server.signature import Handler


class Gate:
    """The calls of one handler in one server process."""

    __slots__ = ("_limit", "inside", "turns")

    def __init__(self, running: int, waiting: int) -> None:
        self.turns = trio.CapacityLimiter(running)
        """Taken by each call for the time that its handler runs."""
        self.inside = 0
        """Calls that run or wait."""
        self._limit = running + waiting

    @property
    def is_full(self) -> bool:
        """Whether a call more is to be refused."""
        return self.inside >= self._limit


class Gates:
    """The gates of one server process."""

    __slots__ = ("_gates",)

    def __init__(self) -> None:
        self._gates: dict[Handler, Gate] = {}

    def of(self, handler: Handler) -> Gate | None:
        """The gate of a handler; None if any number may run."""
        if handler.max_concurrency is None:
            return None
        gate = self._gates.get(handler)
        if gate is None:
            gate = self._gates[handler] = Gate(handler.max_concurrency, handler.max_waiting)
        return gate
