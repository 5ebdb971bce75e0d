"""Process groups over all connected nodes: what `supervisors.pg` asks of a distribution.

Started so on each node, scopes of one name keep each other informed; a member goes with its
process, its scope or the connection to its node (1.11).

    >>> import trio.testing, supervisors
    >>> from supervisors import Runtime, pg
    >>> from supervisors.distribution import GroupPeers, InMemory
    >>> async def main():
    ...     async with Runtime("paris") as paris, Runtime("rome") as rome:
    ...         InMemory(paris, rome)
    ...         async def guest(joined):
    ...             await pg.start_link("rooms", GroupPeers())
    ...             await pg.join("rooms", "lobby", supervisors.self())
    ...             joined.set()
    ...             await supervisors.receive()
    ...         for runtime in (paris, rome):
    ...             joined = trio.Event()
    ...             with runtime.active():
    ...                 supervisors.spawn(guest, joined)
    ...             await joined.wait()
    ...         await trio.testing.wait_all_tasks_blocked()
    ...         with paris.active():
    ...             return sorted(pid.node for pid in pg.get_members("rooms", "lobby"))
    >>> trio.run(main)
    ['paris', 'rome']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .._cell import current_runtime
from .._errors import Reason
from .._pid import Pid
from .._process import Watch, info
from .._signals import send


class _Scope(Watch):
    """Ends with its scope: what was to be told to it."""

    __slots__ = ("forget",)

    def __init__(self, forget: Callable[[], None]) -> None:
        self.forget = forget

    def down(self, pid: Pid, reason: Reason) -> None:
        self.forget()


class GroupPeers:
    """The other nodes, as a scope of groups sees them: a `supervisors.pg.Peers`."""

    def nodes(self, scope: Pid) -> Iterable[str]:
        """The nodes connected now; `scope` is told of each that comes from now on."""
        endpoint = current_runtime().endpoint

        forget = endpoint.on_up(lambda node: scope._post(info(("nodeup", node))))
        if scope._process is not None:
            watch = _Scope(forget)
            scope._process.more().monitored_by[watch] = watch  # type: ignore[index]
        return tuple(endpoint.connected)

    def send(self, node: str, name: str, message: Any) -> None:
        """Send to the scope `name` of `node`; nobody there: dropped (P12)."""
        send((name, node), message)
