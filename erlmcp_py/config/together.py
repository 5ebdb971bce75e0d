"""Rules that span keys; only the merged whole can be held to them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from erlmcp_py.config.listeners import TlsConfig
from erlmcp_py.config.upstreams import ALL, UpstreamConfig
from erlmcp_py.config.values import ConfigError
from erlmcp_py.config.whole import Config
from erlmcp_py.exposure import is_loopback


def check_served(config: Config) -> None:
    """Raises `ConfigError` for a node that would serve nobody anything."""
    if not config.servers and not config.upstreams:
        raise ConfigError("servers: there is none; name at least one MODULE:ATTR, or an upstream")


def check_together(config: Config) -> None:
    """The rules that span keys; only the merged whole can be held to them. Raises `ConfigError`."""
    if config.http.enabled:
        _check_listener(config, "http", config.http.host, config.http.tls)
        if config.http.tls.redirect_port != "off" and config.http.host.startswith("unix:"):
            raise ConfigError("http.tls.redirect_port: a Unix socket has no ports; leave it off")
    if config.tcp.enabled:
        _check_listener(config, "tcp", config.tcp.host, config.tcp.tls)
    if config.tcp.server and config.tcp.server not in _served(config):
        raise ConfigError(
            f"tcp.server: there is no server {config.tcp.server!r} in [[servers]]; "
            "name one of them, or leave it empty for the default"
        )
    health = config.health
    if health.memory_warning >= health.memory_critical:
        raise ConfigError(
            f"health.memory_warning: {health.memory_warning} must be below "
            f"health.memory_critical, which is {health.memory_critical}"
        )
    watchdog = config.watchdog
    if watchdog.max_run != "off" and watchdog.max_run < watchdog.long_schedule:
        raise ConfigError(
            f"watchdog.max_run: {watchdog.max_run} must not be below watchdog.long_schedule, "
            f"which is {watchdog.long_schedule}"
        )
    for name in config.applications.permanent:
        if name not in config.applications.start:
            raise ConfigError(
                f"applications.permanent: {name!r} is not in applications.start; only what is "
                "started can be permanent"
            )
    seen: dict[str, str] = {}
    for server in config.servers:
        if server.name in seen:
            raise ConfigError(
                f"servers: two are named {server.name!r} ({seen[server.name]} and {server.target}); "
                "give each a name of its own"
            )
        seen[server.name] = server.target
    if config.http.enabled and config.websocket.enabled and "ws" in seen:
        raise ConfigError(
            "servers: /mcp/ws is where WebSockets are opened; give the server another name than "
            "'ws', or set websocket.enabled to false"
        )
    for name, upstream in config.upstreams.items():
        _check_upstream(name, upstream, seen)
    if config.upstreams and ALL in seen:
        raise ConfigError(f"servers: {ALL!r} is the name of all upstreams together; choose another")
    if config.node.workers > 1:
        _check_workers(config)
    if not (config.http.enabled or config.stdio.enabled or config.tcp.enabled):
        raise ConfigError(
            "http.enabled, stdio.enabled, tcp.enabled: all are false; nobody could reach the node"
        )


def _served(config: Config) -> set[str]:
    """The names of all that is served."""
    upstreams = {*config.upstreams, ALL} if config.upstreams else set()
    return {server.name for server in config.servers} | upstreams


def _check_listener(config: Config, name: str, host: str, tls: TlsConfig) -> None:
    """Where a listener may stand, and what belongs to TLS together."""
    if host.startswith("unix:") and not host.startswith("unix:/"):
        raise ConfigError(f"{name}.host: {host!r} must be unix:/PATH, the path absolute")
    if config.node.profile == "dev" and not is_loopback(host):
        raise ConfigError(
            f"{name}.host: {host!r} can be reached from other machines, which the dev profile does "
            'not allow; use 127.0.0.1, or set node.profile = "prod" (ERLMCP__NODE__PROFILE=prod)'
        )
    if not tls.certificate:
        for field in msgspec.structs.fields(tls):
            if field.name != "certificate" and getattr(tls, field.name) != field.default:
                raise ConfigError(
                    f"{name}.tls.{field.name}: is set, but without {name}.tls.certificate nothing is "
                    "encrypted; name the file of the certificate"
                )
    elif tls.client_certificates != "off" and not tls.client_ca:
        raise ConfigError(
            f"{name}.tls.client_certificates: {tls.client_certificates!r} needs {name}.tls.client_ca, "
            "the file with the certificates that sign those of clients"
        )


def _check_upstream(name: str, upstream: UpstreamConfig, servers: Mapping[str, str]) -> None:
    where = f"upstreams.{name}"
    if name in (ALL, "ws"):
        raise ConfigError(f"{where}: /mcp/{name} has a meaning of its own; choose another name")
    if name in servers:
        raise ConfigError(f"{where}: there is a server of that name in [[servers]]; rename one")
    if bool(upstream.command) == bool(upstream.url):
        problem = "has both command and url" if upstream.url else "has neither command nor url"
        raise ConfigError(f"{where}: {problem}; one of them says where the server is")
    named: dict[str, str] = {}
    for old, new in upstream.rename.items():
        if new in named:
            raise ConfigError(f"{where}.rename: {named[new]!r} and {old!r} are both to be {new!r}")
        named[new] = old
    if upstream.url:
        for key in ("args", "env", "cwd", "memory_limit"):
            if getattr(upstream, key) != getattr(UpstreamConfig(), key):
                raise ConfigError(f"{where}.{key}: belongs to a command, but there is a url")
    else:
        for key in ("headers", "auth"):
            if getattr(upstream, key):
                raise ConfigError(f"{where}.{key}: belongs to a url, but there is a command")


def _check_workers(config: Config) -> None:
    if config.upstreams:
        raise ConfigError("node.workers: upstreams are programs that one process owns; set it to 1")
    if config.stdio.enabled:
        raise ConfigError(
            "node.workers: standard input has one client, which one process serves; set it to 1"
        )
    if not config.control.enabled:
        raise ConfigError(
            "node.workers: workers find each other in the control directory; "
            "set control.enabled to true"
        )
    if len(f"{config.node.name}-{config.node.workers}") > 64:
        raise ConfigError(
            f"node.name: workers are called {config.node.name}-1 and so on, which is longer than "
            "64 characters; choose a shorter name"
        )
