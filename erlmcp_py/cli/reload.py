"""`erlmcp-node reload`: have a node read its configuration again, and do what of it needs no restart.

Exit codes: 0 it is done, or nothing has changed; 1 the configuration has an error, or the node could not do
all of it; 2 there is no such node. An error changes nothing.
"""

from __future__ import annotations

from typing import Any

import click

from erlmcp_py.cli.oneshot import fail, node_options
from erlmcp_py.console import render
from erlmcp_py.console.client import PATIENCE, Client, CommandFailed, NodeGone, NoSuchNode


@click.command()
@click.option(
    "--deadline",
    type=click.FloatRange(0, 86_400),
    metavar="SECONDS",
    help="Cut off requests at what is removed or started anew that take longer.  "
    "[default: drain.deadline]",
)
@node_options
def reload(name: str, as_json: bool, deadline: float | None) -> None:
    """Read the configuration again.

    Upstreams are added, removed and started anew, as it says now; the others serve on.
    """
    told = False

    def show(_: dict[str, Any]) -> None:
        nonlocal told
        if not as_json and not told:
            click.echo("waiting for what is removed or started anew to finish", err=True)
        told = True

    try:
        with Client.connect(name) as client:
            done = client.request("reload", {"deadline": deadline}, show, PATIENCE)
    except NoSuchNode as error:
        fail(2, "no_such_node", str(error), as_json=as_json)
    except NodeGone as error:
        fail(1, "node_gone", str(error), as_json=as_json)
    except CommandFailed as error:
        fail(1, error.code, error.message, as_json=as_json)
    render.show(render.screen(), "reload", done, as_json=as_json)
    if done["problems"]:
        raise click.exceptions.Exit(1)
