"""What a node is like apart from where it listens: its other sections."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from erlmcp_py.config.values import (
    TARGET_PATTERN,
    Bytes,
    Count,
    Name,
    Seconds,
    Section,
    Share,
)


class NodeConfig(Section, frozen=True, kw_only=True):
    """`[node]`: who this node is."""

    name: Name = "erlmcp"
    """Names the node in pids and its control socket; two live nodes of one user cannot share it."""
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    """Operating-system processes that serve; from 2 on they are supervised by a parent."""
    profile: Literal["dev", "prod"] = "dev"
    """"dev": every listener has to be out of reach of other machines."""


class SessionsConfig(Section, frozen=True, kw_only=True):
    """`[sessions]`: sessions of clients that speak a revision up to 2025-11-25."""

    idle_timeout: Seconds = 1800.0
    """Seconds after its last request at which a session ends."""
    max: Count = 10_000
    """Sessions alive at once; one more is refused."""
    replay_bytes: Bytes = 256 * 1024
    """Bytes of events kept for one session, for a client that comes back for those it lost."""
    replay_streams: Annotated[int, Meta(ge=1, le=10_000)] = 32
    """Streams of one session that can be resumed."""


class CallsConfig(Section, frozen=True, kw_only=True):
    """`[calls]`: calls at work at once; one more is refused (503, of one client 429)."""

    total: Count = 10_000
    """On the whole node."""
    per_server: Count = 5000
    """At one server."""
    per_client: Count = 1000
    """Of one session, or else of one connection."""


class DrainConfig(Section, frozen=True, kw_only=True):
    """`[drain]`: how a node ends that is told to drain."""

    deadline: Seconds = 25.0
    """Seconds that requests have to end; those that take longer are cancelled."""
    idle_grace: Seconds = 2.0
    """Seconds after which a connection is closed on which nothing is asked for."""


class HealthConfig(Section, frozen=True, kw_only=True):
    """`[health]`: the health monitor."""

    check_interval: Seconds = 30.0
    """Seconds between two checks of a component in order."""
    check_timeout: Seconds = 5.0
    """Seconds a component has to answer."""
    max_consecutive_failures: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Failed checks in a row that make a component unhealthy; fewer make it degraded."""
    recovery_interval: Seconds = 10.0
    """Seconds between two checks of a component that failed its last one."""
    system_check_interval: Seconds = 15.0
    """Seconds between two looks at the machine's memory."""
    memory_warning: Share = 0.85
    """Share of memory in use at which the system is degraded."""
    memory_critical: Share = 0.95
    """Share of memory in use at which the system is unhealthy."""


class ControlConfig(Section, frozen=True, kw_only=True):
    """`[control]`: the Unix socket that `erlmcp-node attach` and the one-shot commands use."""

    enabled: bool = True
    directory: str = ""
    """Where the socket lies; empty chooses a directory that only this user can enter."""


class WatchdogConfig(Section, frozen=True, kw_only=True):
    """`[watchdog]`: what becomes of code that holds the loop."""

    long_schedule: Seconds = 0.1
    """Seconds after which a handler that holds the loop is logged, with its stack."""
    max_run: Seconds | Literal["off"] = "off"
    """Seconds after which it is made to crash; at least `long_schedule`."""


class OsMonConfig(Section, frozen=True, kw_only=True):
    """`[os_mon]`: alarms about the machine."""

    memory_interval: Seconds = 60.0
    """Seconds between two looks at the memory."""
    memory: Share | Literal["off"] = 0.80
    """Share of memory in use above which there is an alarm."""
    process_memory: Share | Literal["off"] = 0.05
    """Share of memory above which one process of the node is an alarm."""
    disk_interval: Seconds = 1800.0
    """Seconds between two looks at the disks."""
    disk: Share | Literal["off"] = 0.80
    """Share of a disk in use above which there is an alarm."""
    load_interval: Seconds = 60.0
    """Seconds between two looks at the load."""
    load: Annotated[float, Meta(gt=0)] | Literal["off"] = 4.0
    """Load of five minutes per processor above which there is an alarm."""


class MailboxesConfig(Section, frozen=True, kw_only=True):
    """`[mailboxes]`: messages that may wait in the processes strangers can reach (DESIGN 2.4)."""

    server: Count = 10_000
    """Of each MCP server; one call more is answered 503, over stdio with an error."""
    session: Count = 1000
    """Of each session; one request more is answered 503."""
    sessions: Count = 10_000
    """Of the session manager; one request more is answered 503."""
    connection: Count = 5000
    """Of each connection, over HTTP, WebSocket or TCP; one message more closes it."""
    log: Count = 10_000
    """Of the log writer; further entries are dropped, audit entries never."""


class LogConfig(Section, frozen=True, kw_only=True):
    """`[log]`: entries on standard error."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"


class ApplicationsConfig(Section, frozen=True, kw_only=True):
    """`[applications]`: what a node runs besides itself."""

    start: tuple[Name, ...] = ("chaos",)
    """Names from the entry-point group `erlmcp.applications`, started in this order."""
    permanent: tuple[Name, ...] = ()
    """Those of them whose end ends the node; the others end alone."""


class ServerConfig(Section, frozen=True, kw_only=True):
    """`[[servers]]`: an MCP server written in Python."""

    name: Name
    """Served at /mcp/NAME."""
    target: Annotated[str, Meta(pattern=TARGET_PATTERN)]
    """`MODULE:ATTR`, where ATTR is an `erlmcp_py.server.Server`."""
