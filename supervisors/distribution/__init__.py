"""Nodes that know each other: pids, links, monitors, calls and names across runtimes.

Between nodes everything is written as within one: a remote pid takes `send`, `call`,
`link`, `monitor` and `exit_signal`; ``(name, node)`` is whoever has a name there, and
``("global", term)`` a name known to all. What can be lost is lost as OTP 1.11 says: links and
monitors end with "noconnection", calls exit with ``("nodedown", node)``, messages vanish.

    >>> import trio.testing, supervisors
    >>> from supervisors import Runtime
    >>> from supervisors.distribution import InMemory
    >>> async def main():
    ...     async with Runtime("paris") as paris, Runtime("rome") as rome:
    ...         network = InMemory(paris, rome)
    ...         done = trio.Event()
    ...         async def clerk():
    ...             supervisors.register("clerk", supervisors.self())
    ...             from_pid, word = await supervisors.receive()
    ...             supervisors.send(from_pid, word.upper())
    ...         async def customer():
    ...             supervisors.send(("clerk", "rome"), (supervisors.self(), "ciao"))
    ...             print(await supervisors.receive())
    ...             done.set()
    ...         with rome.active():
    ...             supervisors.spawn(clerk)
    ...         await trio.testing.wait_all_tasks_blocked()
    ...         with paris.active():
    ...             supervisors.spawn(customer)
    ...         await done.wait()
    >>> trio.run(main)
    CIAO

A bus is plugged in by writing a `Distribution` for it and attaching it to the `Endpoint` of
each node's runtime; `InMemory` is the one that connects runtimes of one program.
"""

from __future__ import annotations

from .._cell import current_runtime, require_process
from .endpoint import Distribution, Endpoint
from .groups import GroupPeers
from .memory import InMemory
from .wire import Codec


def node() -> str:
    """The name of this node."""
    return current_runtime().node


def nodes() -> list[str]:
    """The nodes this one is connected with."""
    return list(current_runtime().endpoint.connected)


async def connect_node(name: str) -> bool:
    """Connect with a node; whether there is a connection now."""
    endpoint = current_runtime().endpoint
    return endpoint.carrier is not None and await endpoint.carrier.connect(name)


def disconnect_node(name: str) -> bool:
    """Give up the connection with a node; whether there was one."""
    endpoint = current_runtime().endpoint
    if endpoint.carrier is None or name not in endpoint.connected:
        return False
    endpoint.carrier.disconnect(name)
    return True


def monitor_nodes(flag: bool = True) -> None:
    """Tell the current process of nodes that come and go, or no longer.

    ``("nodeup", node)`` comes before any signal of that node, ``("nodedown", node)`` after
    the last, EXITs and DOWNs with "noconnection" included. Subscriptions count: one message
    for each (1.11).
    """
    me = require_process("monitor_nodes()")
    me.runtime.endpoint.subscribe(me, flag)


__all__ = [
    "Codec",
    "Distribution",
    "Endpoint",
    "GroupPeers",
    "InMemory",
    "connect_node",
    "disconnect_node",
    "monitor_nodes",
    "node",
    "nodes",
]
