"""`erlmcp-node client`: the group of the commands, in which the target may stand first."""

from __future__ import annotations

import click

from erlmcp_py.cli.client import calling, looking, skills, tasks, watching
from erlmcp_py.cli.client.order import TargetFirst


@click.group(cls=TargetFirst, subcommand_metavar="COMMAND [ARGS]...", options_metavar="TARGET")
def client() -> None:
    """Talk to the MCP server TARGET.

    \b
    TARGET is
      https://HOST/mcp      streamable HTTP, or HTTP+SSE of 2024-11-05
      wss://HOST/mcp/ws     WebSocket
      tcp://HOST:PORT       messages on a socket; ?framing=length
      unix:/PATH            the same on a Unix socket
      MODULE:ATTR           a Server, started for this command
      NAME@NODE             a server of a node that runs; NAME@ of the node erlmcp
    A program is started with: erlmcp-node client COMMAND [ARGS]... -- PROGRAM [ARGUMENT]...

    Exit codes: 0 done, 1 the tool failed, 2 there is no result, 130 Ctrl-C.
    """  # noqa: D301 -- click reads \b


for command in (
    looking.list_offer,
    looking.info,
    looking.ping,
    calling.call,
    calling.prompt,
    calling.read,
    calling.complete,
    watching.subscribe,
    tasks.tasks,
    skills.skills,
):
    client.add_command(command)
