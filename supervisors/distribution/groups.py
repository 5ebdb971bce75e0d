"""Process groups over all connected nodes: what `supervisors.pg` asks of a distribution.

    await pg.start_link("rooms", GroupPeers())

on each node, and the scopes of that name keep each other informed; a member goes with its
process, its scope or the connection to its node (1.11).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._cell import current_runtime
from .._pid import Pid
from .._process import info
from .._signals import send


class GroupPeers:
    """The other nodes, as a scope of groups sees them: a `supervisors.pg.Peers`."""

    def nodes(self, scope: Pid) -> Iterable[str]:
        """The nodes connected now; `scope` is told of each that comes from now on."""
        endpoint = current_runtime().endpoint

        def came(node: str) -> None:
            if scope._process is None:
                forget()
            else:
                scope._post(info(("nodeup", node)))

        forget = endpoint.on_up(came)
        return tuple(endpoint.connected)

    def send(self, node: str, name: str, message: Any) -> None:
        """Send to the scope `name` of `node`; nobody there: dropped (P12)."""
        send((name, node), message)
