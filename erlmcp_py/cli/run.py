"""`erlmcp-node run`: start a node and stay until it is stopped.

Exit codes: 0 stopped in order, 1 the node gave up, 2 it could not start as it was told.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

import click
import msgspec

from erlmcp_py.config import Config, ConfigError, NodeConfig, load


@click.command()
@click.option(
    "--config",
    "files",
    multiple=True,
    metavar="FILE",
    help="TOML file over the defaults; repeat for more, the last one wins.",
)
@click.option("--name", metavar="NAME", help="Name of the node.  [default: erlmcp]")
@click.option(
    "--server",
    "targets",
    multiple=True,
    metavar="MODULE:ATTR",
    help="Serve this one; repeat for more. The first is the default server.  [default: examples]",
)
@click.option(
    "--http",
    "address",
    metavar="HOST:PORT",
    help="Listen here; port 0 takes a free one.  [default: 127.0.0.1:8080]",
)
@click.option("--stdio", is_flag=True, help="Serve one client on standard input and output.")
def run(
    files: tuple[str, ...],
    name: str | None,
    targets: tuple[str, ...],
    address: str | None,
    stdio: bool,
) -> None:
    """Run a node until Ctrl-C, `erlmcp-node stop`, or the end of standard input (--stdio)."""
    try:
        config = configure(files, name, targets, address, stdio)
        from erlmcp_py.node import NodeFailed, run_node

        try:
            run_node(config, lambda line: click.echo(line, err=config.stdio.enabled))
        except NodeFailed as error:
            _fail(1, str(error))
    except ConfigError as error:
        _fail(2, str(error))


def configure(
    files: tuple[str, ...],
    name: str | None,
    targets: tuple[str, ...],
    address: str | None,
    stdio: bool,
) -> Config:
    """The configuration with the command line as its last layer. Raises `ConfigError`."""
    options: dict[str, Any] = {}
    if stdio:
        options["stdio"] = {"enabled": True}
        options["http"] = {"enabled": False}
    if address is not None:
        host, port = parse_address(address)
        options["http"] = {"enabled": True, "host": host, "port": port}
    if name is not None:
        options["node"] = {"name": name}
    if targets:
        from erlmcp_py.loading import name_servers

        options["servers"] = name_servers(targets)
    config = load(overlays=files, options=options)
    if config.stdio.enabled and name is None:
        # Every client starts a node of its own: they must not fight over one name.
        node = NodeConfig(name=f"{config.node.name[:48]}-{os.getpid()}")
        config = msgspec.structs.replace(config, node=node)
    return config


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, IPv6 in brackets. Raises `ConfigError`."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        example = "127.0.0.1:8080 or [::1]:8080"
        raise ConfigError(f"--http {text}: must be HOST:PORT, such as {example}")
    return host, int(port)


def _fail(status: int, message: str) -> NoReturn:
    click.echo(f"erlmcp-node: {message}", err=True)
    raise click.exceptions.Exit(status)
