"""The client's side of a GenServer: call, cast, reply, send_request, call_or_send.

A call is a monitor, a message and a wait (rule G13). When the server is an idle callback
process the wait is skipped: its handler runs at once on the caller's stack, as the server
(DESIGN 2.2), so the common call allocates one `From` and never suspends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio
from outcome import Error, Value

from .._cell import cell, current_process, not_in_this_thread, require_process, task_process
from .._errors import CallExit, Reason, shown
from .._names import Name, resolve
from .._pid import Pid
from .._process import CALL, EXITING, Envelope, Process, Watch, info
from .._timers import TimerRef, require_seconds

NO_REPLY = object()
"""What `enter_call` answers when the handler's return value held no reply."""


class From:
    """Whom to answer: handed to `handle_call`, usable with `reply` from any process.

    pid: the calling process, None for a caller that is no process.
    """

    __slots__ = ("_pid", "_waiter")

    _pid: Pid | None
    _waiter: Waiter | Early

    @property
    def pid(self) -> Pid | None:
        try:
            return self._pid
        except AttributeError:
            # Entered directly: the caller's task is the one that runs us.
            process = task_process.get()
            self._pid = None if process is None else process.pid
            return self._pid

    @property
    def settled(self) -> bool:
        """Whether an answer would come too late: given already, or not waited for any more."""
        waiter = getattr(self, "_waiter", None)
        return isinstance(waiter, Early) or (isinstance(waiter, Waiter) and waiter.released)

    def __repr__(self) -> str:
        return f"<From {self.pid}>"


class Early:
    """A reply given while the handler of a direct call was still running."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Waiter(Watch):
    """Somebody who waits for one reply: answered once, by the server, its end or a timer."""

    __slots__ = ()

    @property
    def released(self) -> bool:
        """Whether it waits no more."""
        raise AssertionError("subclasses know")

    def answer(self, value: Any) -> None:
        raise AssertionError("subclasses say what to do")


class ParkedCall(Waiter):
    """A trio task that waits in `call`."""

    __slots__ = ("server", "task", "timer")

    def __init__(self, server: Process) -> None:
        self.server: Process | None = server
        self.task = trio.lowlevel.current_task()
        self.timer: TimerRef | None = None

    @property
    def released(self) -> bool:
        return self.server is None

    def answer(self, value: Any) -> None:
        if self.server is not None:
            try:
                trio.lowlevel.reschedule(self.task, Value(value))
            except RuntimeError as error:
                raise not_in_this_thread() from error
            self.release()

    def down(self, pid: Pid, reason: Reason) -> None:
        if self.release():
            trio.lowlevel.reschedule(self.task, Error(_Down(reason)))

    def late(self) -> None:
        self.timer = None
        if self.release():
            trio.lowlevel.reschedule(self.task, Error(_Down("timeout")))

    def release(self) -> bool:
        """Stop waiting, however it ended; False if that already happened."""
        server = self.server
        if server is None:
            return False
        self.server = None
        if self.timer is not None:
            server.runtime.timers.cancel(self.timer)
            self.timer = None
        extras = server.extras
        if extras is not None:
            extras.monitored_by.pop(self, None)  # type: ignore[call-overload]
        return True


class _Down(Exception):
    """How a parked call learns that no reply will come; never leaves this module."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class RequestId(Waiter):
    """An asynchronous request: its answer comes as a message to the process that sent it."""

    __slots__ = ("dest", "owner", "server")

    def __init__(self, owner: Process, server: Process | None, dest: Pid | Name) -> None:
        self.owner = owner
        self.server = server
        self.dest = dest

    @property
    def released(self) -> bool:
        return self.server is None

    def answer(self, value: Any) -> None:
        if self.release():
            self.owner.pid._post(info(("$reply", self, value)))

    def down(self, pid: Pid, reason: Reason) -> None:
        if self.release():
            self.owner.pid._post(info(("$error", self, reason)))

    def release(self) -> bool:
        server = self.server
        if server is None:
            return False
        self.server = None
        if server.extras is not None:
            server.extras.monitored_by.pop(self, None)  # type: ignore[call-overload]
        return True


def watch(server: Process, waiter: Waiter) -> None:
    # The waiter is its own key: it is hashed by identity, as a monitor's Ref is.
    server.more().monitored_by[waiter] = waiter  # type: ignore[index]


def hand_over(
    server: Process, waiter: ParkedCall | RequestId, put: Callable[..., object], *request: Any
) -> None:
    """Watch the server and ``put(*request)``; when that raises, nobody is left waiting.

    What cannot travel to another node raises. A task that went on is not to be woken by the
    end of the server: it may wait for something else by then, or be gone.
    """
    watch(server, waiter)
    try:
        put(*request)
    except BaseException:
        waiter.release()
        raise


async def call(server: Pid | Name, request: Any, timeout: float = 5.0) -> Any:
    """Ask a server and wait for its reply (rules G12, G13).

    server: a pid or a name. timeout: seconds, `math.inf` for no limit; past it
    the server goes on and its late reply is dropped.
    Raises CallExit: cause "noproc", "timeout", "calling_self", or the reason the server
    ended with. May be used from any trio task; it is a checkpoint only when it has to
    wait, and at least once in 2,000 calls.
    """
    try:
        process = server._process  # type: ignore[union-attr]
    except AttributeError:
        process = _find(server)  # type: ignore[arg-type]  # a pid has a process
    if process is None:
        raise CallExit("noproc", server, request, timeout)
    if not process.status:
        cell.budget -= 1
        if cell.budget > 0:
            from_ = From()
            value = process.enter_call(request, from_)
            if value is not NO_REPLY:
                return value
            return await _after_entry(process, from_, server, request, timeout)
    return await _call_slowly(process, server, request, timeout)


def _find(name: Name) -> Process | None:
    pid = resolve(name)
    return None if pid is None else pid._process


async def _call_slowly(process: Process, server: Pid | Name, request: Any, timeout: float) -> Any:
    require_seconds(timeout, "call()", forever=True)
    caller = current_process()
    if process is caller:
        raise CallExit("calling_self", server, request, timeout)
    cell.budget -= 1
    if cell.budget <= 0 and not cell.look():
        await process.runtime.next_turn()
    elif caller is not None and caller.status == EXITING:
        await trio.lowlevel.checkpoint()
    if not process.alive:
        raise CallExit(_end_reason(process), server, request, timeout)
    from_ = From()
    from_._pid = None if caller is None else caller.pid
    if process.catch_up():
        value = process.enter_call(request, from_)
        if value is not NO_REPLY:
            return value
        return await _after_entry(process, from_, server, request, timeout)
    if not process.alive:
        raise CallExit(_end_reason(process), server, request, timeout)
    envelope = Envelope()
    envelope.kind = CALL
    envelope.body = request
    envelope.extra = from_
    waiter = from_._waiter = ParkedCall(process)
    hand_over(process, waiter, process.pid._post, envelope)
    return await wait_for(waiter, process, server, request, timeout)


def _end_reason(process: Process) -> Reason:
    return "noproc" if process.exit_reason is None else process.exit_reason


async def wait_for(
    waiter: ParkedCall, process: Process, server: Pid | Name, request: Any, timeout: float
) -> Any:
    """Park the calling task until the waiter is answered, the server ends, or time is up."""
    if timeout != math.inf:
        waiter.timer = process.runtime.timers.add(timeout, waiter.late)

    def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
        waiter.release()
        return trio.lowlevel.Abort.SUCCEEDED

    try:
        return await trio.lowlevel.wait_task_rescheduled(abort)
    except _Down as down:
        raise CallExit(down.reason, server, request, timeout) from None


async def _after_entry(
    process: Process, from_: From, server: Pid | Name, request: Any, timeout: float
) -> Any:
    """What comes after a direct call whose handler returned no reply."""
    early = getattr(from_, "_waiter", None)
    if early is not None:
        assert isinstance(early, Early)
        return early.value
    if not process.alive:
        caller = current_process()
        if caller is not None and caller.status == EXITING:
            await trio.lowlevel.checkpoint()
        raise CallExit(process.exit_reason, server, request, timeout)
    require_seconds(timeout, "call()", forever=True)
    from_.pid  # noqa: B018  # the caller is known only as long as it runs
    waiter = from_._waiter = ParkedCall(process)
    watch(process, waiter)
    return await wait_for(waiter, process, server, request, timeout)


def cast(server: Pid | Name, request: Any) -> None:
    """Send a request that has no reply; silent when nobody is there (rule G15)."""
    try:
        post = server._post  # type: ignore[union-attr]
    except AttributeError:
        pid = resolve(server)  # type: ignore[arg-type]  # a pid can be posted to
        if pid is None:
            return
        post = pid._post
    post(request)


def reply(from_: From, value: Any) -> None:
    """Answer a call: from any process, any time later; silent when the caller has gone (G14)."""
    try:
        waiter = from_._waiter
    except AttributeError:
        if type(from_) is not From and not isinstance(from_, From):
            raise TypeError(f"reply(): expected the from_ of a call, got {shown(from_)}") from None
        from_._waiter = Early(value)
        return
    if isinstance(waiter, Waiter):
        waiter.answer(value)


def send_request(server: Pid | Name, request: Any) -> RequestId:
    """Send a call without waiting for it (rule G16); from a process only.

    The answer arrives as the message ``("$reply", request_id, value)``; when the server is
    or goes away, ``("$error", request_id, reason)``. An idle callback server is entered at
    once, so the answer may lie in the mailbox when this returns.
    """
    owner = require_process("send_request()")
    pid = server if isinstance(server, Pid) else resolve(server)
    process = None if pid is None else pid._process
    rid = RequestId(owner, process, server)
    if process is None or not process.alive:
        reason = "noproc" if process is None else _end_reason(process)
        owner.pid._post(info(("$error", rid, reason)))
        return rid
    from_ = From()
    from_._pid = owner.pid
    from_._waiter = rid
    hand_over(process, rid, _deliver, process, request, from_)
    return rid


def _deliver(process: Process, request: Any, from_: From) -> None:
    """Have the server handle a request now, or when it comes to it."""
    cell.budget -= 1
    if cell.budget > 0 and cell.current is None and process.catch_up():
        process.enter_request(request, from_)
        return
    envelope = Envelope()
    envelope.kind = CALL
    envelope.body = request
    envelope.extra = from_
    process.pid._post(envelope)


def call_or_send(server: Pid | Name, request: Any) -> tuple[Any, RequestId | None]:
    """`send_request`, and the answer at once where it would be the next message; from a process only.

    That is ``(answer, None)``. Else it is ``(None, request_id)``, and the answer or the error comes
    as a message, behind those that have come by then: the order is the same in both cases.
    """
    owner = require_process("call_or_send()")
    pid = server if isinstance(server, Pid) else resolve(server)
    process = None if pid is None else pid._process
    if process is None or cell.current is not None or owner.queue_length():
        return None, send_request(server, request)
    cell.budget -= 1
    if not (cell.budget > 0 or cell.look()) or not process.catch_up():
        return None, send_request(server, request)
    from_ = From()
    from_._pid = owner.pid
    value = process.enter_call(request, from_)
    if value is NO_REPLY:
        early = getattr(from_, "_waiter", None)
        if early is None:
            rid = RequestId(owner, process, server)
            if process.alive:
                from_._waiter = rid
                watch(process, rid)
            else:
                rid.down(process.pid, _end_reason(process))
            return None, rid
        assert isinstance(early, Early)
        value = early.value
    if not owner.queue_length():
        return value, None
    rid = RequestId(owner, process, server)
    rid.answer(value)
    return None, rid


def abandon(request_id: RequestId) -> None:
    """Forget a request: an answer that comes later is dropped; one that came stays."""
    request_id.release()


__all__ = [
    "From",
    "RequestId",
    "abandon",
    "call",
    "call_or_send",
    "cast",
    "reply",
    "send_request",
]
