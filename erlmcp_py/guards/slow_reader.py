"""A client that does not read what its call tells it while it works.

Progress and log lines are made by handlers, as fast as these like; the client takes them as fast as it
likes. What is between lies in the mailbox of the connection's process, and a `Backlog` counts its bytes:

- `drop_progress`: from half the limit on progress is left out, which the next report says again; at the
  limit the client is disconnected.
- `wait`: nothing is left out below the limit, and everything at it; the client is waited for, as long as
  the listener's `idle_timeout` lets it be stuck.
- `disconnect`: nothing is ever left out; at the limit the client is disconnected.

Disconnected means what a disconnect of the client itself does: a call of 2026-07-28 is cancelled; one of
a session goes on, and its client can come back for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from erlmcp_py.guards import tally
from erlmcp_py.protocol.jsonrpc import Notification
from erlmcp_py.protocol.notifications import PROGRESS
from erlmcp_py.protocol.refusals import QUEUE_BYTES_EXCEEDED

Policy = Literal["wait", "drop_progress", "disconnect"]

_ENVELOPE: Final = 64
"""Bytes of a notification that are not its parameters, about."""


def size_of(notification: Notification) -> int:
    """Bytes that a notification takes while it waits, about."""
    params = notification.params
    return _ENVELOPE if params is None else _ENVELOPE + memoryview(params).nbytes


class Backlog:
    """What waits to be written to one client. limit: bytes. disconnect: called once, at the limit."""

    __slots__ = ("_disconnect", "_gone", "_limit", "_policy", "bytes")

    def __init__(self, limit: int, policy: Policy, disconnect: Callable[[], None]) -> None:
        self._limit = limit
        self._policy = policy
        self._disconnect = disconnect
        self._gone = False
        self.bytes = 0
        """Those that wait now."""

    def admit(self, notification: Notification) -> bool:
        """Whether it may wait; who may has to be `release`d."""
        if self._gone:
            return False
        size = self.bytes + size_of(notification)
        if size > self._limit:
            if self._policy != "wait":
                self.overflow()
            return False
        if (
            self._policy == "drop_progress"
            and size > self._limit // 2
            and notification.method == PROGRESS
        ):
            return False
        self.bytes = size
        return True

    def release(self, notification: Notification) -> None:
        """It has been taken out, to be written."""
        self.bytes -= size_of(notification)

    def overflow(self) -> None:
        """There is no room for what must not be left out."""
        if not self._gone:
            self._gone = True
            tally.count(QUEUE_BYTES_EXCEEDED)
            self._disconnect()

    @property
    def loses_nothing(self) -> bool:
        """Whether the client is rather disconnected than told less."""
        return self._policy == "disconnect"
