"""The end of what is served no more: it finishes what it has begun, up to a deadline, and is stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from erlmcp_py import sessions, subscriptions
from erlmcp_py.gateway.places import UPSTREAMS, child, end
from supervisors import CallExit, call

if TYPE_CHECKING:
    from erlmcp_py.gateway.instance import Instance
    from erlmcp_py.gateway.upstream import Upstream

TICK: Final = 0.05
"""Seconds between two looks whether it is done."""
LAST_WORDS: Final = 2.0
"""Seconds in which requests that are cut off get their errors."""


async def let_go(upstream: Upstream, deadline: float) -> int:
    """End one that was removed, and what clients have begun at it: how many requests were cut off. deadline:
    seconds they have.
    """
    name = upstream.name

    async def is_idle() -> bool:
        """Also where a request has come that has not got as far as the upstream."""
        return not upstream.at_work and not await _at_work(f"server_{name}")

    await _wait(is_idle, deadline)
    text = f"the upstream {name!r} was removed from the configuration"
    cut_off = upstream.at_work.close(text)
    await _wait(is_idle, LAST_WORDS)
    await end(UPSTREAMS, name)
    await sessions.delete_of(name)
    subscriptions.end(name)
    return cut_off


async def take_away(name: str, instance: Instance, deadline: float) -> int:
    """End an instance of this upstream in whose place others are; as `let_go`."""

    async def is_idle() -> bool:
        return not instance.at_work

    await _wait(is_idle, deadline)
    text = f"the upstream {name!r} was started anew, because its configuration has changed"
    cut_off = instance.at_work.close(text)
    await _wait(is_idle, LAST_WORDS)
    supervisor = await child(UPSTREAMS, name, "instances")
    if supervisor is not None:
        await end(supervisor, instance.number)
    return cut_off


async def _wait(is_idle: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Until it is idle, but no longer."""
    with trio.move_on_after(seconds):
        while not await is_idle():  # noqa: ASYNC110 - it is counted in more than one place
            await trio.sleep(TICK)


async def _at_work(server: str) -> int:
    try:
        info: dict[str, Any] = await call(server, ("info",))
    except CallExit:
        return 0  # what it had to do has ended with it
    return int(info["in_flight"])
