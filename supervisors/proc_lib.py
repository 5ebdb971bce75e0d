"""The start protocol for hand-written task processes: see `start` (SEMANTICS 1.2)."""

from ._proc_lib import init_ack, init_fail, init_ignore, start

__all__ = ["init_ack", "init_fail", "init_ignore", "start"]
