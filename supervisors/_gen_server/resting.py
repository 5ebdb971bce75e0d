"""What a server of plain callbacks does while nothing happens: gen_server timeouts and hibernation."""

from __future__ import annotations

import math

from .._callback import CallbackProcess
from .._process import IDLE, RUNNABLE, TIMEOUT, WAITING, Envelope, Extras


class ServerExtras(Extras):
    """What only some servers have: hibernation (G17)."""

    __slots__ = ("hibernate_after", "hibernating")

    def __init__(self) -> None:
        Extras.__init__(self)  # without super(), which a measured path would notice
        self.hibernate_after: float | None = None
        self.hibernating = False


class RestingServer(CallbackProcess):
    """The part of a server that waits: for a message, a timeout, or hibernation (G7, G17)."""

    __slots__ = ()

    extras: ServerExtras | None

    def more(self) -> ServerExtras:
        extras = self.extras
        if extras is None:
            extras = self.extras = ServerExtras()
        return extras

    def arm(self, option: float | str) -> None:
        """Start a gen_server timeout, unless a message is there to cancel it (G7)."""
        if option == "hibernate":
            self._hibernate()
            return
        if isinstance(option, str) or option == math.inf or self.queue_length():
            return
        if option == 0:
            envelope = Envelope()
            envelope.kind = TIMEOUT
            envelope.body = None
            self.pid._post(envelope)
            return
        extras = self.more()
        extras.timeout = option
        extras.timer = self.runtime.timers.add(option, self._timeout)

    def _timeout(self) -> None:
        extras = self.more()
        extras.timer = None
        if self.status == WAITING:
            extras.timeout = None
            self.status = IDLE
            envelope = Envelope()
            envelope.kind = TIMEOUT
            envelope.body = None
            self(envelope)

    def _hibernate(self) -> None:
        """Put away what can be made again; the next message wakes the server (G17)."""
        if self.queue_length():
            return
        extras = self.more()
        extras.timer = None
        extras.hibernating = True
        extras.children_ancestors = None

    def cancel_timeout(self) -> None:
        """Forget a running timeout, and wake up: any message does both (G7, G17)."""
        extras = self.extras
        if extras is not None:
            extras.timeout = None
            extras.hibernating = False
            if extras.timer is not None:
                self.runtime.timers.cancel(extras.timer)
                extras.timer = None

    def settle(self) -> None:
        super().settle()
        extras = self.extras
        if extras is None:
            return
        if self.status == RUNNABLE:
            self.cancel_timeout()  # of the time before it was suspended (G7)
        elif self.status == IDLE:
            if extras.hibernate_after is not None and not extras.hibernating:
                extras.timer = self.runtime.timers.add(extras.hibernate_after, self._hibernate)
            if extras.hibernating or extras.timer is not None:
                self.status = WAITING  # the next message must not come in unseen

    def is_hibernating(self) -> bool:
        return self.extras is not None and self.extras.hibernating

    def system_served(self) -> None:
        """Start a running timeout anew (G7); hibernation goes on (G17)."""
        extras = self.extras
        if extras is None or self.status not in (IDLE, WAITING) or extras.hibernating:
            return
        timeout = extras.timeout
        if timeout is not None:
            self.cancel_timeout()
            extras.timeout = timeout
            extras.timer = self.runtime.timers.add(timeout, self._timeout)
            self.status = WAITING
        elif extras.hibernate_after is not None:
            self.cancel_timeout()
            self.settle()
