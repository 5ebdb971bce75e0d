"""The commands about servers of others: how they stand, what they said last, and starting one anew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from erlmcp_py.console.command import Arg, Command, CommandError, Context, nearest
from supervisors import ProcessInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlmcp_py.gateway.instance import Instance
    from erlmcp_py.gateway.overview import UpstreamRow
    from erlmcp_py.gateway.upstream import Upstream

# The gateway is imported when it is asked for: a node without upstreams does not load it.

PREFIX: Final = "upstream_"
"""Of the registered names of their supervisors."""
LONGEST: Final = 120.0
"""Seconds that one may take to be up again, at most."""
GRACE: Final = 5.0
"""Seconds that requests get which have begun, unless the operator says otherwise."""

NAME = Arg("upstream", "the name of an upstream", required=True)


async def upstreams(_context: Context, _args: dict[str, Any]) -> list[UpstreamRow]:
    """Each upstream with its figures."""
    from erlmcp_py.gateway import overview

    return await overview.rows((await overview.served()).values(), time.time())


async def restart(context: Context, args: dict[str, Any]) -> UpstreamRow:
    """End the programs or connections of one, in order and one after the other, start each anew, and wait
    until it is up. Requests that have begun get their time first; further ones wait, or go to another.

    Where a reload starts it anew meanwhile, that is the restart: its new instances are waited for.
    """
    from erlmcp_py.gateway import overview

    name, within, grace = args["upstream"], args["within"], args["grace"]
    upstream = await find(name)
    before = {instance: instance.connection for instance in upstream.instances}
    with trio.move_on_after(within) as scope:
        if not await _each_anew(upstream, f"{context.peer} has restarted it", grace):
            if not upstream.is_removed and not upstream.is_to_run:
                text = f"the upstream {name!r} is {upstream.standing().state}: there is nothing to restart"
                raise CommandError("forbidden", text)
            await upstream.all_up()
    if upstream.is_removed:
        text = f"the upstream {name!r} was removed from the configuration meanwhile"
        raise CommandError("unknown_target", text)
    if scope.cancelled_caught:
        raise CommandError("timeout", late(upstream, before, within))
    return (await overview.rows([upstream], time.time()))[0]


async def _each_anew(upstream: Upstream, reason: str, grace: float) -> bool:
    """Whether all were there to be begun anew."""
    for instance in upstream.instances:
        try:
            done = await instance.begin_anew(reason, grace)
        finally:
            upstream.tell()  # it takes requests again, whatever has come of it
        if not done:
            return False
    return True


def late(upstream: Upstream, before: Mapping[Instance, int], within: float) -> str:
    """What was waited for in vain. before: the connections there were at the beginning."""
    current = upstream.instances
    for instance in current:
        if instance.at_work and instance.connection == before.get(instance):
            count = len(instance.at_work)
            what = "1 request" if count == 1 else f"{count} requests"
            return (
                f"the upstream {instance.label!r} is not restarted: {what} that it works on had to end "
                f"first; --grace says how long they may take (waited for {within:g} s)"
            )
    absent = next((instance for instance in current if not instance.is_up), upstream)
    reloaded = any(instance not in current for instance in before)
    why = "; a reload has started it anew" if reloaded else ""
    return f"{absent.unavailable_text()}{why} (waited for {within:g} s)"


async def last_words(_context: Context, args: dict[str, Any]) -> list[dict[str, Any]]:
    """The last lines of standard error of one, and how its programs began and ended."""
    lines = [
        {"instance": instance.number, **msgspec.structs.asdict(line)}
        for instance in (await find(args["upstream"])).instances
        for line in instance.journal
    ]
    return sorted(lines, key=lambda line: line["at"])[-args["lines"] :]


async def upstream_of(found: ProcessInfo) -> UpstreamRow | None:
    """The upstream that a process is there for, if it is for one."""
    for name in (found.registered_name, *found.ancestors):
        if isinstance(name, str) and name.startswith(PREFIX):
            from erlmcp_py.gateway import overview

            upstream = (await overview.served()).get(name.removeprefix(PREFIX))
            return None if upstream is None else (await overview.rows([upstream], time.time()))[0]
    return None


async def find(name: str) -> Upstream:
    """The upstream of this name. Raises `CommandError` ``unknown_target``."""
    from erlmcp_py.gateway import overview

    known = await overview.served()
    if name in known:
        return known[name]
    text = f"there is no upstream {name!r}{nearest(name, known)}"
    raise CommandError("unknown_target", text if known else f"{text}; this node has none")


UPSTREAMS = (
    Command("upstreams", "how the servers of others stand", upstreams),
    Command(
        "upstreams.restart",
        "end one in order, and start it anew",
        restart,
        (
            NAME,
            Arg(
                "within",
                "seconds until it must be up again",
                "float",
                default=30.0,
                minimum=0.1,
                maximum=LONGEST,
            ),
            Arg(
                "grace",
                "seconds for requests that have begun",
                "float",
                default=GRACE,
                minimum=0,
                maximum=LONGEST,
            ),
        ),
        readonly=False,
        deadline=LONGEST + 20.0,
    ),
    Command(
        "upstreams.log",
        "the last lines of one's standard error, its starts and ends",
        last_words,
        (
            NAME,
            Arg("lines", "how many", "int", default=50, minimum=1, maximum=1000),
        ),
    ),
)
