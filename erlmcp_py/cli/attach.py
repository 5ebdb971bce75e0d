"""``erlmcp-node attach``: the interactive shell of a running node."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points

import click

from erlmcp_py.cli import PLUGINS
from erlmcp_py.cli.oneshot import fail, node_options
from erlmcp_py.console import render
from erlmcp_py.console.client import Client, NodeGone, NoSuchNode
from erlmcp_py.console.draw import clean
from erlmcp_py.console.shell import Shell, run_lines


@click.command()
@node_options
def attach(name: str, as_json: bool) -> None:
    """Open a shell on a running node.

    Without a terminal, lines from standard input are done one by one until the first that fails
    (exit code 1).
    """

    def connect(session: str = "") -> Client:
        return Client.connect(name, session=session)

    try:
        shell = Shell(connect, render.screen(), as_json=as_json)
    except NoSuchNode as error:
        fail(2, "no_such_node", str(error), as_json=as_json)
    _load_drawings()
    try:
        if sys.stdin is None:  # closed: nobody will type anything
            status = 0
        elif sys.stdin.isatty():
            status = _at_terminal(shell, connect())
        else:
            status = run_lines(shell, sys.stdin)
    except (NodeGone, NoSuchNode) as error:
        fail(1, "node_gone", str(error), as_json=as_json)
    finally:
        shell.close()
    raise click.exceptions.Exit(status)


def _load_drawings() -> None:
    """Import what says how answers are drawn: our own, and what other packages add to the command line."""
    import_module("erlmcp_py.console.upstream_table")
    for entry in entry_points(group=PLUGINS):
        try:
            entry.load()
        except ImportError as error:
            click.echo(f"erlmcp-node: {entry.name} is drawn plainly: {clean(error)}", err=True)


def _at_terminal(shell: Shell, watch: Client) -> int:
    try:
        from erlmcp_py.console.completion import NodeTargets
        from erlmcp_py.console.prompt import run_prompt
    except ImportError:
        fail(
            2,
            "no_prompt_toolkit",
            "the shell needs prompt_toolkit: pip install 'erlmcp-py[shell]'",
            as_json=False,
        )
    name = shell.name
    return run_prompt(shell, watch, NodeTargets(lambda: Client.connect(name)))
