"""`erlmcp-node drain`: have a node finish what it has begun and end, and wait for that.

Exit codes: 0 every request was finished, 1 some were cut off at the deadline or the node could not be
watched to its end, 2 there is no such node.
"""

from __future__ import annotations

import time
from typing import Any

import click

from erlmcp_py.cli.oneshot import STOPS_WITHIN, fail, node_options
from erlmcp_py.console import place, render
from erlmcp_py.console.client import PATIENCE, Client, CommandFailed, NodeGone, NoSuchNode
from erlmcp_py.console.draw import clean


@click.command()
@click.option(
    "--deadline",
    type=click.FloatRange(0, 86_400),
    metavar="SECONDS",
    help="Cut off requests that take longer.  [default: as configured, 25]",
)
@node_options
def drain(name: str, as_json: bool, deadline: float | None) -> None:
    """Finish what was begun, let nobody in, and stop.

    Waits until the node is gone. Exit code 1 if requests were cut off at the deadline.
    """

    def show(left: dict[str, Any]) -> None:
        if as_json:
            return
        requests, connections = (
            f"{left[of]} {of.removesuffix('s') if left[of] == 1 else of}"
            for of in ("requests", "connections")
        )
        click.echo(
            f"draining: {requests} and {connections} left, "
            f"{left['remaining']:.0f} s to the deadline"
        )

    try:
        with Client.connect(name) as client:
            outcome = client.request("drain", {"deadline": deadline}, show, PATIENCE)
            gone = client.wait_until_closed(STOPS_WITHIN)
    except NoSuchNode as error:
        fail(2, "no_such_node", str(error), as_json=as_json)
    except NodeGone as error:
        fail(1, "node_gone", str(error), as_json=as_json)
    except CommandFailed as error:
        fail(1, error.code, error.message, as_json=as_json)
    if not gone or not _process_gone(name):
        message = f"node {name!r} is drained and still stopping after {STOPS_WITHIN:g} s"
        fail(1, "timeout", message, as_json=as_json)
    if as_json:
        click.echo(render.json_text(outcome))
    else:
        click.echo(clean(_described(name, outcome)))
    if outcome["cut_off"]:
        raise click.exceptions.Exit(1)


def _described(name: str, outcome: dict[str, Any]) -> str:
    cut, took = outcome["cut_off"], f"{outcome['seconds']:.1f} s"
    if not cut:
        return f"node {name} drained and stopped: every request was finished, in {took}"
    what = "1 request was" if cut == 1 else f"{cut} requests were"
    return f"node {name} drained and stopped: {what} cut off at the deadline, after {took}"


def _process_gone(name: str) -> bool:
    """Wait for the node to give its name back, or for another to have it."""
    from erlmcp_py.console.claim import is_held

    directory = place.default_directory()
    deadline = time.monotonic() + STOPS_WITHIN
    while is_held(name, directory):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
