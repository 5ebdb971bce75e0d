"""The commands that change the node: kill, suspend, resume, stop. Each use is audited."""

from __future__ import annotations

from typing import Any

import trio

from erlmcp_py.console.command import Arg, Command, Context
from erlmcp_py.console.inspection import TARGET, refused
from erlmcp_py.console.target import resolve
from supervisors import (
    CallExit,
    demonitor,
    exit_signal,
    format_reason,
    monitor,
    receive,
    sys,
)

SEE_IT_END = 1.0
"""Seconds ``kill`` watches for the end of its victim."""

_SYS_TIMEOUT = 5.0


async def kill(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Send an exit signal and say what became of it."""
    pid = await resolve(args["target"], context.console.root)
    ref = monitor(pid)
    exit_signal(pid, args["reason"])
    try:
        down = await receive(
            lambda message: isinstance(message, tuple) and message[:2] == ("DOWN", ref),
            timeout=SEE_IT_END,
        )
    except trio.TooSlowError:
        demonitor(ref, flush=True)
        return {"pid": str(pid), "sent": args["reason"], "ended": False, "reason": None}
    return {
        "pid": str(pid),
        "sent": args["reason"],
        "ended": True,
        "reason": format_reason(down[4]),
    }


async def suspend(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Make a server queue its messages instead of handling them."""
    return await _steer(context, args["target"], "suspended")


async def resume(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Let a suspended server go on with what has queued."""
    return await _steer(context, args["target"], "running")


async def _steer(context: Context, target: str, status: str) -> dict[str, Any]:
    pid = await resolve(target, context.console.root)
    try:
        if status == "suspended":
            await sys.suspend(pid, _SYS_TIMEOUT)
        else:
            await sys.resume(pid, _SYS_TIMEOUT)
    except CallExit as error:
        raise refused(error, target, "an answer", _SYS_TIMEOUT) from None
    return {"pid": str(pid), "status": status}


async def stop(context: Context, _: dict[str, Any]) -> dict[str, Any]:
    """Stop the node in order, once this answer is on its way."""
    context.afterwards(context.console.stop)
    return {"stopping": context.console.name}


OPERATIONS = (
    Command(
        "kill",
        "end a process",
        kill,
        (TARGET, Arg("reason", "exit reason; kill cannot be trapped", default="kill")),
        readonly=False,
    ),
    Command("suspend", "stop a server from handling messages", suspend, (TARGET,), readonly=False),
    Command("resume", "let a suspended server go on", resume, (TARGET,), readonly=False),
    Command("stop", "stop the node", stop, readonly=False),
)
