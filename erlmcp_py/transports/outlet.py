"""How the notifications of a handler reach the transport's process that waits for its answer.

A handler notifies from wherever it runs (on the transport's own stack, in a process of its
own); the transport writes when it can. Between the two is the transport's mailbox, and a
handler that reports faster than its client reads would fill it without bound. Progress and log
lines are news, not data: past a limit the oldest unread are worth more than the newest, so
the newest are dropped and counted.
"""

from __future__ import annotations

from typing import Any, Final

from erlmcp_py.guards.slow_reader import Backlog
from erlmcp_py.protocol.jsonrpc import Message, Notification
from supervisors import Pid, is_alive, send

UNREAD: Final = 1000
"""Notifications of one call that may wait to be written."""

UNREAD_BY_CLIENT: Final = 2000
"""Those of all calls of one client, where one process serves it."""


class Unread:
    """How many notifications wait to be written to one client."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Outlet:
    """The `notify` of a `Scope`, and its `send` (`ask`): sends ``("call_notify", outlet, notification)``
    and ``("call_ask", outlet, message)`` to `pid`.

    Who takes one of the first kind calls `taken`. client: counts for all calls of a client; None where
    it has no other. backlog: the bytes that wait for the client, where they are limited.
    """

    __slots__ = ("_backlog", "_client", "_pid", "_unread", "closed", "dropped")

    def __init__(
        self, pid: Pid, client: Unread | None = None, backlog: Backlog | None = None
    ) -> None:
        self._pid = pid
        self._client = client
        self._backlog = backlog
        self._unread = 0
        self.dropped = 0
        self.closed = False
        """Nobody wants news any more; what comes is dropped."""

    def __call__(self, notification: Notification) -> None:
        """Pass a notification on, or drop it when too many wait."""
        client = self._client
        if (
            self.closed
            or self._unread >= UNREAD
            or (client is not None and client.count >= UNREAD_BY_CLIENT)
        ):
            self.dropped += 1
            if not self.closed and self._backlog is not None and self._backlog.loses_nothing:
                self._backlog.overflow()
            return
        if self._backlog is not None and not self._backlog.admit(notification):
            self.dropped += 1
            return
        self._unread += 1
        if client is not None:
            client.count += 1
        message: tuple[Any, ...] = ("call_notify", self, notification)
        send(self._pid, message)

    def ask(self, message: Message) -> bool:
        """Pass on a request of ours, or what belongs to it: never dropped as news may be, for it may
        be that a question is withdrawn whose call has just been cancelled.

        False if nobody would write it.
        """
        if not is_alive(self._pid):
            return False
        send(self._pid, ("call_ask", self, message))
        return True

    def close_stream(self, retry: float) -> None:
        """Have the client disconnected and come back after `retry` seconds for the rest."""
        if not self.closed:
            send(self._pid, ("call_close", self, retry))

    def taken(self, notification: Notification) -> bool:
        """It has left the mailbox; whether it is still to be written."""
        self._unread -= 1
        if self._backlog is not None:
            self._backlog.release(notification)
        if self._client is not None:
            self._client.count -= 1
        return not self.closed
