"""OTP for Python on trio: processes, links, monitors, GenServer, supervisors.

A process has a mailbox and a life of its own; it may be linked to others, which end with
it, or watched by them. A supervisor starts processes and starts them again when they fail:

    >>> import supervisors as otp
    >>> class Counter(otp.GenServer):
    ...     def init(self):
    ...         return "ok", 0
    ...     def handle_call(self, request, from_, count):
    ...         return "reply", 10 // request, count + 1
    >>> class Top(otp.Supervisor):
    ...     def init(self):
    ...         return otp.SupFlags("one_for_one"), [Counter.child_spec(name="counter")]
    >>> async def main():
    ...     await Top.start_link()
    ...     before = otp.whereis("counter")
    ...     try:
    ...         await otp.call("counter", 0)
    ...     except otp.CallExit as failed:
    ...         print(otp.format_reason(failed.cause))
    ...     while otp.whereis("counter") in (None, before):
    ...         await otp.yield_()
    ...     return await otp.call("counter", 5)
    >>> otp.run(main)
    ZeroDivisionError: integer division or modulo by zero
    2

Semantics are Erlang/OTP's, rule by rule (docs/guarantees.md); times are seconds. Those who
know Erlang or Elixir find their way by docs/otp-for-python.md. The package needs trio and
the standard library, nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from . import alarm_handler, application, gen_event, gen_statem, pg, proc_lib
    from . import sys as sys
    from ._agent import Agent
    from ._application.behaviour import Application
    from ._application.controller import ApplicationInfo
    from ._application.errors import ApplicationError
    from ._application.reports import ApplicationReport
    from ._blocking import blocking
    from ._cell import current_runtime
    from ._dynamic_supervisor import DynamicSupervisor
    from ._errors import (
        BadArg,
        CallExit,
        Exit,
        Ignore,
        NoProc,
        Stack,
        StartError,
        Throw,
        format_reason,
        is_normal,
    )
    from ._gen_event.behaviour import GenEvent
    from ._gen_event.client import HandlerError
    from ._gen_event.reporting import HandlerReport
    from ._gen_server.behaviour import GenServer, Undefined
    from ._gen_server.calls import (
        From,
        RequestId,
        abandon,
        call,
        call_or_send,
        cast,
        reply,
        send_request,
    )
    from ._gen_server.nodes import abcast, multi_call
    from ._gen_server.requests import (
        RequestIds,
        check_response,
        receive_response,
        reqids_add,
        reqids_new,
        reqids_size,
        reqids_to_list,
        wait_response,
    )
    from ._gen_server.stop import stop
    from ._gen_server.task import enter_loop
    from ._gen_statem.behaviour import GenStateMachine
    from ._info import ProcessInfo, process_info
    from ._limits import limit_mailbox
    from ._names import register, registered, unregister, whereis
    from ._partition_supervisor import PartitionSupervisor
    from ._pid import Pid, Ref, split_pid
    from ._registry.entries import RegistryError
    from ._registry.registry import Registry
    from ._reports import (
        CrashReport,
        ErrorReport,
        LongSchedule,
        ProgressReport,
        Report,
        SupervisorReport,
        WarningReport,
    )
    from ._runtime import Runtime, run
    from ._signals import (
        alias,
        cancel_timer,
        demonitor,
        exit_signal,
        is_alive,
        link,
        monitor,
        read_timer,
        self,
        send,
        send_after,
        set_label,
        start_timer,
        trap_exit,
        unalias,
        unlink,
        yield_,
    )
    from ._supervisor.administration import (
        count_children,
        delete_child,
        get_childspec,
        restart_child,
        start_child,
        terminate_child,
        which_child,
        which_children,
    )
    from ._supervisor.answers import ChildCounts, ChildInfo
    from ._supervisor.behaviour import Supervisor
    from ._supervisor.errors import SupervisorError
    from ._supervisor.pacing import Backoff, Budget
    from ._supervisor.process import SupervisorState
    from ._supervisor.spec import ChildSpec, SupFlags, check_childspecs
    from ._task import receive, spawn, spawn_link, spawn_monitor
    from ._tasks.running import callers
    from ._tasks.supervisor import TaskSupervisor
    from ._tasks.task import Task, TaskExit
    from ._timers import TimerRef
    from ._top import TopEntry, proc_count, proc_window
    from ._trace import Trace, TraceEvent
    from ._watchdog import Overrun, Watchdog

    exit = exit_signal

_MODULES: Final = frozenset(
    {"alarm_handler", "application", "gen_event", "gen_statem", "pg", "proc_lib", "sys"}
)
_HOMES: Final = {
    "._agent": "Agent",
    "._application.behaviour": "Application",
    "._application.controller": "ApplicationInfo",
    "._application.errors": "ApplicationError",
    "._application.reports": "ApplicationReport",
    "._blocking": "blocking",
    "._cell": "current_runtime",
    "._dynamic_supervisor": "DynamicSupervisor",
    "._errors": "BadArg CallExit Exit Ignore NoProc Stack StartError Throw format_reason is_normal",
    "._gen_event.behaviour": "GenEvent",
    "._gen_event.client": "HandlerError",
    "._gen_event.reporting": "HandlerReport",
    "._gen_server.behaviour": "GenServer Undefined",
    "._gen_server.calls": "From RequestId abandon call call_or_send cast reply send_request",
    "._gen_server.nodes": "abcast multi_call",
    "._gen_server.requests": "RequestIds check_response receive_response reqids_add reqids_new reqids_size reqids_to_list wait_response",
    "._gen_server.stop": "stop",
    "._gen_server.task": "enter_loop",
    "._gen_statem.behaviour": "GenStateMachine",
    "._info": "ProcessInfo process_info",
    "._limits": "limit_mailbox",
    "._names": "register registered unregister whereis",
    "._partition_supervisor": "PartitionSupervisor",
    "._pid": "Pid Ref split_pid",
    "._registry.entries": "RegistryError",
    "._registry.registry": "Registry",
    "._reports": "CrashReport ErrorReport LongSchedule ProgressReport Report SupervisorReport WarningReport",
    "._runtime": "Runtime run",
    "._signals": "alias cancel_timer demonitor exit_signal is_alive link monitor read_timer self send send_after set_label start_timer trap_exit unalias unlink yield_",
    "._supervisor.administration": "count_children delete_child get_childspec restart_child start_child terminate_child which_child which_children",
    "._supervisor.answers": "ChildCounts ChildInfo",
    "._supervisor.behaviour": "Supervisor",
    "._supervisor.errors": "SupervisorError",
    "._supervisor.pacing": "Backoff Budget",
    "._supervisor.process": "SupervisorState",
    "._supervisor.spec": "ChildSpec SupFlags check_childspecs",
    "._task": "receive spawn spawn_link spawn_monitor",
    "._tasks.running": "callers",
    "._tasks.supervisor": "TaskSupervisor",
    "._tasks.task": "Task TaskExit",
    "._timers": "TimerRef",
    "._top": "TopEntry proc_count proc_window",
    "._trace": "Trace TraceEvent",
    "._watchdog": "Overrun Watchdog",
}
"""Where each name is defined, for those who read this file at run time: the imports above say the same to
type checkers. WHY: a program that needs a tenth of OTP starts without the other nine.
"""
_HOME: Final = {name: home for home, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:  # which would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name not in _HOME and name != "exit":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        defined = "exit_signal" if name == "exit" else name
        found = globals()[name] = getattr(import_module(_HOME[defined], __name__), defined)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "exit", "sys"})


# Without `exit` and `sys`, which are imported by name: `import *` would put them in place of
# Python's own.
__all__ = [
    "Agent",
    "Application",
    "ApplicationError",
    "ApplicationInfo",
    "ApplicationReport",
    "Backoff",
    "BadArg",
    "Budget",
    "CallExit",
    "ChildCounts",
    "ChildInfo",
    "ChildSpec",
    "CrashReport",
    "DynamicSupervisor",
    "ErrorReport",
    "Exit",
    "From",
    "GenEvent",
    "GenServer",
    "GenStateMachine",
    "HandlerError",
    "HandlerReport",
    "Ignore",
    "LongSchedule",
    "NoProc",
    "Overrun",
    "PartitionSupervisor",
    "Pid",
    "ProcessInfo",
    "ProgressReport",
    "Ref",
    "Registry",
    "RegistryError",
    "Report",
    "RequestId",
    "RequestIds",
    "Runtime",
    "Stack",
    "StartError",
    "SupFlags",
    "Supervisor",
    "SupervisorError",
    "SupervisorReport",
    "SupervisorState",
    "Task",
    "TaskExit",
    "TaskSupervisor",
    "Throw",
    "TimerRef",
    "TopEntry",
    "Trace",
    "TraceEvent",
    "Undefined",
    "WarningReport",
    "Watchdog",
    "abandon",
    "abcast",
    "alarm_handler",
    "alias",
    "application",
    "blocking",
    "call",
    "call_or_send",
    "callers",
    "cancel_timer",
    "cast",
    "check_childspecs",
    "check_response",
    "count_children",
    "current_runtime",
    "delete_child",
    "demonitor",
    "enter_loop",
    "exit_signal",
    "format_reason",
    "gen_event",
    "gen_statem",
    "get_childspec",
    "is_alive",
    "is_normal",
    "limit_mailbox",
    "link",
    "monitor",
    "multi_call",
    "pg",
    "proc_count",
    "proc_lib",
    "proc_window",
    "process_info",
    "read_timer",
    "receive",
    "receive_response",
    "register",
    "registered",
    "reply",
    "reqids_add",
    "reqids_new",
    "reqids_size",
    "reqids_to_list",
    "restart_child",
    "run",
    "self",
    "send",
    "send_after",
    "send_request",
    "set_label",
    "spawn",
    "spawn_link",
    "spawn_monitor",
    "split_pid",
    "start_child",
    "start_timer",
    "stop",
    "terminate_child",
    "trap_exit",
    "unalias",
    "unlink",
    "unregister",
    "wait_response",
    "whereis",
    "which_child",
    "which_children",
    "yield_",
]
