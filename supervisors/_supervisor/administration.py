"""Asking a supervisor: the administration calls (table of answers in SEMANTICS 1.5).

Each takes the supervisor's pid or registered name and waits without limit (V18): while a
supervisor starts or stops children it answers nobody. All raise `CallExit` when there is
no such supervisor or it ends meanwhile, and `SupervisorError` with OTP's reason when it
refuses. A supervisor must not ask itself.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from .._gen_server.calls import call
from .._names import Name
from .._pid import Pid
from .answers import ChildCounts, ChildInfo
from .errors import SupervisorError
from .spec import ChildSpec


async def _ask(supervisor: Pid | Name, request: Any) -> Any:
    match await call(supervisor, request, math.inf):
        case ("ok", value):
            return value
        case ("error", reason):
            raise SupervisorError(reason)
    raise TypeError(f"{supervisor} is no supervisor: it does not know what {request!r} asks for")


async def start_child(
    supervisor: Pid | Name, child: ChildSpec | Mapping[str, Any] | Sequence[Any]
) -> Any:
    """Start a child after all others.

    child: its spec; for simple_one_for_one the list of arguments that follow the spec's.
    Returns the pid, ``(pid, extra)`` if the start function returned that, or None if it
    asked to be ignored. SupervisorError: ``("already_started", pid)``,
    ``"already_present"``, the spec's fault, or ``(reason, spec)``; the bare reason for
    simple_one_for_one.
    """
    return await _ask(supervisor, ("start_child", child))


async def terminate_child(supervisor: Pid | Name, child: Hashable) -> None:
    """Stop a child and wait until it is gone; siblings are not touched.

    child: its id, its pid for simple_one_for_one (a dead one is fine). The spec is kept,
    a temporary child's deleted. SupervisorError: "not_found", "simple_one_for_one".
    """
    await _ask(supervisor, ("terminate_child", child))


async def restart_child(supervisor: Pid | Name, id: Hashable) -> Any:
    """Start a child that does not run; returns what `start_child` does.

    SupervisorError: "not_found", "running", "restarting", "simple_one_for_one", or the
    reason it did not start.
    """
    return await _ask(supervisor, ("restart_child", id))


async def delete_child(supervisor: Pid | Name, id: Hashable) -> None:
    """Forget the spec of a child that does not run.

    SupervisorError: "not_found", "running", "restarting", "simple_one_for_one".
    """
    await _ask(supervisor, ("delete_child", id))


async def which_children(supervisor: Pid | Name) -> list[ChildInfo]:
    """All children, newest first; for simple_one_for_one in no particular order."""
    children: list[ChildInfo] = await _ask(supervisor, "which_children")
    return children


async def which_child(supervisor: Pid | Name, child: Hashable) -> ChildInfo:
    """One child, by its id; by its pid where children have none (OTP 28: which_child).

    SupervisorError: "not_found".
    """
    info: ChildInfo = await _ask(supervisor, ("which_child", child))
    return info


async def count_children(supervisor: Pid | Name) -> ChildCounts:
    """How many children there are and how many run."""
    counts: ChildCounts = await _ask(supervisor, "count_children")
    return counts


async def get_childspec(supervisor: Pid | Name, child: Hashable) -> ChildSpec:
    """The spec of a child with its defaults; by pid for simple_one_for_one.

    SupervisorError: "not_found".
    """
    spec: ChildSpec = await _ask(supervisor, ("get_childspec", child))
    return spec
