"""From a definition that changes while it is served to the processes that serve it.

A `Server` is a plain object which anybody may change: a handler, a thread, a callback of some
library. The server processes that run it are attached to its `Changes`; each is sent what has
changed and publishes it under the name it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.subscriptions import Change
from supervisors import Pid, is_alive, send

if TYPE_CHECKING:
    from erlmcp_py.server.definition import Server


class Changes:
    """The processes that run one definition. May be used from any thread."""

    __slots__ = ("_attached",)

    def __init__(self) -> None:
        self._attached: dict[Pid, Any] = {}

    def attach(self, pid: Pid) -> None:
        """Send `Change`s to this process, until it ends."""
        for other in [other for other in self._attached if not is_alive(other)]:
            del self._attached[other]
        self._attached[pid] = trio.lowlevel.current_trio_token()

    def announce(self, change: Change) -> None:
        """Tell the processes; nobody is there while no node runs the server, which is no error."""
        here = trio.lowlevel.current_trio_token() if trio.lowlevel.in_trio_run() else None
        for pid, token in list(self._attached.items()):
            if token is here:
                send(pid, change)
                continue
            try:
                token.run_sync_soon(send, pid, change)
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
