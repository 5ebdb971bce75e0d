"""The command that has the node read its configuration again, and do what of it needs no restart."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import trio

from erlmcp_py.config import ConfigError
from erlmcp_py.console.command import Arg, Command, CommandError, Context
from erlmcp_py.gateway import reloading
from supervisors import CallExit

LONGEST: Final = 24 * 3600.0
"""Seconds until a deadline, at most."""
_NEWS: Final = 1.0
"""Seconds between two events."""


async def reload(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Have it done; emits since how many seconds, so that one sees that it is at it."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tell, context)
            done = await _done(str(context.peer), args["deadline"])
            nursery.cancel_scope.cancel()
    except* ConfigError as refused:
        raise CommandError("bad_configuration", str(refused.exceptions[0])) from None
    except* CallExit as error:
        problem = error.exceptions[0]
        assert isinstance(problem, CallExit)
        if problem.cause != "noproc":
            raise CommandError("crashed", f"the configuration is not read: {problem}") from None
        text = "this process does not read its configuration again; restart it"
        raise CommandError("not_here", text) from None
    return {**msgspec.to_builtins(done), "lines": done.lines()}


async def _done(who: str, deadline: float | None) -> reloading.Reloaded:
    return await reloading.reload(who, deadline, LONGEST)


async def _tell(context: Context) -> None:
    began = trio.current_time()
    while True:
        await trio.sleep(_NEWS)
        await context.emit({"seconds": trio.current_time() - began})


RELOADING = (
    Command(
        "reload",
        "read the configuration again, and do what of it needs no restart",
        reload,
        (
            Arg(
                "deadline",
                "seconds after which requests at what is removed or started anew are cut off",
                "float",
                minimum=0,
                maximum=LONGEST,
            ),
        ),
        readonly=False,
        deadline=LONGEST,
        streaming=True,
    ),
)
