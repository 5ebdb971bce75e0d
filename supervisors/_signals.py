"""Signals between processes: send, link, monitor, exit, timers (rules P1-P12, P16).

All of them are plain functions that take effect at once, usable from task processes,
callbacks and, where no process of one's own is needed, from any code in the trio thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard, get_args

import trio

from ._cell import current_process, current_runtime, require_process
from ._errors import BadArg, NoProc, Reason, SelfExit, interrupts, shown
from ._flush import take_back
from ._names import Name, resolve
from ._pid import Alias, Pid, Ref, no_pid
from ._process import EXITING, Monitor, Remote, info, signal_exit
from ._reports import WarningReport
from ._task import TaskProcess
from ._timers import TimerRef, require_seconds

if TYPE_CHECKING:
    from ._runtime import Runtime

Dest = Pid | Ref | Name
MonitorAlias = Literal["explicit_unalias", "demonitor", "reply_demonitor"]
_MONITOR_ALIASES: Final = get_args(MonitorAlias)


def self() -> Pid:
    """The pid of the process this code runs in; RuntimeError when it runs in none."""
    return require_process("self()").pid


def _pid_of(dest: Pid | Name, doing: str) -> Pid:
    if isinstance(dest, Pid):
        return dest
    pid = _resolved(dest, doing)
    if pid is None:
        raise BadArg(f"{doing}: no process is registered as {dest!r}")
    return pid


def _resolved(name: object, doing: str) -> Pid | None:
    if not isinstance(name, str | tuple):
        raise TypeError(f"{doing}: expected a pid or the name of a process, got {shown(name)}")
    return resolve(name)


def _is_name_of_node(dest: object) -> bool:
    """``(name, node)``: nobody there is nobody's error, also on this node (P12)."""
    return isinstance(dest, tuple) and len(dest) == 2 and dest[0] != "global"


def send(dest: Dest, message: Any) -> None:
    """Put a message into a mailbox. To a dead pid: silent; to an unknown name: BadArg (P12).

    ``(name, node)`` is silent when nobody has the name or the node is not connected. A
    reference reaches the process it is an alias of; one that is no alias (any more)
    reaches nobody (P14).
    """
    if type(dest) is Pid:
        dest._post(info(message))
    elif isinstance(dest, Ref):
        if isinstance(dest, Alias):
            dest._post(info(message))
    elif _is_name_of_node(dest):
        _post_to(current_runtime(), dest, message)
    else:
        _pid_of(dest, "send()")._post(info(message))


def exit_signal(dest: Pid | str, reason: Reason) -> None:
    """Send an exit signal: Erlang's ``exit/2``, by the matrix of rule P4.

    ``"kill"`` cannot be trapped and ends the process with ``"killed"``. ``"normal"`` to
    another process that does not trap exits does nothing.
    """
    pid = _pid_of(dest, "exit_signal()")
    target = pid._process
    if target is None:
        return
    sender = current_process()
    source = pid if sender is None else sender.pid
    why = "undefined" if reason is None else reason
    if isinstance(target, Remote):
        target.exit(source, why)
        return
    signal_exit(target, source, why, linked=False)
    if target is sender and isinstance(target, TaskProcess) and target.status == EXITING:
        raise SelfExit


def link(pid: Pid) -> None:
    """Link the current process and `pid` (P5).

    A dead `pid`: NoProc, or for a process that traps exits ``("EXIT", pid, "noproc")`` in
    its mailbox (P7). One of another node: an exit signal "noproc", or "noconnection".
    """
    me = require_process("link()")
    try:
        other = pid._process
    except AttributeError:
        raise no_pid("link()", pid) from None
    if isinstance(other, Remote):
        other.link_from(me)
        return
    if other is None or not other.alive:
        if not me.trap_exit:
            raise NoProc(f"cannot link to {pid}: it is dead")
        me.pid._post(info(("EXIT", pid, "noproc")))
        return
    me.link_with(other)


def unlink(pid: Pid) -> None:
    """Remove the link; no EXIT of it can arrive any more, one that did stays (P8)."""
    me = require_process("unlink()")
    try:
        other = pid._process
    except AttributeError:
        raise no_pid("unlink()", pid) from None
    if isinstance(other, Remote):
        other.drop_link(me)
    elif other is not None:
        me.unlink_from(other)


def monitor(dest: Pid | Name, *, alias: MonitorAlias | None = None, tag: object = "DOWN") -> Ref:
    """Watch a process: exactly one ``("DOWN", ref, "process", object, reason)`` at its end.

    object: the pid, or ``(name, node)`` when monitored by name, resolved now. A dead or
    unknown one is down at once, with ``"noproc"`` (P9). tag: stands in the place of
    "DOWN" (P10). alias: the reference can also be sent to, until `unalias`
    ("explicit_unalias"), until the monitor is gone ("demonitor"), or once, which ends the
    monitor as well ("reply_demonitor"); rule P14.
    """
    me = require_process("monitor()")
    if alias is None:
        ref = Ref()
    elif alias in _MONITOR_ALIASES:
        ref = Alias(me, alias)
    else:
        raise ValueError(f"monitor(): alias={alias!r}; it is one of {', '.join(_MONITOR_ALIASES)}")
    pid = dest if isinstance(dest, Pid) else _resolved(dest, "monitor()")
    subject: Any = dest
    if isinstance(dest, str):
        subject = (dest, me.runtime.node)
    elif isinstance(dest, tuple) and not _is_name_of_node(dest):
        subject = pid  # names kept elsewhere are looked up first, as gen does
    target = None if pid is None else pid._process
    if target is None or (isinstance(target, Remote) and not target.alive):
        lost = "noproc" if target is None else "noconnection"
        if isinstance(ref, Alias):
            ref.monitor_ended()
        me.pid._post(info((tag, ref, "process", subject, lost)))
        return ref
    watch = Monitor(ref, me, target, subject, tag)
    me.more().monitors[ref] = watch
    target.more().monitored_by[ref] = watch
    return ref


def demonitor(ref: Ref, *, flush: bool = False, info: bool = False) -> bool:
    """Stop watching; with `flush` also take back a DOWN that lies in the mailbox (P10).

    Answers True; with `info`, False when the monitor had fired or never was, so that
    without `flush` its DOWN may lie in the mailbox.
    """
    me = require_process("demonitor()")
    _require_ref(ref, "demonitor()")
    found = me.forget_monitor(ref)
    if isinstance(ref, Alias):
        ref.monitor_ended()
    if flush and not found:
        take_back(me, lambda message: _is_down_of(ref, message))
    return found or not info


def _require_ref(ref: object, doing: str) -> None:
    if type(ref) is not Ref and not isinstance(ref, Ref):
        raise TypeError(f"{doing}: expected a reference, got {shown(ref)}")


def _is_down_of(ref: Ref, message: Any) -> bool:
    return (
        type(message) is tuple
        and len(message) == 5
        and message[1] is ref
        and message[2] == "process"
    )


def alias(*, reply: bool = False) -> Ref:
    """A reference that others can `send` to and that reaches this process, until `unalias`.

    What is sent to it after that is dropped on the way; what lies in the mailbox already
    stays (P14). reply: it ends by itself with the first message.
    """
    return Alias(require_process("alias()"), "reply" if reply else "explicit_unalias")


def unalias(ref: Ref) -> bool:
    """Drop what is sent to `ref` from now on; False when it is no alias of this process
    or had ended. A monitor of the same reference stays (P14).
    """
    me = require_process("unalias()")
    _require_ref(ref, "unalias()")
    if not isinstance(ref, Alias) or ref.owner is not me or ref.mode is None:
        return False
    ref.mode = None
    return True


def trap_exit(flag: bool = True) -> bool:
    """Turn exit signals into messages or not; answers how it was."""
    me = require_process("trap_exit()")
    before, me.trap_exit = me.trap_exit, flag
    return before


def set_label(label: object) -> None:
    """Say what this process is for; shown by the shell and in reports (OTP 27)."""
    require_process("set_label()").more().label = label


def is_alive(pid: Pid) -> bool:
    """Whether the process exists and has not been told to die.

    BadArg for a process of another node, of which that cannot be known here.
    """
    try:
        process = pid._process
    except AttributeError:
        raise no_pid("is_alive()", pid) from None
    if isinstance(process, Remote):
        raise BadArg(f"is_alive(): {pid} lives on another node; monitor it instead")
    return process is not None and process.alive


def seems_alive(pid: object) -> TypeGuard[Pid]:
    """Whether it is a pid that can be sent to: as `is_alive`, and those of other nodes, whose end
    their links and monitors tell.
    """
    return isinstance(pid, Pid) and (isinstance(pid._process, Remote) or is_alive(pid))


def send_after(delay: float, dest: Dest, message: Any) -> TimerRef:
    """Send `message` to `dest` in `delay` seconds.

    A name is looked up when the timer fires; nobody there: dropped (P16). A timer for a pid
    ends with the process. ValueError for what is no number of seconds, TypeError for what
    nobody can be called.
    """
    require_seconds(delay, "send_after()")
    runtime = _runtime_for(dest, "send_after()")

    def fire() -> None:
        _fired(runtime, dest, message)

    return runtime.timers.add(delay, fire, dest if isinstance(dest, Pid) else None)


def start_timer(delay: float, dest: Dest, message: Any) -> TimerRef:
    """As `send_after`, but what arrives is ``("timeout", timer, message)``, so a timer that
    was cancelled too late can be told from the next one (P16).
    """
    require_seconds(delay, "start_timer()")
    runtime = _runtime_for(dest, "start_timer()")

    def fire() -> None:
        _fired(runtime, dest, ("timeout", timer, message))

    timer = runtime.timers.add(delay, fire, dest if isinstance(dest, Pid) else None)
    return timer


def cancel_timer(timer: TimerRef) -> float | None:
    """Stop a timer: seconds left, or None when it had fired or was cancelled (P16)."""
    return current_runtime().timers.cancel(timer)


def read_timer(timer: TimerRef) -> float | None:
    """Seconds until a timer fires, or None when it had fired or was cancelled (P16)."""
    return max(0.0, timer.deadline - current_runtime().now()) if timer.runs else None


def _runtime_for(dest: Dest, doing: str) -> Runtime:
    if isinstance(dest, Pid) and dest._process is not None:
        return dest._process.runtime
    if not isinstance(dest, Pid | Ref | str):
        _require_name(dest, doing)
    return current_runtime()


def _require_name(dest: object, doing: str) -> None:
    """A name that is no string is resolved once, so that it does not fail when nobody hears."""
    _resolved(dest, doing)


def _fired(runtime: Runtime, dest: Dest, message: Any) -> None:
    """What a timer does; no fault of the module of a via name is the timers' own."""
    try:
        _post_to(runtime, dest, message)
    except BaseException as error:
        if interrupts(error):
            raise
        runtime.reports.emit(
            WarningReport(None, f"a timer's message for {dest!r} is lost", {"error": repr(error)})
        )


def _post_to(runtime: Runtime, dest: Dest, message: Any) -> None:
    """Deliver; nobody there is nobody's error."""
    target: Any = dest
    if isinstance(dest, str):
        target = runtime.names.get(dest)
    elif isinstance(dest, tuple):
        target = resolve(dest)
    if isinstance(target, Pid | Alias):
        target._post(info(message))


async def yield_() -> None:
    """Let others run: a checkpoint, in the middle of long work (P17)."""
    await trio.lowlevel.checkpoint()
