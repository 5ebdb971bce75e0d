"""The start protocol for hand-written task processes: see `start` (SEMANTICS 1.2)."""

from ._gen_server.stop import stop
from ._proc_lib import init_ack, init_fail, init_ignore, spawn_opt, start, start_monitor

__all__ = [
    "init_ack",
    "init_fail",
    "init_ignore",
    "spawn_opt",
    "start",
    "start_monitor",
    "stop",
]
