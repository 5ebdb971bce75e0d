"""`erlmcp-node upstreams`: how the servers of others stand, and what can be done about one.

Exit codes: as of the other commands, and 1 if one that was restarted is not up in time.
"""

from __future__ import annotations

import click
from click.core import ParameterSource

from erlmcp_py.cli.oneshot import ask, node_options
from erlmcp_py.console import upstream_table  # noqa: F401 - how its answers are drawn
from erlmcp_py.console.client import PATIENCE


@click.group(invoke_without_command=True)
@node_options
@click.pass_context
def upstreams(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show the servers of others; restart one, read its log."""
    if ctx.invoked_subcommand is None:
        ask(name, "upstreams", as_json=as_json)
    elif any(ctx.get_parameter_source(each) == ParameterSource.COMMANDLINE for each in ctx.params):
        raise click.UsageError(f"options go behind {ctx.invoked_subcommand!r}")


@upstreams.command()
@click.argument("upstream")
@click.option(
    "--within",
    type=click.FloatRange(0.1, 120),
    default=30.0,
    show_default=True,
    help="Seconds until it must be up again.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0, 120),
    default=5.0,
    show_default=True,
    help="Seconds that requests get which have begun; 0: none.",
)
@node_options
def restart(name: str, as_json: bool, upstream: str, within: float, grace: float) -> None:
    """Start UPSTREAM anew, and wait until it is up.

    Its program or connection is ended in order first.
    """
    args = {"upstream": upstream, "within": within, "grace": grace}
    ask(name, "upstreams.restart", args, as_json=as_json, patience=within + PATIENCE)


@upstreams.command()
@click.argument("upstream")
@click.option("--lines", type=click.IntRange(1, 1000), default=50, show_default=True)
@node_options
def log(name: str, as_json: bool, upstream: str, lines: int) -> None:
    """Show UPSTREAM's last lines, starts and ends.

    The lines are those of its standard error.
    """
    ask(name, "upstreams.log", {"upstream": upstream, "lines": lines}, as_json=as_json)
