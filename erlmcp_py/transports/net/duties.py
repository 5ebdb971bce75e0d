"""What a process does that has its connections, or requests, for linked children: a pool.

It answers as a simple_one_for_one supervisor whose children are temporary, so that the tree can be drawn
through it, and looks at its children every few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from supervisors import ChildCounts, ChildInfo, Pid, exit_signal, send_after
from supervisors import self as own_pid

REAP: Final = "reap"
"""The message of `look_later`."""

_SHORTEST: Final = 0.05
_LONGEST: Final = 5.0
"""Seconds between two looks."""


def answer_as_supervisor(request: Any, children: Mapping[Pid, object]) -> tuple[str, Any]:
    """The answer to `which_children`, `count_children` and `terminate_child`, as those want it.

    children: by the pids of their processes; their classes are their modules. Any other request is an
    error, ``("unknown_request", request)``.
    """
    match request:
        case "which_children":
            told = [ChildInfo(None, pid, "worker", (_name(of),)) for pid, of in children.items()]
            return ("ok", told)
        case "count_children":
            count = len(children)
            return ("ok", ChildCounts(1, count, 0, count))
        case ("terminate_child", pid):
            if pid not in children:
                return ("error", "not_found")
            exit_signal(pid, "shutdown")
            return ("ok", None)
    return ("error", ("unknown_request", request))


def look_later(patience: float) -> None:
    """Send `REAP` to the calling process, in time for what has to be noticed within `patience` seconds."""
    send_after(max(_SHORTEST, min(_LONGEST, patience / 4)), own_pid(), REAP)


def _name(child: object) -> str:
    kind = type(child)
    return f"{kind.__module__}.{kind.__qualname__}"
