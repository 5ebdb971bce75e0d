"""Calling a handler in a process of its own, and reporting the crash of one that has none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call
from erlmcp_py.server.failures import is_meant
from supervisors import CrashReport, Exit, Stack, current_runtime
from supervisors import self as own_pid


async def run_handler(call: Call, threads: trio.CapacityLimiter) -> Result | Exception:
    """The answer its handler makes, or the exception that was meant as one.

    threads: for handlers that block. Whatever else leaves the handler, leaves this too, and ends the
    process; SystemExit as an exit reason.
    """
    if call.gate is None:
        return await _run(call, threads)
    async with call.gate.turns:
        return await _run(call, threads)


async def _run(call: Call, threads: trio.CapacityLimiter) -> Result | Exception:
    function: Callable[[], Any] = partial(call.handler.function, **call.keywords)
    try:
        if call.handler.mode == "thread":
            returned = await trio.to_thread.run_sync(
                function, abandon_on_cancel=True, limiter=threads
            )
        elif call.handler.mode == "async":
            returned = await function()
        elif call.handler.mode == "process":
            if call.workers is None:
                raise TypeError("a call in a worker process, but nobody has workers")
            returned = await call.workers.run(call.handler.function, call.keywords)
        else:
            returned = function()
        return call.finish(returned)
    except SystemExit as error:
        raise Exit(("system_exit", error.code)) from error
    except Exception as error:
        if not is_meant(error):
            raise
        return error


def report_crash(label: str, call: Call, error: BaseException) -> None:
    """Report an inline crash as if the call had had a process: its label tells the call."""
    current_runtime().reports.emit(
        CrashReport(
            pid=own_pid(),
            kind="error",
            reason=(error, Stack(error)),
            name=None,
            label=label,
            initial_call=call.handler.where,
            ancestors=(),
            message_queue_len=0,
            links=(),
            trap_exit=True,
        )
    )
