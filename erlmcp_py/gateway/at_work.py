"""The requests that something is at work on, which can be counted and cut off."""

from __future__ import annotations

import trio

from erlmcp_py.gateway.errors import unavailable


class Stay:
    """Of one request, at one upstream and one instance of it. scope: around what is done for it. reason: why
    it was cut off; None: it was not.
    """

    __slots__ = ("reason", "scope")

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.reason: str | None = None


class AtWork:
    """Of one upstream, or one instance."""

    def __init__(self) -> None:
        self._stays: dict[Stay, None] = {}
        self._closed: str | None = None
        self._idle: trio.Event | None = None

    def __len__(self) -> int:
        return len(self._stays)

    def enter(self, stay: Stay) -> None:
        """It begins. Raises McpError if nobody is let in any more."""
        if self._closed is not None:
            raise unavailable(self._closed)
        self._stays[stay] = None

    def leave(self, stay: Stay) -> None:
        """It has ended, or has not begun."""
        self._stays.pop(stay, None)
        if self._idle is not None and not self._stays:
            self._idle.set()
            self._idle = None

    async def until_idle(self) -> None:
        """Wait until there is none."""
        while self._stays:
            self._idle = self._idle or trio.Event()
            await self._idle.wait()

    def cut_off(self, reason: str) -> int:
        """End those that are at work, for this reason; how many."""
        for stay in self._stays:
            stay.reason = reason
            stay.scope.cancel()
        return len(self._stays)

    def close(self, reason: str) -> int:
        """As `cut_off`, and whoever comes later is told the same."""
        self._closed = reason
        return self.cut_off(reason)
