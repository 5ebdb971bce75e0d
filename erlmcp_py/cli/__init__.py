"""The command `erlmcp-node`.

A subcommand's module is imported when it is called: `ping` must not wait for what `run` needs.
Packages add subcommands through the entry-point group `erlmcp.commands`, each entry a
`click.Command`; they cannot replace the ones here.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from difflib import get_close_matches
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


_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, and name the nearest command to one that does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                ctx.fail(f"{error.message} Did you mean {near[0]!r}?")
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="erlmcp-node")
def cli() -> None:
    """Run MCP servers on a supervised node, look into it, break it and watch it recover."""


def main() -> None:
    """Entry point of the script.

    Output that cannot be written ends it with 1, the codes of the commands are theirs.
    """
    _fill_closed()
    try:
        cli(prog_name="erlmcp-node")
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        with suppress(OSError):
            text = f"standard output cannot be written: {error.strerror}"
            click.echo(f"erlmcp-node: {text}", err=True)
        raise SystemExit(1) from None
    finally:
        _let_go()


def _fill_closed() -> None:
    """Of standard input, output and error what is closed becomes the null device; the next file or socket
    of the node would have its number, and whoever writes to standard error would write into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _let_go() -> None:
    """What cannot be written has been told by now; the interpreter would tell it again as it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
