"""The supervision tree of a node (DESIGN 3), as far as its parts exist.

::

    node (one_for_one 3/60)
    ├── core (one_for_all 5/60)
    │   ├── registry              names servers, transports, bindings
    │   ├── subscriptions         who wants to be told of changes
    │   ├── sessions_sup          a process per session of the older revisions
    │   ├── tasks_sup             a process per tool call that has become a task
    │   ├── servers (one_for_one) a process per MCP server
    │   ├── upstreams             a supervisor per server of somebody else: see `erlmcp_py.gateway`
    │   └── transports (one_for_one)
    │       ├── http              listener and connections
    │       ├── tcp               the same, without HTTP
    │       └── stdio
    ├── worker (one_for_one)      of one of several workers: see `erlmcp_py.workers`
    │   ├── post                  takes connections that other workers hand over
    │   └── superior              tells the parent how the node is, and ends with it
    ├── guards (one_for_one 5/60)
    │   ├── drain                 lets a node that is to end finish what it has begun
    │   └── reload                has the configuration read again
    ├── observe (one_for_one 10/60)
    │   ├── log
    │   ├── health
    │   ├── watchdog              notices code that holds the loop
    │   └── os_mon (rest_for_one) the alarm handler, and who watches memory, disks and load
    ├── console (one_for_one 3/60)
    └── handover                  gives a replacement what it asks for: see `erlmcp_py.handover`

WHY `core` is one_for_all: what the registry knows is a contract between the others. A new registry
is empty, and everybody who is to be in it has to start after it and register again, as their start
functions do.

WHY `servers` names its children, where OTP would use simple_one_for_one: an operator kills
``node/core/servers/weather``, not the third nameless child, and wants to see how often it was
restarted.

Every child spec is made once, before the tree: what outlives a crash (sockets, the stdio channel,
the session store, the book of tasks) lies in the specs' arguments, and survives restarts at every level.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from erlmcp_py import registry, subscriptions
from erlmcp_py.config import Config
from erlmcp_py.gateway import reloading
from erlmcp_py.gateway.fleet import Fleet
from erlmcp_py.gateway.reloading import Book
from erlmcp_py.guards import drain
from erlmcp_py.guards.drain import Drain, DrainSettings
from erlmcp_py.guards.in_flight import InFlight, InFlightLimits
from erlmcp_py.listening import listeners, transports
from erlmcp_py.ops.observe import observers
from erlmcp_py.parts import Parts, WorkerPart
from erlmcp_py.server import Server
from erlmcp_py.server.interaction.seal import KEY_SIZE, StateSealer
from erlmcp_py.server.lifespan import States
from erlmcp_py.server.process import ServerProcess
from erlmcp_py.server.supervisor import with_company
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.supervisor import SUPERVISOR as TASKS
from erlmcp_py.server.tasks.supervisor import TasksSupervisor
from erlmcp_py.sessions import SessionLimits, SessionsSupervisor, SessionStore
from supervisors import ChildSpec, Pid, Supervisor, SupFlags, exit_signal

if TYPE_CHECKING:
    pass

SERVERS = "servers"
TRANSPORTS = "transports"
MAX_HEAD = 64 * 1024
"""Bytes of a request that are not its body, for one that goes from worker to worker."""

Specs = tuple[ChildSpec, ...]


class Node(Supervisor):
    """The root; a node that loses it is down."""

    def init(self, children: Specs) -> tuple[SupFlags, list[ChildSpec]]:
        """Core, observe, console."""
        return SupFlags("one_for_one", 3, 60), list(children)


class Core(Supervisor):
    """What serves MCP."""

    def init(self, children: Specs) -> tuple[SupFlags, list[ChildSpec]]:
        """Registry, sessions, servers, transports; those who register behind the registry."""
        return SupFlags("one_for_all", 5, 60), list(children)


class Children(Supervisor):
    """Children that have nothing to do with one another: servers, transports, observers."""

    def init(self, intensity: int, children: Specs) -> tuple[SupFlags, list[ChildSpec]]:
        """One for one; `intensity` restarts within a minute."""
        return SupFlags("one_for_one", intensity, 60), list(children)


def child_specs(config: Config, parts: Parts) -> Specs:
    """The children of `Node`."""
    calls = config.calls
    in_flight = InFlight(
        InFlightLimits(total=calls.total, per_server=calls.per_server, per_client=calls.per_client)
    )
    keys = _keys(parts)
    sealer = StateSealer(keys)
    fleet = Fleet(
        config.upstreams,
        in_flight,
        config.mailboxes.server,
        next(iter(parts.servers), None),
        sealer=sealer,
    )
    book = None if parts.again is None else Book(config, parts.again, fleet)
    upstreams = (fleet.child_spec(),) if book is not None or config.upstreams else ()
    guards = (
        _drain(config, parts, in_flight, fleet),
        *(() if book is None else (reloading.child_spec(book),)),
    )
    observe = observers(config, lambda: (config if book is None else book.config).log.level)
    core = _core(config, parts, in_flight, sealer, upstreams)
    children = [
        Core.child_spec(core, id="core", name="core"),
        Children.child_spec(5, guards, id="guards", name="guards"),
        Children.child_spec(10, observe, id="observe", name="observe"),
    ]
    if parts.worker is not None:
        assert parts.stop is not None, "who makes a worker says how it is stopped"
        further = _worker(config, parts.worker, parts.stop)
        children.append(Children.child_spec(10, further, id="worker", name="worker"))
    if parts.console is not None:
        children.append(parts.console)
    if parts.handover is not None:
        children.append(parts.handover(listeners(config), keys[0]))
    return tuple(children)


def _keys(parts: Parts) -> tuple[bytes, ...]:
    """What states are sealed with; requests that the replaced node has begun go on here."""
    if parts.inherited is not None:
        return (parts.inherited.key,)
    return (os.urandom(KEY_SIZE) if parts.worker is None else parts.worker.key,)


def _drain(config: Config, parts: Parts, in_flight: InFlight, fleet: Fleet) -> ChildSpec:
    members = [f"{name}_connections" for name in listeners(config)]
    if config.stdio.enabled:
        members.append("stdio")
    settings = DrainSettings(deadline=config.drain.deadline, idle_grace=config.drain.idle_grace)

    def servers() -> list[str]:
        return [f"server_{name}" for name in (*parts.servers, *fleet.served())]

    # A worker's sockets are its parent's too; only who is told by the parent shuts them.
    shared = parts.worker is not None
    return drain.child_spec(
        Drain(members, settings, shared=shared), in_flight, servers, parts.drained
    )


def _core(
    config: Config, parts: Parts, in_flight: InFlight, sealer: StateSealer, upstreams: Specs
) -> Specs:
    """upstreams: the servers of others; behind our own, so that the default one is theirs."""
    limits = SessionLimits(
        max=config.sessions.max,
        idle_timeout=config.sessions.idle_timeout,
        mailbox=config.mailboxes.session,
        manager_mailbox=config.mailboxes.sessions,
        replay_bytes=config.sessions.replay_bytes,
        replay_streams=config.sessions.replay_streams,
    )
    worker = parts.worker
    ids = None if worker is None else worker.company.ids
    mailbox = config.mailboxes.server
    tasks = TaskBook(parts.task_store, ids=ids)
    servers = tuple(
        server_spec(name, server, sealer, mailbox, tasks, in_flight)
        for name, server in parts.servers.items()
    )
    return (
        registry.Registry.child_spec(id=registry.NAME, name=registry.NAME),
        subscriptions.Subscriptions.child_spec(id=subscriptions.NAME, name=subscriptions.NAME),
        SessionsSupervisor.child_spec(
            SessionStore(ids), limits, id="sessions_sup", name="sessions_sup"
        ),
        TasksSupervisor.child_spec(tasks, id=TASKS, name=TASKS),
        Children.child_spec(10, servers, id=SERVERS, name=SERVERS),
        *upstreams,
        Children.child_spec(10, transports(config, parts), id=TRANSPORTS, name=TRANSPORTS),
    )


def _worker(config: Config, worker: WorkerPart, stop: Callable[[str], object]) -> Specs:
    from erlmcp_py.ops.health import report
    from erlmcp_py.workers import post, superior

    return (
        post.child_spec(worker.company, config.http.body_limit + MAX_HEAD),
        superior.child_spec(worker.line, report, stop),
    )


def server_spec(
    name: str,
    server: Server,
    sealer: StateSealer | None = None,
    mailbox: int = 10_000,
    tasks: TaskBook | None = None,
    in_flight: InFlight | None = None,
) -> ChildSpec:
    """An MCP server as a child of `servers`; also for `start_child`, while the node runs.

    sealer: seals what its clients carry between the rounds of a request; kept over its restarts.
    mailbox: messages that may wait at it. tasks: the book of the node's tasks; None: it has none.
    in_flight: counts the calls at work of all servers it is given to.
    """
    states: States = {}
    start = (
        start_server,
        (name, server, sealer or StateSealer(), mailbox, tasks, states, in_flight),
    )
    itself = ChildSpec(name, start, modules=(server.info.name,))
    return with_company(name, server, states, itself)


async def start_server(
    name: str,
    server: Server,
    sealer: StateSealer,
    mailbox: int,
    tasks: TaskBook | None,
    states: States,
    in_flight: InFlight | None,
) -> Pid:
    """Start the process of a server, named `server_NAME`, and register it."""
    pid = await ServerProcess.start_link(
        server, name, sealer, mailbox, tasks, states, in_flight, name=f"server_{name}"
    )
    try:
        await registry.register_server(name, pid, server)
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid
