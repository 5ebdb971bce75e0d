"""OTP for Python on trio: processes, links, monitors, GenServer, supervisors.

Semantics are Erlang/OTP's, rule by rule (docs/guarantees.md); times are seconds. The
package needs trio and the standard library, nothing else.
"""

from . import proc_lib, sys
from ._cell import current_runtime
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
from ._gen_server.behaviour import GenServer, Undefined
from ._gen_server.calls import From, RequestId, abandon, call, cast, reply, send_request
from ._gen_server.stop import stop
from ._info import ProcessInfo, process_info
from ._names import register, registered, unregister, whereis
from ._pid import Pid, Ref, split_pid
from ._reports import (
    CrashReport,
    ErrorReport,
    ProgressReport,
    Report,
    SupervisorReport,
    WarningReport,
)
from ._runtime import Runtime, run
from ._signals import (
    cancel_timer,
    demonitor,
    exit_signal,
    is_alive,
    link,
    monitor,
    self,
    send,
    send_after,
    set_label,
    trap_exit,
    unlink,
    yield_,
)
from ._task import receive, spawn, spawn_link, spawn_monitor
from ._timers import TimerRef

exit = exit_signal

__all__ = [
    "BadArg",
    "CallExit",
    "CrashReport",
    "ErrorReport",
    "Exit",
    "From",
    "GenServer",
    "Ignore",
    "NoProc",
    "Pid",
    "ProcessInfo",
    "ProgressReport",
    "Ref",
    "Report",
    "RequestId",
    "Runtime",
    "Stack",
    "StartError",
    "SupervisorReport",
    "Throw",
    "TimerRef",
    "Undefined",
    "WarningReport",
    "abandon",
    "call",
    "cancel_timer",
    "cast",
    "current_runtime",
    "demonitor",
    "exit",
    "exit_signal",
    "format_reason",
    "is_alive",
    "is_normal",
    "link",
    "monitor",
    "proc_lib",
    "process_info",
    "receive",
    "register",
    "registered",
    "reply",
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
    "stop",
    "sys",
    "trap_exit",
    "unlink",
    "unregister",
    "whereis",
    "yield_",
]
