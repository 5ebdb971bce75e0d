"""The command that has the node finish what it has begun, and end."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import trio

from erlmcp_py.console.command import Arg, Command, CommandError, Context
from erlmcp_py.guards import drain as guard
from supervisors import CallExit, cast

LONGEST: Final = 24 * 3600.0
"""Seconds until a deadline, at most."""
_NEWS: Final = 1.0
"""Seconds between two events."""


async def drain(context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Drain the node, or look on if it drains already; emits what is left, and returns how it ended."""
    try:
        begun = await guard.begin(f"{context.peer} has said so", args["deadline"])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tell, context)
            outcome = await guard.until_over(LONGEST)
            nursery.cancel_scope.cancel()
    except CallExit as error:
        raise CommandError("crashed", f"the node cannot drain: {error}") from None
    context.afterwards(lambda: cast(guard.NAME, "told"))
    return {"drained": context.console.name, "begun": begun, **msgspec.structs.asdict(outcome)}


async def _tell(context: Context) -> None:
    while (status := await guard.status()) is not None:
        await context.emit(msgspec.structs.asdict(status))
        await trio.sleep(_NEWS)


DRAINING = (
    Command(
        "drain",
        "let nobody in, finish requests, and stop",
        drain,
        (
            Arg(
                "deadline",
                "seconds after which requests are cut off",
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
