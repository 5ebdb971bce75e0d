"""The supervision tree of a node (DESIGN 3), as far as its parts exist.

::

    node (one_for_one 3/60)
    ├── core (one_for_all 5/60)
    │   ├── registry              names servers, transports, bindings
    │   ├── subscriptions         who wants to be told of changes
    │   ├── sessions_sup          a process per session of the older revisions
    │   ├── tasks_sup             a process per tool call that has become a task
    │   ├── servers (one_for_one) a process per MCP server
    │   └── transports (one_for_one)
    │       ├── http              listener and connections
    │       └── stdio
    ├── observe (one_for_one 10/60)
    │   ├── log
    │   ├── health
    │   ├── watchdog              notices code that holds the loop
    │   └── os_mon (rest_for_one) the alarm handler, and who watches memory, disks and load
    └── console (one_for_one 3/60)

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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erlmcp_py import registry, subscriptions
from erlmcp_py.config import Config, HttpConfig
from erlmcp_py.ops.observe import observers
from erlmcp_py.ops.probes import ROUTES
from erlmcp_py.server import Server
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.lifespan import States
from erlmcp_py.server.process import ServerProcess
from erlmcp_py.server.supervisor import with_company
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.store import TaskStore
from erlmcp_py.server.tasks.supervisor import SUPERVISOR as TASKS
from erlmcp_py.server.tasks.supervisor import TasksSupervisor
from erlmcp_py.sessions import SessionLimits, SessionsSupervisor, SessionStore
from supervisors import ChildSpec, Pid, Supervisor, SupFlags, exit_signal

if TYPE_CHECKING:
    from erlmcp_py.transports.stdio import Channel

SERVERS = "servers"
TRANSPORTS = "transports"

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


@dataclass(frozen=True, slots=True)
class Parts:
    """What a tree is built from.

    servers: by name, the default one first. console: the console's child, if there is one.
    on_stdio: told the pid of every process that serves standard input. channel: a client that
    stands in for the one on standard input and output. task_store: where tasks are kept, None: in
    memory.
    """

    servers: Mapping[str, Server]
    console: ChildSpec | None
    on_stdio: Callable[[Pid], object]
    channel: Channel | None = None
    task_store: TaskStore | None = None


def child_specs(config: Config, parts: Parts) -> Specs:
    """The children of `Node`."""
    children = [
        Core.child_spec(_core(config, parts), id="core", name="core"),
        Children.child_spec(10, observers(config), id="observe", name="observe"),
    ]
    if parts.console is not None:
        children.append(parts.console)
    return tuple(children)


def _core(config: Config, parts: Parts) -> Specs:
    limits = SessionLimits(
        max=config.sessions.max,
        idle_timeout=config.sessions.idle_timeout,
        mailbox=config.mailboxes.session,
        manager_mailbox=config.mailboxes.sessions,
    )
    sealer = StateSealer()
    mailbox = config.mailboxes.server
    tasks = TaskBook(parts.task_store)
    servers = tuple(
        server_spec(name, server, sealer, mailbox, tasks) for name, server in parts.servers.items()
    )
    return (
        registry.Registry.child_spec(id=registry.NAME, name=registry.NAME),
        subscriptions.Subscriptions.child_spec(id=subscriptions.NAME, name=subscriptions.NAME),
        SessionsSupervisor.child_spec(
            SessionStore(), limits, id="sessions_sup", name="sessions_sup"
        ),
        TasksSupervisor.child_spec(tasks, id=TASKS, name=TASKS),
        Children.child_spec(10, servers, id=SERVERS, name=SERVERS),
        Children.child_spec(10, _transports(config, parts), id=TRANSPORTS, name=TRANSPORTS),
    )


def _transports(config: Config, parts: Parts) -> Specs:
    specs = []
    if config.http.enabled:
        from erlmcp_py.transports.http import supervisor as http

        specs.append(http.child_spec(_listener(config.http, config.mailboxes.connection), ROUTES))
    if config.stdio.enabled:
        specs.append(_stdio(config, parts))
    return tuple(specs)


def _listener(http: HttpConfig, mailbox: int) -> Any:
    from erlmcp_py.transports.http.request import HttpLimits
    from erlmcp_py.transports.http.settings import ListenerConfig

    return ListenerConfig(
        host=http.host,
        port=http.port,
        allowed_hosts=http.allowed_hosts,
        allowed_origins=http.allowed_origins,
        limits=HttpLimits(max_body=http.body_limit),
        max_connections=http.connections,
        idle_timeout=http.idle_timeout,
        resumable_answers=http.resumable_answers,
        mailbox=mailbox,
    )


def _stdio(config: Config, parts: Parts) -> ChildSpec:
    from erlmcp_py.transports import stdio

    channel = parts.channel or stdio.Channel(line_limit=config.stdio.line_limit)
    spec = stdio.child_spec(stdio.StdioOptions(), channel)
    start, args = spec.start

    async def start_and_tell() -> Pid:
        pid: Pid = await start(*args)
        parts.on_stdio(pid)
        return pid

    return ChildSpec(spec.id, (start_and_tell, ()), restart=spec.restart)


def server_spec(
    name: str,
    server: Server,
    sealer: StateSealer | None = None,
    mailbox: int = 10_000,
    tasks: TaskBook | None = None,
) -> ChildSpec:
    """An MCP server as a child of `servers`; also for `start_child`, while the node runs.

    sealer: seals what its clients carry between the rounds of a request; kept over its restarts.
    mailbox: messages that may wait at it. tasks: the book of the node's tasks; None: it has none.
    """
    states: States = {}
    start = (start_server, (name, server, sealer or StateSealer(), mailbox, tasks, states))
    itself = ChildSpec(name, start, modules=(server.info.name,))
    return with_company(name, server, states, itself)


async def start_server(
    name: str,
    server: Server,
    sealer: StateSealer,
    mailbox: int,
    tasks: TaskBook | None,
    states: States,
) -> Pid:
    """Start the process of a server, named `server_NAME`, and register it."""
    pid = await ServerProcess.start_link(
        server, name, sealer, mailbox, tasks, states, name=f"server_{name}"
    )
    try:
        await registry.register_server(name, pid, server)
    except BaseException:
        exit_signal(pid, "kill")
        raise
    return pid
