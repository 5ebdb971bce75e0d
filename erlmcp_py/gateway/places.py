"""Children of supervisors that somebody may restart meanwhile, with the children there are by then."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from supervisors import (
    CallExit,
    ChildSpec,
    Pid,
    SupervisorError,
    delete_child,
    start_child,
    terminate_child,
    which_child,
)

UPSTREAMS: Final = "upstreams"
"""The registered name of the supervisor of all upstreams."""


async def child(supervisor: Pid | str, *path: Any) -> Pid | None:
    """The process at the end of this path; None while one on it is not there."""
    at = supervisor
    for id in path:
        try:
            found = (await which_child(at, id)).pid
        except (CallExit, SupervisorError):
            return None
        if not isinstance(found, Pid):
            return None
        at = found
    return at if isinstance(at, Pid) else None


async def start(supervisor: Pid | str, spec: ChildSpec) -> None:
    """Start a child, unless it is there, or its supervisor is being restarted, which it is with it. Raises
    SupervisorError if it does not start.
    """
    try:
        await start_child(supervisor, spec)
    except CallExit:
        return
    except SupervisorError as refused:
        match refused.reason:
            case "already_present" | ("already_started", _):
                return
        raise


async def end(supervisor: Pid | str, id: Any) -> None:
    """Stop and forget a child, unless it is gone, or its supervisor is being restarted without it."""
    with suppress(CallExit, SupervisorError):
        await terminate_child(supervisor, id)
        await delete_child(supervisor, id)
