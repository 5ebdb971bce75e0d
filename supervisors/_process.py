"""The process record, and how a process ends.

A process is one record in the runtime's table. Two kinds inherit from it:
`CallbackProcess` (plain callbacks, run by the scheduler or on a caller's stack) and
`TaskProcess` (a coroutine with its own trio task). Everything here is common to both and
never awaits: signals take effect at once, in the order they are sent, which is what the
only order guarantee asks for (rule P1).

WHY one end for all: every way of dying goes through `finish`, in one order: status and
mailbox, name (P11: names are free before anyone hears of the death), then exit signals
along links and down signals to monitors. A chain of linked processes is walked with a
work list, not by recursion, so a chain of a hundred thousand cannot overflow the stack.

WHY `extras`: most processes have no monitors, timers or name. What only some need lives
in a second record made on first use; an idle server stays below a kilobyte.
"""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from ._cell import cell
from ._errors import Reason, is_atom, is_normal
from ._pid import Alias, Pid, Ref, drop
from ._reports import CrashReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._limits import MailboxLimit
    from ._runtime import Runtime
    from ._timers import TimerRef

# Status of a process. IDLE is zero so that the hot path tests it with `not`.
IDLE: Final = 0
"""Callback process with no mail, no running timeout, nothing to look at: may be entered."""
WAITING: Final = 1
"""Idle, but with a gen_server timeout running or traced, so not to be entered as it is;
or a task process parked in receive."""
RUNNABLE: Final = 2
"""Callback process with mail, in the run queue."""
RUNNING: Final = 3
DIRTY: Final = 4
"""Running, and something happened meanwhile that its dispatcher must look at afterwards."""
SUSPENDED: Final = 5
EXITING: Final = 6
"""Task process told to die and not yet unwound: not alive any more (P4), not finished."""
EXITED: Final = 7

STATUS_NAMES: Final = (
    "waiting",
    "waiting",
    "runnable",
    "running",
    "running",
    "suspended",
    "exiting",
    "exited",
)

INFO: Final = 0
CALL: Final = 1
TIMEOUT: Final = 2


class Envelope:
    """How anything but a cast lies in a callback process's mailbox; a cast lies bare.

    kind INFO: `body` is the message. CALL: `body` the request, `extra` the From.
    TIMEOUT: the gen_server timeout fired.
    """

    __slots__ = ("body", "extra", "kind")

    kind: int
    body: Any
    extra: Any


def info(message: object) -> Envelope:
    envelope = Envelope()
    envelope.kind = INFO
    envelope.body = message
    return envelope


class Extras:
    """What only some processes have."""

    __slots__ = (
        "children_ancestors",
        "debug",
        "label",
        "limit",
        "monitored_by",
        "monitors",
        "name",
        "orphaned",
        "suspended",
        "timeout",
        "timer",
    )

    def __init__(self) -> None:
        self.name: str | None = None
        self.label: object = None
        self.limit: MailboxLimit | None = None
        self.monitors: dict[Ref, Monitor] = {}
        self.monitored_by: dict[Ref, Watch] = {}
        self.timer: TimerRef | None = None
        self.timeout: float | None = None
        self.debug: Callable[[tuple[Any, ...]], object] | None = None
        self.orphaned = False
        self.suspended = False
        self.children_ancestors: tuple[Pid | str, ...] | None = None


class Watch:
    """Somebody who is told once when a process ends: a monitor or a waiting caller."""

    __slots__ = ()

    def down(self, pid: Pid, reason: Reason) -> None:
        """Called after the process is gone from every table."""
        raise AssertionError("subclasses say what to do")


class Monitor(Watch):
    """One `monitor()`: on the end of `target` the watcher gets one DOWN (rule P9).

    tag: what stands in the place of "DOWN" in the message (P10).
    """

    __slots__ = ("object", "ref", "tag", "target", "watcher")

    def __init__(
        self, ref: Ref, watcher: Process, target: Process, object: object, tag: object = "DOWN"
    ) -> None:
        self.ref = ref
        self.watcher = watcher
        self.target = target
        self.object = object
        self.tag = tag

    def down(self, pid: Pid, reason: Reason) -> None:
        ref = self.ref
        extras = self.watcher.extras
        if extras is not None and extras.monitors.pop(ref, None) is not None:
            if isinstance(ref, Alias):
                ref.monitor_ended()
            self.watcher.pid._post(info((self.tag, ref, "process", self.object, reason)))


class Process:
    """The record of one process; see the module docstring."""

    __slots__ = (
        "ancestors",
        "exit_reason",
        "extras",
        "links",
        "messages_in",
        "parent",
        "pid",
        "runtime",
        "spawner",
        "started_at",
        "status",
        "trap_exit",
    )

    ancestors: tuple[Pid | str, ...]
    exit_reason: Reason
    extras: Extras | None
    links: dict[Process, None] | None
    messages_in: int
    parent: Pid | None
    pid: Pid
    runtime: Runtime
    spawner: Pid | None
    started_at: float
    status: int
    trap_exit: bool

    def __init__(self, runtime: Runtime, parent: Process | None) -> None:
        pid = runtime.new_pid()
        pid._process = self
        self.pid = pid
        self.runtime = runtime
        self.status = IDLE
        self.trap_exit = False
        self.links = None
        self.extras = None
        self.exit_reason = None
        self.messages_in = 0
        self.started_at = perf_counter()
        if parent is None:
            self.parent = None
            self.ancestors = ()
        else:
            self.parent = parent.pid
            self.ancestors = parent.lineage()
        runtime.table[pid] = self

    # --- what the two kinds differ in -------------------------------------------------

    kind = "process"

    @property
    def initial_call(self) -> str:
        """What the process was started to run, as ``module:name``."""
        raise AssertionError("each kind of process says what it runs")

    def queue_length(self) -> int:
        """Messages that wait in the mailbox."""
        raise AssertionError("each kind of process has its own mailbox")

    def clear_mailbox(self) -> list[Any]:
        """Empty the mailbox and answer what was in it; called once, at the end."""
        raise AssertionError("each kind of process has its own mailbox")

    def die(self, reason: Reason) -> bool:
        """Obey a deadly signal; True if the process can be finished on the spot."""
        raise AssertionError("each kind of process dies in its own way")

    def mailbox_changed(self) -> None:
        """The limit of the mailbox was set or taken away (`_limits`)."""
        raise AssertionError("each kind of process has its own mailbox")

    def catch_up(self) -> bool:
        """Whether a caller may enter this process now (`enter_call`); most have to queue."""
        return False

    def enter_call(self, request: Any, from_: Any) -> Any:
        """Direct dispatch of one call; only after `catch_up` answered True."""
        raise AssertionError("only an idle callback process can be entered")

    def enter_request(self, request: Any, from_: Any) -> None:
        """Direct dispatch of one request; only after `catch_up` answered True."""
        raise AssertionError("only an idle callback process can be entered")

    # --- common -----------------------------------------------------------------------

    def more(self) -> Extras:
        """The extras, made on first use."""
        extras = self.extras
        if extras is None:
            extras = self.extras = Extras()
        return extras

    @property
    def name(self) -> str | None:
        return None if self.extras is None else self.extras.name

    @property
    def label(self) -> object:
        return None if self.extras is None else self.extras.label

    @property
    def alive(self) -> bool:
        return self.status < EXITING

    def lineage(self) -> tuple[Pid | str, ...]:
        """The ancestors of a child of this process: itself first, by name if it has one."""
        extras = self.more()
        if extras.children_ancestors is None:
            extras.children_ancestors = (extras.name or self.pid, *self.ancestors)
        return extras.children_ancestors

    def forget_monitor(self, ref: Ref) -> bool:
        """Stop watching what `ref` monitors; False when it watches nothing (any more)."""
        monitor = None if self.extras is None else self.extras.monitors.pop(ref, None)
        if monitor is None:
            return False
        if monitor.target.extras is not None:
            monitor.target.extras.monitored_by.pop(ref, None)
        return True

    def link_with(self, other: Process) -> None:
        """Make the one, symmetric link between two processes (rule P5)."""
        if other is self:
            return
        if self.links is None:
            self.links = {}
        if other.links is None:
            other.links = {}
        self.links[other] = None
        other.links[self] = None

    def unlink_from(self, other: Process) -> None:
        if self.links is not None and other.links is not None:
            self.links.pop(other, None)
            other.links.pop(self, None)


class Remote(Process):
    """What stands for a process of another node: see `supervisors.distribution`."""

    __slots__ = ()

    kind = "remote"

    def link_from(self, process: Process) -> None:
        """`link` by a process of ours."""
        raise AssertionError("the distribution says what to do")

    def drop_link(self, process: Process) -> None:
        """`unlink` by a process of ours."""
        raise AssertionError("the distribution says what to do")

    def exited(self, process: Process, reason: Reason) -> None:
        """A process of ours that was linked to this one has ended."""
        raise AssertionError("the distribution says what to do")

    def exit(self, sender: Pid, reason: Reason) -> None:
        """``exit/2`` by a process of ours."""
        raise AssertionError("the distribution says what to do")

    def system(self, waiter: Watch | None, request: tuple[Any, ...]) -> None:
        """A request of `sys`; the waiter, which watches this process, gets the answer."""
        raise AssertionError("the distribution says what to do")


def signal_exit(target: Process, sender: Pid, reason: Reason, *, linked: bool) -> None:
    """Deliver one exit signal (rule P4 and the matrix below it).

    `linked` tells the end of a linked process from ``exit/2``: only the latter can be
    the untrappable ``kill``, and only from oneself is ``normal`` deadly.
    """
    if not target.alive:
        return
    if not linked and is_atom(reason, "kill"):
        doomed, reason = True, "killed"
    elif target.trap_exit:
        target.pid._post(info(("EXIT", sender, reason)))
        return
    else:
        doomed = not is_atom(reason, "normal") or (sender is target.pid and not linked)
    if doomed and target.die(reason):
        finish(target, reason)


def finish(process: Process, reason: Reason) -> None:
    """End a process now, and everything that dies of it along links."""
    work: list[tuple[Process, Reason]] = [(process, reason)]
    for dying, why in work:
        if dying.status == EXITED:
            continue
        _release(dying, why)
        pid = dying.pid
        watches = None
        if dying.extras is not None:
            for monitor in dying.extras.monitors.values():
                other = monitor.target.extras
                if other is not None:
                    other.monitored_by.pop(monitor.ref, None)
            dying.extras.monitors = {}
            watches, dying.extras.monitored_by = dying.extras.monitored_by, {}
        links, dying.links = dying.links, None
        if links:
            for other_process in links:
                if other_process.links is not None:
                    other_process.links.pop(dying, None)
            for other_process in links:
                if isinstance(other_process, Remote):
                    other_process.exited(dying, why)
                    continue
                if not other_process.alive:
                    continue
                if other_process.trap_exit:
                    if other_process.parent is pid:
                        other_process.more().orphaned = True
                    other_process.pid._post(info(("EXIT", pid, why)))
                elif not is_atom(why, "normal") and other_process.die(why):
                    work.append((other_process, why))
        if watches:
            for watch in list(watches.values()):
                watch.down(pid, why)


def _release(process: Process, reason: Reason) -> None:
    """Status, mailbox, timer, table and name: everything visible, before any signal (P11)."""
    process.status = EXITED
    process.exit_reason = reason
    pid = process.pid
    pid._post = drop
    pid._process = None
    runtime = process.runtime
    runtime.table.pop(pid, None)
    extras = process.extras
    if extras is not None:
        if extras.timer is not None:
            runtime.timers.cancel(extras.timer)
            extras.timer = None
        if extras.name is not None:
            runtime.names.pop(extras.name, None)
        if extras.debug is not None:
            extras.debug(("exit", reason))
    process.clear_mailbox()


def crash_report(process: Process, kind: str, reason: Reason) -> None:
    """Report a process that is about to end, unless the reason is a normal one."""
    if is_normal(reason):
        return
    process.runtime.reports.emit(
        CrashReport(
            pid=process.pid,
            kind=kind,
            reason=reason,
            name=process.name,
            label=process.label,
            initial_call=process.initial_call,
            ancestors=process.ancestors,
            message_queue_len=process.queue_length(),
            links=tuple(p.pid for p in process.links or ()),
            trap_exit=process.trap_exit,
            neighbours=_neighbours(process),
        )
    )


def _neighbours(process: Process, limit: int = 15) -> tuple[Pid, ...]:
    """Linked processes that do not trap exits, breadth first, at most `limit`."""
    found: dict[Process, None] = {}
    queue = deque(process.links or ())
    while queue and len(found) < limit:
        other = queue.popleft()
        if other is process or other in found or other.trap_exit:
            continue
        found[other] = None
        queue.extend(other.links or ())
    return tuple(p.pid for p in found)


def running_as(process: Process | None) -> Process | None:
    """Become `process` for the code that follows; answers whom to become again after."""
    previous = cell.current
    cell.current = process
    return previous
