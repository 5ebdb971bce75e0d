"""How the notifications of a handler reach the transport's process that waits for its answer.

A handler notifies from wherever it runs (on the transport's own stack, in a process of its
own); the transport writes when it can. Between the two is the transport's mailbox, and a
handler that reports faster than its client reads would fill it without bound. Progress and log
lines are news, not data: past a limit the oldest unread are worth more than the newest, so
the newest are dropped and counted.
"""

from __future__ import annotations

from typing import Any, Final

from erlmcp_py.protocol.jsonrpc import Message, Notification
from supervisors import Pid, is_alive, send

UNREAD: Final = 1000
"""Notifications of one call that may wait to be written."""


class Outlet:
    """The `notify` of a `Scope`, and its `send` (`ask`): sends ``("call_notify", outlet, notification)``
    and ``("call_ask", outlet, message)`` to `pid`.

    Who takes one of the first kind calls `taken`.
    """

    __slots__ = ("_pid", "_unread", "closed", "dropped")

    def __init__(self, pid: Pid) -> None:
        self._pid = pid
        self._unread = 0
        self.dropped = 0
        self.closed = False
        """Nobody wants news any more; what comes is dropped."""

    def __call__(self, notification: Notification) -> None:
        """Pass a notification on, or drop it when too many wait."""
        if self.closed or self._unread >= UNREAD:
            self.dropped += 1
            return
        self._unread += 1
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

    def taken(self) -> bool:
        """One of its messages has left the mailbox; whether it is still to be written."""
        self._unread -= 1
        return not self.closed
