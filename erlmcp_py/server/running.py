"""Calling a handler that has a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.call import Call
from erlmcp_py.server.failures import is_meant
from supervisors import Exit


async def run_handler(call: Call, threads: trio.CapacityLimiter) -> Result | Exception:
    """The answer its handler makes, or the exception that was meant as one.

    threads: for handlers that block. Whatever else leaves the handler, leaves this too, and ends the
    process; SystemExit as an exit reason.
    """
    function: Callable[[], Any] = partial(call.handler.function, **call.keywords)
    try:
        if call.handler.mode == "thread":
            returned = await trio.to_thread.run_sync(
                function, abandon_on_cancel=True, limiter=threads
            )
        elif call.handler.mode == "async":
            returned = await function()
        else:
            returned = function()
        return call.finish(returned)
    except SystemExit as error:
        raise Exit(("system_exit", error.code)) from error
    except Exception as error:
        if not is_meant(error):
            raise
        return error
