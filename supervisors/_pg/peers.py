"""Where a distribution plugs in: how the scopes of one name find each other.

Scopes on several nodes keep each other informed by plain messages between their processes,
and learn of a lost node by the monitor each keeps on the others. So all they need from a
distribution, beyond pids that can be sent to and monitored from anywhere, is what
`Peers` says: which nodes there are, and a way to reach a scope by its name.

The messages, `peer` being the pid of the scope process that speaks:

    ("pg_discover", peer)                   who is there? answered with pg_sync
    ("pg_sync", peer, [(group, pids)])      all local members of that scope
    ("pg_join", peer, group, pids)          these joined there
    ("pg_leave", peer, pids, groups)        these left, one of each group

Strong eventual consistency, not transitive: a scope tells of its own members only (1.11).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from .._pid import Pid


class Peers(Protocol):
    """The other nodes, as a scope sees them."""

    def nodes(self, scope: Pid) -> Iterable[str]:
        """The nodes connected now. From now on `scope` is sent ``("nodeup", node)`` for
        each one that is connected, before anything else from there.
        """

    def send(self, node: str, name: str, message: Any) -> None:
        """Send to the process registered as `name` on `node`; nobody there: dropped (P12)."""


class Alone:
    """No distribution: there are no other nodes."""

    def nodes(self, scope: Pid) -> Iterable[str]:
        return ()

    def send(self, node: str, name: str, message: Any) -> None:
        """There is nobody to send to."""
