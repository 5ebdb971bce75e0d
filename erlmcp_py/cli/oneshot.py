"""Commands that ask a running node one thing and end, such as ping, tree, alarms and stop.

Exit codes: 0 it was done, 1 the node refused or could not do it, 2 there is no such node
(or the command line is wrong). Every failure is one line on stderr; with ``--json`` the
same is on stdout as ``{"error": {"code", "message"}}``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from erlmcp_py.console import place, render
from erlmcp_py.console.claim import is_held
from erlmcp_py.console.client import PATIENCE, Client, CommandFailed, NodeGone, NoSuchNode
from erlmcp_py.console.draw import clean

STOPS_WITHIN = 60.0
"""Seconds ``stop`` waits for the node to be gone."""

F = TypeVar("F", bound=Callable[..., Any])


def node_options(function: F) -> F:
    """The options every command has that talks to a node: ``--name`` and ``--json``."""
    function = click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON value instead of a drawing."
    )(function)
    return click.option(
        "--name",
        metavar="NAME",
        default=place.DEFAULT_NAME,
        show_default=True,
        help="The node to ask.",
    )(function)


def ask(
    name: str,
    command: str,
    args: dict[str, Any] | None = None,
    *,
    as_json: bool,
    patience: float = PATIENCE,
) -> Any:
    """Have node `name` do `command`, print what it answers, and return it.

    patience: seconds to wait for the answer. Ends the program with 1 or 2 when it fails.
    """
    result = request(name, command, args, as_json=as_json, patience=patience)
    render.show(render.screen(), command, result, as_json=as_json)
    return result


def request(
    name: str,
    command: str,
    args: dict[str, Any] | None = None,
    *,
    as_json: bool,
    patience: float = PATIENCE,
) -> Any:
    """As `ask`, without printing the result."""
    try:
        with Client.connect(name) as client:
            return client.request(command, args, patience=patience)
    except NoSuchNode as error:
        fail(2, "no_such_node", str(error), as_json=as_json)
    except NodeGone as error:
        fail(1, "node_gone", str(error), as_json=as_json)
    except CommandFailed as error:
        fail(1, error.code, error.message, as_json=as_json)


def fail(status: int, code: str, message: str, *, as_json: bool) -> NoReturn:
    """End the program with `status` and one line about it."""
    if as_json:
        click.echo(render.json_text({"error": {"code": code, "message": message}}))
    click.echo(f"erlmcp-node: {clean(message)}", err=True)
    raise click.exceptions.Exit(status)


@click.command()
@node_options
def ping(name: str, as_json: bool) -> None:
    """Ask whether a node answers."""
    ask(name, "ping", as_json=as_json)


@click.command()
@node_options
def status(name: str, as_json: bool) -> None:
    """Show a node in a dozen lines."""
    ask(name, "status", as_json=as_json)


@click.command()
@click.argument("target", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), help="Children shown per supervisor.")
@node_options
def tree(name: str, as_json: bool, target: str | None, limit: int | None) -> None:
    """Draw the supervision tree, or the part below TARGET.

    TARGET: a pid, a registered name or a path in the tree.
    """
    ask(name, "tree", {"target": target, "limit": limit}, as_json=as_json)


@click.command()
@click.option(
    "--sort",
    type=click.Choice(["mailbox", "messages", "restarts", "memory", "uptime"]),
    default="mailbox",
    show_default=True,
    help="The order; messages counts since your last look.",
)
@click.option("--limit", type=click.IntRange(1, 5000), help="Rows.")
@node_options
def ps(name: str, as_json: bool, sort: str, limit: int | None) -> None:
    """List the processes of a node."""
    ask(name, "ps", {"sort": sort, "limit": limit}, as_json=as_json)


@click.command()
@click.argument("target")
@node_options
def info(name: str, as_json: bool, target: str) -> None:
    """Show all about the process TARGET.

    TARGET: a pid, a registered name or a path in the tree.
    """
    ask(name, "info", {"target": target}, as_json=as_json)


@click.command()
@click.argument("target")
@click.option(
    "--timeout",
    type=click.FloatRange(0.01, 60),
    default=5.0,
    show_default=True,
    help="Seconds to wait for it.",
)
@node_options
def state(name: str, as_json: bool, target: str, timeout: float) -> None:
    """Show the state of the server TARGET.

    TARGET: a pid, a registered name or a path in the tree.
    """
    args = {"target": target, "timeout": timeout}
    ask(name, "state", args, as_json=as_json, patience=timeout + PATIENCE)


@click.command()
@node_options
def applications(name: str, as_json: bool) -> None:
    """List the applications that run."""
    ask(name, "applications", as_json=as_json)


@click.command()
@node_options
def alarms(name: str, as_json: bool) -> None:
    """List the alarms that are set."""
    ask(name, "alarms", as_json=as_json)


@click.command()
@node_options
def refusals(name: str, as_json: bool) -> None:
    """List what was refused, how often, and when last."""
    ask(name, "refusals", as_json=as_json)


@click.command()
@click.argument("action", type=click.Choice(["show", "reload"]), default="show")
@node_options
def tls(name: str, as_json: bool, action: str) -> None:
    """Show certificates, or have them read again.

    Those of the listeners; `reload` has files and keys read again. Exit code 1 if one has a problem.
    """
    rows = ask(name, "tls" if action == "show" else "tls.reload", as_json=as_json)
    if any(row["problem"] for row in rows):
        raise click.exceptions.Exit(1)


@click.command()
@node_options
def stop(name: str, as_json: bool) -> None:
    """Stop a node in order, and wait until it is gone."""
    request(name, "stop", as_json=as_json)
    directory = place.default_directory()
    deadline = time.monotonic() + STOPS_WITHIN
    while is_held(name, directory):
        if time.monotonic() > deadline:
            message = f"node {name!r} is still stopping after {STOPS_WITHIN:g} s"
            fail(1, "timeout", message, as_json=as_json)
        time.sleep(0.02)
    if as_json:
        click.echo(render.json_text({"stopped": name}))
    else:
        click.echo(f"node {name} stopped")
