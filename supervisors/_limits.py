"""Bounded mailboxes: what a stranger can fill has a limit (DESIGN 2.4).

A process whose mailbox can be reached from outside calls `limit_mailbox` in its init, as it
calls `trap_exit`. From then on a message that would make the mailbox longer than the limit
meets the policy:

- ``"refuse"``: the message is dropped; a call ends with CallExit, cause "mailbox_full";
- ``"drop_oldest"``: the oldest message that may be dropped makes room, a waiting call among
  them ends as above;
- ``"kill"``: the process ends with ``("mailbox_full", limit)``.

What the kernel itself sends (EXIT, DOWN, replies, time-outs) and `sys` requests are never
dropped nor counted against anybody, so a flooded process still hears of its links and can
still be looked at and stopped. The first drop of an episode is reported; the episode is
over when the mailbox has been empty.

    >>> import supervisors
    >>> from supervisors import GenServer, call, cast, limit_mailbox
    >>> class Careful(GenServer):
    ...     def init(self):
    ...         limit_mailbox(3, "refuse")
    ...         return "ok", []
    ...     def handle_cast(self, request, seen):
    ...         return "noreply", [*seen, request]
    ...     def handle_call(self, request, from_, seen):
    ...         return "reply", seen, seen
    >>> async def main():
    ...     pid = await Careful.start()
    ...     for n in range(10):
    ...         cast(pid, n)
    ...     return await call(pid, "what did you see?")
    >>> supervisors.run(main)
    [0, 1, 2]

Erlang has no such limit on messages; the nearest is ``max_heap_size`` with kill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ._errors import format_reason, interrupts, is_atom
from ._pid import Ref
from ._process import CALL, INFO, Envelope, Process, finish
from ._reports import WarningReport

if TYPE_CHECKING:
    from collections.abc import Callable

Policy = Literal["refuse", "drop_oldest", "kill"]
Exempt: TypeAlias = "Callable[[Any], bool]"

POLICIES: Final = ("refuse", "drop_oldest", "kill")
KERNEL_TAGS: Final = frozenset(("EXIT", "DOWN", "$reply", "$error", "timeout", "system"))
"""First elements of the messages that only the kernel sends."""


class MailboxLimit:
    """The limit of one mailbox, and what it has cost so far.

    limit: messages. dropped: messages lost to it since the start.
    """

    __slots__ = ("dropped", "exempt", "full", "limit", "policy")

    def __init__(self, limit: int, policy: Policy, exempt: Exempt | None = None) -> None:
        self.limit = limit
        self.policy: Policy = policy
        self.exempt = exempt
        self.dropped = 0
        self.full = False


def limit_mailbox(
    limit: int | None, policy: Policy = "refuse", *, exempt: Exempt | None = None
) -> None:
    """Bound the mailbox of the calling process; None takes the bound away.

    limit: messages that may wait. exempt: told a message that does not fit,
    whether it enters all the same: what a process's own helpers send it must not be lost to
    a flood from outside. It runs in the sender, so it only looks; one that raises is taken
    away. Not with "drop_oldest". ValueError for a limit below 1 or an unknown policy.
    """
    from ._cell import require_process

    process = require_process("limit_mailbox()")
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    if limit is not None and (isinstance(limit, bool) or limit < 1):
        raise ValueError(f"a mailbox limit is a number of messages from 1 on, not {limit!r}")
    if exempt is not None and policy == "drop_oldest":
        raise ValueError("exempt is for messages that do not fit; drop_oldest lets all of them in")
    process.more().limit = None if limit is None else MailboxLimit(limit, policy, exempt)
    process.mailbox_changed()


def of_kernel(message: Any) -> bool:
    """Whether the kernel sent it: exempt from every limit."""
    if type(message) is not Envelope:
        return False
    if message.kind == INFO:
        return is_kernels(message.body)
    return message.kind != CALL


def is_kernels(body: Any) -> bool:
    """Whether a message is one that only the kernel makes; a DOWN may have a tag of its own."""
    if type(body) is not tuple or len(body) == 0:
        return False
    tag = body[0]
    return (type(tag) is str and tag in KERNEL_TAGS) or (
        len(body) == 5 and isinstance(body[1], Ref)
    )


def admit(
    process: Process, bound: MailboxLimit, message: Any, drop_oldest: Callable[[], Any]
) -> bool:
    """Whether a message may enter; does what the policy says when the mailbox is full.

    drop_oldest: takes the oldest message that may go out of the mailbox and answers it; None
    too if there is none.
    """
    length = process.queue_length()
    if length == 0:
        bound.full = False
    if length < bound.limit or of_kernel(message):
        return True
    if bound.exempt is not None and _is_exempt(process, bound, message):
        return True
    if not bound.full:
        bound.full = True
        process.runtime.reports.emit(
            WarningReport(
                process.pid,
                f"mailbox full: {bound.limit} messages wait; policy {bound.policy}",
                {"limit": bound.limit, "policy": bound.policy, "dropped": bound.dropped},
            )
        )
    bound.dropped += 1
    if bound.policy == "kill":
        refuse(process, message)
        reason = ("mailbox_full", bound.limit)
        if process.die(reason):
            finish(process, reason)
        return False
    if bound.policy == "drop_oldest":
        oldest = drop_oldest()
        if process.queue_length() < length:  # the message that went may have been None
            refuse(process, oldest)
            return True
    refuse(process, message)
    return False


def _is_exempt(process: Process, bound: MailboxLimit, message: Any) -> bool:
    """What `exempt` says; one that raises is taken away, and is no fault of who sends."""
    assert bound.exempt is not None
    try:
        return bool(bound.exempt(_body(message)))
    except BaseException as error:
        if interrupts(error):
            raise
        bound.exempt = None
        text = "exempt of a mailbox limit raised; taken away"
        details = {"error": format_reason(error)}
        process.runtime.reports.emit(WarningReport(process.pid, text, details))
        return False


def _body(message: Any) -> Any:
    """What was sent or cast; an envelope's own kind is no business of a user's function."""
    return message.body if type(message) is Envelope else message


def refuse(process: Process, message: Any) -> None:
    """Tell a caller that its call was dropped; other messages just go."""
    from_: Any = None
    if type(message) is Envelope and message.kind == CALL:
        from_ = message.extra
    elif type(message) is tuple and len(message) == 3 and is_atom(message[0], "$gen_call"):
        from_ = message[1]
    waiter = getattr(from_, "_waiter", None)
    if waiter is not None:
        waiter.down(process.pid, "mailbox_full")
