"""All sections together."""

from __future__ import annotations

import msgspec

from erlmcp_py.config.listeners import HttpConfig, StdioConfig, TcpConfig, WebSocketConfig
from erlmcp_py.config.sections import (
    ApplicationsConfig,
    CallsConfig,
    ControlConfig,
    DrainConfig,
    HealthConfig,
    LogConfig,
    MailboxesConfig,
    NodeConfig,
    OsMonConfig,
    ServerConfig,
    SessionsConfig,
    WatchdogConfig,
)
from erlmcp_py.config.upstreams import UpstreamConfig
from erlmcp_py.config.values import Name, Section


class Config(Section, frozen=True, kw_only=True):
    """The whole configuration of a node, every default included."""

    node: NodeConfig = NodeConfig()
    http: HttpConfig = HttpConfig()
    stdio: StdioConfig = StdioConfig()
    tcp: TcpConfig = TcpConfig()
    websocket: WebSocketConfig = WebSocketConfig()
    sessions: SessionsConfig = SessionsConfig()
    calls: CallsConfig = CallsConfig()
    drain: DrainConfig = DrainConfig()
    health: HealthConfig = HealthConfig()
    watchdog: WatchdogConfig = WatchdogConfig()
    os_mon: OsMonConfig = OsMonConfig()
    mailboxes: MailboxesConfig = MailboxesConfig()
    control: ControlConfig = ControlConfig()
    log: LogConfig = LogConfig()
    applications: ApplicationsConfig = ApplicationsConfig()
    servers: tuple[ServerConfig, ...] = (
        ServerConfig(name="simple", target="examples.simple:server"),
        ServerConfig(name="calculator", target="examples.calculator:server"),
        ServerConfig(name="weather", target="examples.weather:server"),
    )
    """The first one is the node's default server, at /mcp, unless there are upstreams."""
    upstreams: dict[Name, UpstreamConfig] = msgspec.field(default_factory=dict)
    """Servers of others by name; all of them together are the node's default server, "all"."""
