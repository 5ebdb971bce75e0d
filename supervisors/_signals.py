"""Signals between processes: send, link, monitor, exit, timers (rules P1-P12, P16).

All of them are plain functions that take effect at once, usable from task processes,
callbacks and, where no process of one's own is needed, from any code in the trio thread.
"""

from __future__ import annotations

from typing import Any

import trio

from ._cell import cell, current_process, require_process
from ._errors import BadArg, NoProc, Reason, SelfExit
from ._names import resolve
from ._pid import Pid, Ref
from ._process import EXITING, Monitor, info, signal_exit
from ._task import TaskProcess
from ._timers import TimerRef

Dest = Pid | str


def self() -> Pid:
    """The pid of the process this code runs in; RuntimeError when it runs in none."""
    return require_process("self()").pid


def _pid_of(dest: Dest, doing: str) -> Pid:
    if isinstance(dest, Pid):
        return dest
    if isinstance(dest, str):
        pid = resolve(dest)
        if pid is None:
            raise BadArg(f"{doing}: no process is registered as {dest!r}")
        return pid
    raise TypeError(f"{doing}: expected a pid or a registered name, got {dest!r}")


def send(dest: Dest, message: Any) -> None:
    """Put a message into a mailbox. To a dead pid: silent; to an unknown name: BadArg (P12)."""
    pid = dest if type(dest) is Pid else _pid_of(dest, "send()")
    pid._post(info(message))


def exit_signal(dest: Dest, reason: Reason) -> None:
    """Send an exit signal: Erlang's ``exit/2``, by the matrix of rule P4.

    ``"kill"`` cannot be trapped and ends the process with ``"killed"``. ``"normal"`` to
    another process that does not trap exits does nothing.
    """
    pid = _pid_of(dest, "exit_signal()")
    target = pid._process
    if target is None:
        return
    sender = current_process()
    signal_exit(
        target,
        pid if sender is None else sender.pid,
        "undefined" if reason is None else reason,
        linked=False,
    )
    if target is sender and isinstance(target, TaskProcess) and target.status == EXITING:
        raise SelfExit


def link(pid: Pid) -> None:
    """Link the current process and `pid` (P5).

    A dead `pid`: NoProc, or for a process that traps exits ``("EXIT", pid, "noproc")`` in
    its mailbox (P7).
    """
    me = require_process("link()")
    other = pid._process
    if other is None or not other.alive:
        if not me.trap_exit:
            raise NoProc(f"cannot link to {pid}: it is dead")
        me.pid._post(info(("EXIT", pid, "noproc")))
        return
    me.link_with(other)


def unlink(pid: Pid) -> None:
    """Remove the link; no EXIT of it can arrive any more, one that did stays (P8)."""
    me = require_process("unlink()")
    other = pid._process
    if other is not None:
        me.unlink_from(other)


def monitor(dest: Dest) -> Ref:
    """Watch a process: exactly one ``("DOWN", ref, "process", object, reason)`` at its end.

    object: the pid, or ``(name, node)`` when monitored by name, resolved now. A dead or
    unknown one is down at once, with ``"noproc"`` (P9).
    """
    me = require_process("monitor()")
    ref = Ref()
    if isinstance(dest, str):
        pid = resolve(dest)
        subject: Any = (dest, me.runtime.node)
    else:
        pid = subject = dest
    target = None if pid is None else pid._process
    if target is None:
        me.pid._post(info(("DOWN", ref, "process", subject, "noproc")))
        return ref
    watch = Monitor(ref, me, target, subject)
    me.more().monitors[ref] = watch
    target.more().monitored_by[ref] = watch
    return ref


def demonitor(ref: Ref, *, flush: bool = False) -> bool:
    """Stop watching; with `flush` also take back a DOWN that lies in the mailbox (P10).

    Answers whether the monitor was still there; False when it had fired.
    """
    me = require_process("demonitor()")
    watch = None if me.extras is None else me.extras.monitors.pop(ref, None)
    if watch is not None:
        if watch.target.extras is not None:
            watch.target.extras.monitored_by.pop(ref, None)
        return True
    if flush and isinstance(me, TaskProcess):
        for message in me.mailbox:
            if (
                type(message) is tuple
                and len(message) == 5
                and message[0] == "DOWN"
                and message[1] is ref
            ):
                me.mailbox.remove(message)
                break
    return False


def trap_exit(flag: bool = True) -> bool:
    """Turn exit signals into messages or not; answers how it was."""
    me = require_process("trap_exit()")
    before, me.trap_exit = me.trap_exit, flag
    return before


def set_label(label: object) -> None:
    """Say what this process is for; shown by the shell and in reports (OTP 27)."""
    require_process("set_label()").more().label = label


def is_alive(pid: Pid) -> bool:
    """Whether the process exists and has not been told to die."""
    process = pid._process
    return process is not None and process.alive


def send_after(delay: float, dest: Dest, message: Any) -> TimerRef:
    """Send `message` to `dest` in `delay` seconds.

    A name is looked up when the timer fires; nobody there: dropped (P16).
    """
    if isinstance(dest, Pid) and dest._process is not None:
        runtime = dest._process.runtime
    else:
        from ._cell import current_runtime

        runtime = current_runtime()

    def fire() -> None:
        pid = runtime.names.get(dest) if isinstance(dest, str) else dest
        if pid is not None:
            pid._post(info(message))

    return runtime.timers.add(delay, fire)


def cancel_timer(timer: TimerRef) -> float | None:
    """Stop a timer: seconds left, or None when it had fired or was cancelled (P16)."""
    from ._cell import current_runtime

    return current_runtime().timers.cancel(timer)


async def yield_() -> None:
    """Let others run: a checkpoint, in the middle of long work (P17)."""
    await trio.lowlevel.checkpoint()
    from ._cell import BUDGET

    cell.budget = BUDGET
