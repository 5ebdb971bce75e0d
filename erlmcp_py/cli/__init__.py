"""The command `erlmcp-node`.

A subcommand's module is imported when it is called: `ping` must not wait for what `run` needs.
Packages add subcommands through the entry-point group `erlmcp.commands`, each entry a
`click.Command`; they cannot replace the ones here.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

import click

from erlmcp_py import __version__

PLUGINS: Final = "erlmcp.commands"

COMMANDS: Final = {
    "run": "erlmcp_py.cli.run:run",
    "inspect": "erlmcp_py.cli.client.looking:inspect",
    "call": "erlmcp_py.cli.client.calling:call",
    "client": "erlmcp_py.cli.client.group:client",
    "attach": "erlmcp_py.cli.attach:attach",
    "ping": "erlmcp_py.cli.oneshot:ping",
    "status": "erlmcp_py.cli.oneshot:status",
    "tree": "erlmcp_py.cli.oneshot:tree",
    "ps": "erlmcp_py.cli.oneshot:ps",
    "info": "erlmcp_py.cli.oneshot:info",
    "state": "erlmcp_py.cli.oneshot:state",
    "applications": "erlmcp_py.cli.oneshot:applications",
    "alarms": "erlmcp_py.cli.oneshot:alarms",
    "refusals": "erlmcp_py.cli.oneshot:refusals",
    "tls": "erlmcp_py.cli.oneshot:tls",
    "breaker": "erlmcp_py.cli.breaker:breaker",
    "reload": "erlmcp_py.cli.reload:reload",
    "upstreams": "erlmcp_py.cli.upstreams:upstreams",
    "drain": "erlmcp_py.cli.drain:drain",
    "stop": "erlmcp_py.cli.oneshot:stop",
}
"""Name to MODULE:ATTR, in the order of `--help`."""


class LazyGroup(click.Group):
    """A group whose commands are found in `COMMANDS` and the entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The node's own commands, then those of other packages by name."""
        added = {entry.name for entry in entry_points(group=PLUGINS)}
        return [*COMMANDS, *sorted(added - COMMANDS.keys()), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None if nobody provides it."""
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        for entry in entry_points(group=PLUGINS, name=cmd_name):
            added: click.Command = entry.load()
            return added
        return super().get_command(ctx, cmd_name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="erlmcp-node")
def cli() -> None:
    """Run MCP servers on a supervised node, look into it, break it and watch it recover."""


def main() -> None:
    """Entry point of the script."""
    cli(prog_name="erlmcp-node")
