"""What a client knows, whichever of its processes are alive: the link there is now, or why there is none.

It lies in the arguments of the child specs, so it outlives every connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec
import trio

from erlmcp_py.client.link import Hello, Link
from supervisors import current_runtime

CLOSED: Final = "the client is closed"
State = Literal["connecting", "up", "down", "closed"]


class ClientStatus(msgspec.Struct, frozen=True):
    """How a client stands. since: seconds on the runtime's clock when it came to be so. reason: why it
    is not up; None if it is, or never was. connections: how many it has had. failures: how many were
    lost or did not come to be. in_flight: requests without an answer. in_vain: how many did not come to
    be since the last one that did. next_try: when another one is tried, on the runtime's clock; None
    while that is not known. detail: what may be said of the reason to those who run this program only;
    empty if there is nothing. failure: the reason of the last one that was lost or did not come to be.
    """

    state: State
    since: float
    reason: str | None
    connections: int
    failures: int
    in_flight: int
    in_vain: int = 0
    next_try: float | None = None
    detail: str = ""
    failure: str | None = None


class Desk:
    """Of one client."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.hello: Hello | None = None
        self.state: State = "connecting"
        self.since = 0.0
        self.reason: str | None = None
        self.failure: Exception | None = None
        self.connections = self.failures = self.in_vain = 0
        self.next_try: float | None = None
        self.on_up: Callable[[], object] = lambda: None
        """Called at each new connection, before anybody uses it."""
        self.busy = 0
        self._changed = trio.Event()

    def status(self) -> ClientStatus:
        """How it stands now."""
        return ClientStatus(
            self.state,
            self.since,
            self.reason,
            self.connections,
            self.failures,
            self.busy,
            self.in_vain,
            self.next_try,
            getattr(self.failure, "detail", "") if self.state == "down" else "",
            None if self.failure is None else _text(self.failure),
        )

    def up(self, link: Link, hello: Hello) -> None:
        """There is a connection."""
        self.link, self.hello = link, hello
        self.connections += 1
        self.in_vain = 0
        self.on_up()
        self._turn("up", None)

    def down(self, link: Link | None, reason: Exception) -> None:
        """That connection is gone, or did not come to be. Says nothing of a later one."""
        if self.state == "closed" or (self.link is not None and self.link is not link):
            return
        self.link = None
        if reason is not self.failure:
            self.failures += 1
            self.in_vain += self.state != "up"
            self.next_try = None
        self.failure = reason
        self._turn("down", _text(reason))

    def put_off(self, seconds: float) -> None:
        """Another connection is tried after so many."""
        self.next_try = current_runtime().now() + seconds
        self._tell()

    def close(self) -> None:
        """The client is no more."""
        self.link = None
        self._turn("closed", CLOSED)

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    def _turn(self, state: State, reason: str | None) -> None:
        if state != self.state:
            self.since = current_runtime().now()
        self.state, self.reason = state, reason
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()


def _text(problem: Exception) -> str:
    return str(problem) or type(problem).__name__
