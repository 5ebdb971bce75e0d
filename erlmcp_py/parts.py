"""What the tree of a node is built from, besides its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlmcp_py.gateway.reloading import Read
from erlmcp_py.guards.drain import Outcome
from erlmcp_py.server import Server
from erlmcp_py.server.tasks.store import TaskStore
from supervisors import ChildSpec, Pid

if TYPE_CHECKING:
    from erlmcp_py.handover.inheritance import Inheritance
    from erlmcp_py.transports.http.settings import ListenerConfig
    from erlmcp_py.transports.stdio import Channel
    from erlmcp_py.workers.company import Company
    from erlmcp_py.workers.superior import Line


@dataclass(frozen=True, slots=True)
class WorkerPart:
    """What a node is told that is one of several workers.

    doors: descriptors of sockets that listen already, by transport. key: secret of all the workers.
    line: to the parent.
    """

    company: Company
    doors: Mapping[str, int]
    key: bytes
    line: Line


@dataclass(frozen=True, slots=True)
class Parts:
    """What a tree is built from.

    servers: by name, the default one first. console: the console's child, if there is one.
    on_stdio: told the pid of every process that serves standard input. channel: the client
    that is served there, or one that stands in for it. task_store: where tasks are kept, None: in
    memory. mounted: makes the transport of a node inside another program. worker: if it is one of
    several; stop: then ends the node, for the reason given. drained: told when a node that drains has nothing left to do. inherited: what the node
    takes over from the one it replaces. again: reads the configuration again, as it was read at the
    start. handover: makes the child that gives such things away, from
    the names of network transports and the key that states are sealed with.
    """

    servers: Mapping[str, Server]
    console: ChildSpec | None
    on_stdio: Callable[[Pid], object]
    channel: Channel | None = None
    task_store: TaskStore | None = None
    worker: WorkerPart | None = None
    stop: Callable[[str], object] | None = None
    mounted: Callable[[ListenerConfig], ChildSpec] | None = None
    drained: Callable[[Outcome], object] = lambda _: None
    inherited: Inheritance | None = None
    handover: Callable[[tuple[str, ...], bytes], ChildSpec] | None = None
    again: Read | None = None
