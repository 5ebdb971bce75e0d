"""Callback processes: a mailbox and plain callbacks, without a trio task.

The record is entered in two ways that give the same order of messages (DESIGN 2.2): the
scheduler drains its mailbox, or a caller that would wait anyway runs it on its own stack.

How mail gets in: `pid._post` is whatever costs least in the present state. While the
process is idle that is `wake`, which makes the mailbox and queues the process; as long as
it is queued or running it is the mailbox's own `list.append`, so a cast to a busy server
is one C call.

How mail gets out: the mailbox is taken as a whole (`batch`) and walked by one list
iterator that survives between two turns, so a mailbox of a million messages is never
shifted. A process that must stop at once empties the list under the iterator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._errors import Reason, is_atom
from ._limits import admit, of_kernel
from ._process import (
    DIRTY,
    IDLE,
    INFO,
    RUNNABLE,
    RUNNING,
    SUSPENDED,
    WAITING,
    Envelope,
    Process,
    finish,
)

if TYPE_CHECKING:
    from ._runtime import Runtime


class CallbackProcess(Process):
    """The record of a process made of plain callbacks; behaviours subclass it."""

    __slots__ = ("batch", "box", "mailbox", "queued")

    kind = "callback"

    box: list[Any] | None
    batch: Iterator[Any] | None
    mailbox: list[Any] | None
    queued: bool

    def __init__(self, runtime: Runtime, parent: Process | None) -> None:
        super().__init__(runtime, parent)
        self.box = self.batch = self.mailbox = None
        self.queued = False

    def drain(self) -> None:
        """Handle waiting messages, for at most what is left of the budget."""
        raise AssertionError("each behaviour drains its own mailbox")

    # --- mail -------------------------------------------------------------------------

    def __call__(self, message: Any) -> None:
        """Take a message while idle, or while a caller is inside: `pid._post` is the record
        itself then, which saves every idle process a bound method.
        """
        mailbox = self.mailbox
        if mailbox is None:
            mailbox = self.mailbox = [message]
        else:
            mailbox.append(message)
        self.pid._post = mailbox.append if not self._bounded() else self.post_bounded
        if self.status == RUNNING:
            self.status = DIRTY
            return
        self.cancel_timeout()
        self.status = RUNNABLE
        if not self.queued:
            self.queued = True
            self.runtime.enqueue(self)

    def _bounded(self) -> bool:
        return self.extras is not None and self.extras.limit is not None

    def mailbox_changed(self) -> None:
        """A limit was set or taken away, by the process itself: mail has to see it."""
        if self.mailbox is None:
            self.mailbox = []
        self.pid._post = self.mailbox.append if not self._bounded() else self.post_bounded
        if self.status == RUNNING:
            self.status = DIRTY

    def post_bounded(self, message: Any) -> None:
        """`pid._post` of a process with mail and a limited mailbox."""
        assert self.extras is not None
        assert self.extras.limit is not None
        if admit(self, self.extras.limit, message, self._drop_oldest) and self.mailbox is not None:
            self.mailbox.append(message)

    def _drop_oldest(self) -> Any:
        """The oldest message that may go; those of the turn in progress are spoken for."""
        for position, message in enumerate(self.mailbox or ()):
            if not of_kernel(message):
                assert self.mailbox is not None
                del self.mailbox[position]
                return message
        return None

    def post_suspended(self, message: Any) -> None:
        """`pid._post` while suspended: only the parent's EXIT is looked at (1.7)."""
        if self.mailbox is None:
            self.mailbox = []
        if self._bounded():
            self.post_bounded(message)
        else:
            self.mailbox.append(message)
        if self._is_parent_exit(message):
            self.parent_exit(message.body[2])

    def _is_parent_exit(self, message: Any) -> bool:
        if type(message) is not Envelope or message.kind != INFO:
            return False
        body = message.body
        return (
            type(body) is tuple
            and len(body) == 3
            and body[1] is self.parent
            and self.parent is not None
            and is_atom(body[0], "EXIT")
        )

    def parent_exit(self, reason: Reason) -> None:
        """EXIT from the parent, in a process that traps exits."""
        raise AssertionError("each behaviour ends in its own way")

    def take_batch(self) -> Iterator[Any] | None:
        """The messages to handle next; None when there are none."""
        batch = self.batch
        if batch is not None and batch.__length_hint__():  # type: ignore[attr-defined]
            return batch
        box = self.mailbox
        if not box:
            self.batch = self.box = None
            return None
        self.box = box
        self.mailbox = []
        self.pid._post = self.mailbox.append if not self._bounded() else self.post_bounded
        batch = self.batch = iter(box)
        return batch

    def queue_length(self) -> int:
        length = 0 if self.mailbox is None else len(self.mailbox)
        if self.batch is not None:
            length += self.batch.__length_hint__()  # type: ignore[attr-defined]
        return length

    def waiting_messages(self) -> list[Any]:
        """What waits, oldest first, as it lies in the mailbox; a copy."""
        waiting: list[Any] = []
        if self.batch is not None and self.box is not None:
            left = self.batch.__length_hint__()  # type: ignore[attr-defined]
            waiting += self.box[len(self.box) - left :]
        return waiting + (self.mailbox or [])

    def clear_mailbox(self) -> list[Any]:
        left = [] if self.batch is None else list(self.batch)
        left += self.mailbox or []
        if self.box is not None:
            del self.box[:]
        self.box = self.batch = self.mailbox = None
        return left

    # --- state ------------------------------------------------------------------------

    def settle(self) -> None:
        """Choose the state to rest in, after running; obey a signal that came meanwhile."""
        if self.exit_reason is not None:
            finish(self, self.exit_reason)
            return
        extras = self.extras
        if extras is not None and extras.suspended:
            self.status = SUSPENDED
            self.pid._post = self.post_suspended
        elif self.mailbox or (self.batch is not None and self.batch.__length_hint__()):  # type: ignore[attr-defined]
            self.status = RUNNABLE
            if self.mailbox is None:
                self.mailbox = []
            self.pid._post = self.mailbox.append if not self._bounded() else self.post_bounded
            if not self.queued:
                self.queued = True
                self.runtime.enqueue(self)
        else:
            self.box = self.batch = self.mailbox = None
            watched = extras is not None and (extras.timer is not None or extras.debug is not None)
            self.status = WAITING if watched else IDLE
            self.pid._post = self

    def cancel_timeout(self) -> None:
        """Forget a running gen_server timeout (rule G7: any message cancels it)."""
        extras = self.extras
        if extras is not None and extras.timeout is not None:
            extras.timeout = None
            if extras.timer is not None:
                self.runtime.timers.cancel(extras.timer)
                extras.timer = None

    def die(self, reason: Reason) -> bool:
        if self.status not in (RUNNING, DIRTY):
            return True
        if self.exit_reason is None:
            self.exit_reason = reason
            self.status = DIRTY
            if self.box is not None:
                del self.box[:]
        return False
