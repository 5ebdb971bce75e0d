"""`erlmcp-node run`: start a node and stay until it is stopped.

Exit codes: 0 stopped in order, 1 the node gave up, 2 it could not start as it was told.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click
import msgspec

from erlmcp_py.config import Config, ConfigError, check, load
from erlmcp_py.transports.net import address as net


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
    "--mcp-json",
    "mcp_json",
    metavar="FILE",
    help="Put the servers of a desktop client's mcpServers file under supervision.",
)
@click.option(
    "--http",
    "address",
    metavar="HOST:PORT|unix:/PATH",
    help="Listen here; port 0 takes a free one.  [default: 127.0.0.1:8080]",
)
@click.option(
    "--tcp",
    "tcp",
    metavar="HOST:PORT|unix:/PATH",
    help="Listen here too, for messages without HTTP; port 0 takes a free one.",
)
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Serve with N processes on the same port.  [default: 1]",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Take over from the node of this name, if one runs, without a client that notices.",
)
@click.option("--stdio", is_flag=True, help="Serve one client on standard input and output.")
def run(
    files: tuple[str, ...],
    name: str | None,
    targets: tuple[str, ...],
    address: str | None,
    stdio: bool,
    workers: int | None,
    tcp: str | None,
    replace: bool,
    mcp_json: str | None,
) -> None:
    """Run a node until it is stopped.

    By Ctrl-C, SIGTERM, `erlmcp-node stop` or drain, or by the end of standard input (--stdio).
    """

    def read() -> Config:
        return configure(files, name, targets, address, stdio, workers, tcp, mcp_json)

    try:
        config = read()
        if replace:
            _check_replace(config)
        if config.node.workers > 1:
            _run_workers(config)
            return
        from erlmcp_py.node import NodeFailed, run_node

        try:
            run_node(
                config,
                lambda lines: _announce(lines, err=config.stdio.enabled),
                replace=replace,
                again=read,
            )
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
    workers: int | None = None,
    tcp: str | None = None,
    mcp_json: str | None = None,
) -> Config:
    """The configuration with the command line as its last layer. Raises `ConfigError`."""
    options: dict[str, Any] = {}
    if stdio:
        options["stdio"] = {"enabled": True}
        options["http"] = {"enabled": False}
    if address is not None:
        host, port = parse_address("--http", address)
        options["http"] = {"enabled": True, "host": host, "port": port}
    if tcp is not None:
        host, port = parse_address("--tcp", tcp)
        options["tcp"] = {"enabled": True, "host": host, "port": port}
    node = {"name": name, "workers": workers}
    options["node"] = {key: value for key, value in node.items() if value is not None}
    if targets:
        from erlmcp_py.loading import name_servers

        options["servers"] = name_servers(targets)
    if mcp_json is not None:
        from erlmcp_py.gateway.mcp_json import read_mcp_json

        options["upstreams"] = read_mcp_json(mcp_json)
        check({"upstreams": options["upstreams"]}, mcp_json)  # an error names the file, not us
    config = load(overlays=files, options=options)
    if config.stdio.enabled:
        _check_streams()
    if config.stdio.enabled and name is None:
        # Every client starts a node of its own: they must not fight over one name.
        name = f"{config.node.name[:48]}-{os.getpid()}"
        named = msgspec.structs.replace(config.node, name=name)
        config = msgspec.structs.replace(config, node=named)
    return config


def _check_streams() -> None:
    """Raises `ConfigError` where a client on standard input and output cannot be."""
    for name, stream in (("input", sys.__stdin__), ("output", sys.__stdout__)):
        if stream is None:
            raise ConfigError(
                f"--stdio: standard {name} is closed; the client that starts the node has it as a pipe"
            )


def _check_replace(config: Config) -> None:
    """Raises `ConfigError` where one node cannot take over from another."""
    if config.node.workers > 1:
        raise ConfigError(
            "--replace: a node with several workers is not replaced as a whole; restart its workers one "
            f"by one with erlmcp-node drain --name {config.node.name}-1 and so on, or stop it first"
        )
    if config.stdio.enabled:
        raise ConfigError("--replace: the client on standard input cannot be handed over")
    if not config.control.enabled:
        raise ConfigError(
            "--replace: nodes find each other in the control directory; set control.enabled to true"
        )


def _run_workers(config: Config) -> None:
    from erlmcp_py.workers.parent import ParentFailed, run_parent

    try:
        run_parent(config, _announce)
    except ParentFailed as error:
        _fail(1, str(error))


def _announce(lines: list[str], *, err: bool = False) -> None:
    """Say where the node is. A full disk behind the output must not end a node that serves."""
    with suppress(OSError):
        click.echo("\n".join(lines), err=err)


def parse_address(option: str, text: str) -> tuple[str, int]:
    """`HOST:PORT`, IPv6 in brackets, or `unix:/PATH`. Raises `ConfigError`."""
    try:
        return net.parse_address(text)
    except ValueError as problem:
        raise ConfigError(f"{option} {text}: {problem}") from None


def _fail(status: int, message: str) -> NoReturn:
    click.echo(f"erlmcp-node: {message}", err=True)
    raise click.exceptions.Exit(status)
