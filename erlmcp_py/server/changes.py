"""From a definition that changes while it is served to those who want to be told.

A `Server` is a plain object which anybody may change: a handler, a thread, a callback of some
library. The server processes that run it are attached to its `Changes`, which publishes for them.

WHY not through the processes: the definition outlives them. What changes while one is being
restarted, or waits in the mailbox of one that is killed, would be told to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.subscriptions import Change, publish
from supervisors import Pid, Runtime, current_runtime, is_alive

if TYPE_CHECKING:
    from erlmcp_py.server.definition import Server


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a definition is served: the name it has there, and how to get there from a thread."""

    name: str
    runtime: Runtime
    token: Any

    def publish(self, change: Change) -> None:
        with self.runtime.active():
            publish(self.name, change)


class Changes:
    """Where one definition is served. May be used from any thread."""

    __slots__ = ("_attached",)

    def __init__(self) -> None:
        self._attached: dict[Pid, _Place] = {}

    def attach(self, pid: Pid, name: str) -> None:
        """A process serves the definition under this name, and so will its successors."""
        for other in [other for other in self._attached if not is_alive(other)]:
            del self._attached[other]
        token = trio.lowlevel.current_trio_token()
        self._attached[pid] = _Place(name, current_runtime(), token)

    def is_served(self) -> bool:
        """Whether a node runs the definition now."""
        return any(is_alive(pid) for pid in self._attached)

    def announce(self, change: Change) -> None:
        """Publish it; nobody is there while no node runs the server, which is no error."""
        here = trio.lowlevel.current_trio_token() if trio.lowlevel.in_trio_run() else None
        for pid, place in list(self._attached.items()):
            if place.token is here:
                place.publish(change)
                continue
            try:
                place.token.run_sync_soon(place.publish, change)
            except trio.RunFinishedError:
                self._attached.pop(pid, None)


def honoured(server: Server, wanted: SubscriptionFilter) -> SubscriptionFilter:
    """The part of `wanted` that this server can keep its word on: lists of capabilities that it has,
    and resources that exist, fixed ones or by a template.
    """
    capabilities = server.capabilities()
    uris = wanted.resource_subscriptions if capabilities.resources else None
    return SubscriptionFilter(
        tools_list_changed=wanted.tools_list_changed if capabilities.tools else None,
        prompts_list_changed=wanted.prompts_list_changed if capabilities.prompts else None,
        resources_list_changed=wanted.resources_list_changed if capabilities.resources else None,
        resource_subscriptions=(
            None if uris is None else [uri for uri in uris if server.offers(uri)]
        ),
    )
