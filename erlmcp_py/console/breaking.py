"""The circuit breakers: how they stand, and an operator's word about one."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import msgspec

from erlmcp_py.console.command import Arg, Command, CommandError, Context, nearest
from erlmcp_py.guards import breaker
from erlmcp_py.guards.breaker import BreakerStatus
from supervisors import CallExit


async def listed(_context: Context, _args: dict[str, Any]) -> list[dict[str, Any]]:
    """Every breaker, by name."""
    return [_row(each) for each in await breaker.statuses()]


async def open_(_context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Let nobody through until it is closed by hand."""
    why = args["reason"] or "an operator has opened it"
    return await _steered(args["breaker"], breaker.open_breaker(args["breaker"], why))


async def close(_context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Let everybody through."""
    return await _steered(args["breaker"], breaker.close_breaker(args["breaker"]))


async def reset(_context: Context, args: dict[str, Any]) -> dict[str, Any]:
    """Forget what was counted; if it is open, try what it guards at once."""
    return await _steered(args["breaker"], breaker.reset_breaker(args["breaker"]))


async def _steered(name: str, doing: Awaitable[BreakerStatus]) -> dict[str, Any]:
    try:
        return _row(await doing)
    except CallExit as error:
        if error.cause != "noproc":
            raise
    known = [each.name for each in await breaker.statuses()]
    hint = nearest(name, known) or (f"; there are {', '.join(known)}" if known else "")
    raise CommandError("unknown_target", f"there is no breaker {name!r}{hint}")


def _row(status: BreakerStatus) -> dict[str, Any]:
    row = msgspec.structs.asdict(status)
    del row["why"], row["changes"]
    return {**row, "opened": status.changes["open"], "why": status.why or None}


_BREAKER = Arg("breaker", "its name, which is that of what it guards", required=True)

BREAKING = (
    Command("breaker.list", "the circuit breakers", listed),
    Command(
        "breaker.open",
        "let no requests through, until it is closed",
        open_,
        (_BREAKER, Arg("reason", "told to those who are refused")),
        readonly=False,
    ),
    Command("breaker.close", "let requests through", close, (_BREAKER,), readonly=False),
    Command(
        "breaker.reset",
        "forget what was counted, and try at once if it is open",
        reset,
        (_BREAKER,),
        readonly=False,
    ),
)
