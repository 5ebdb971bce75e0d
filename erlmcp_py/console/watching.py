"""The commands that go on for a while: trace, top. Both end by themselves."""

from __future__ import annotations

from typing import Any

import trio

from erlmcp_py.console.command import Arg, Command, CommandError, Context
from erlmcp_py.console.inspection import TARGET, refused
from erlmcp_py.console.processes import ORDERS, listing
from erlmcp_py.console.target import resolve
from erlmcp_py.console.tracing import TraceEnd
from erlmcp_py.console.tracing import trace as trace_process
from supervisors import CallExit

_LONGEST_TRACE = 300.0
_LONGEST_TOP = 3600.0


async def trace(context: Context, args: dict[str, Any]) -> TraceEnd:
    """Show what a process receives and answers, up to a number of events and seconds."""
    traces = context.console.traces
    if traces.full:
        raise CommandError("too_many", f"{len(traces)} traces are running already; end one first")
    pid = await resolve(args["target"], context.console.root)
    try:
        return await trace_process(traces, pid, args["events"], args["seconds"], context.emit)
    except CallExit as error:
        raise refused(error, args["target"], "a trace", args["seconds"]) from None


async def top(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Emit the process list at an interval, messages counted since the last frame."""
    console = context.console
    session = f"top {context.session}"
    for frame in range(args["frames"]):
        if frame:
            await trio.sleep(args["interval"])
        rows = await listing(args["sort"], args["limit"], session, console.looks, console.restarts)
        await context.emit(rows)
    return {"frames": args["frames"]}


WATCHING = (
    Command(
        "trace",
        "messages of one process, for a while",
        trace,
        (
            TARGET,
            Arg("events", "end after so many", "int", default=100, minimum=1, maximum=10_000),
            Arg(
                "seconds",
                "end after so long",
                "float",
                default=10.0,
                minimum=0.1,
                maximum=_LONGEST_TRACE,
            ),
        ),
        deadline=_LONGEST_TRACE + 30,
        streaming=True,
    ),
    Command(
        "top",
        "the busiest processes, live",
        top,
        (
            Arg("sort", "order", default="messages", choices=tuple(ORDERS)),
            Arg(
                "interval", "seconds between frames", "float", default=1.0, minimum=0.1, maximum=60
            ),
            Arg("frames", "end after so many", "int", default=3600, minimum=1, maximum=36_000),
            Arg("limit", "rows", "int", default=20, minimum=1, maximum=200),
        ),
        deadline=_LONGEST_TOP,
        streaming=True,
    ),
)
