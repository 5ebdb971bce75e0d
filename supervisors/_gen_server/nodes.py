"""The same request to servers of one name on several nodes (rule G15).

>>> import supervisors
>>> from supervisors import GenServer, multi_call
>>> class Clock(GenServer):
...     def handle_call(self, request, from_, state):
...         return "reply", "noon", state
>>> async def main():
...     await Clock.start(name="clock")
...     return await multi_call("clock", "time", nodes=["here", "elsewhere"], timeout=1.0)
>>> supervisors.run(main, node="here")
([('here', 'noon')], ['elsewhere'])
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import trio

from .._cell import current_runtime
from .._errors import CallExit
from .calls import call, cast


async def multi_call(
    name: str, request: Any, *, nodes: Iterable[str] | None = None, timeout: float = math.inf
) -> tuple[list[tuple[str, Any]], list[str]]:
    """Call the server registered as `name` on each node; ``(replies, bad_nodes)``.

    nodes: this one and all it is connected with, unless named. timeout: seconds for all of
    them together. replies: ``(node, reply)`` in the order of the nodes; bad_nodes: those
    that could not be reached, have no such server, or did not answer in time.
    """
    asked = _nodes(nodes)
    replies: dict[str, Any] = {}

    async def ask(node: str) -> None:
        try:
            replies[node] = await call(_server(name, node), request, timeout)
        except CallExit:
            return  # its node is bad

    if len(asked) == 1:
        await ask(asked[0])
    else:
        async with trio.open_nursery() as nursery:
            for node in asked:
                nursery.start_soon(ask, node)
    answered = [(node, replies[node]) for node in asked if node in replies]
    return answered, [node for node in asked if node not in replies]


def abcast(name: str, request: Any, *, nodes: Iterable[str] | None = None) -> None:
    """Cast to the server registered as `name` on each node; silent where there is none."""
    for node in _nodes(nodes):
        cast(_server(name, node), request)


def _nodes(nodes: Iterable[str] | None) -> list[str]:
    if nodes is not None:
        return list(dict.fromkeys(nodes))
    runtime = current_runtime()
    return [runtime.node, *(runtime.endpoint.connected if runtime.distributed else ())]


def _server(name: str, node: str) -> str | tuple[str, str]:
    return name if node == current_runtime().node else (name, node)
