"""`erlmcp-node client TARGET subscribe`."""

from __future__ import annotations

import click
import msgspec

from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.printing import print_line
from erlmcp_py.cli.client.running import NoAnswer, on_server
from erlmcp_py.cli.client.way import ToServer, Way, to_server
from erlmcp_py.client import Change, Client, Subscription
from erlmcp_py.console.draw import clean


@click.command(cls=ToServer)
@to_server
@click.argument("uris", metavar="[URI]...", nargs=-1)
@click.option("--tools", is_flag=True, help="Changes of the list of tools.")
@click.option("--prompts", is_flag=True, help="Changes of the list of prompts.")
@click.option("--resources", is_flag=True, help="Changes of the list of resources.")
@click.option("--count", type=click.IntRange(1), help="End after so many changes.")
def subscribe(
    way: Way,
    uris: tuple[str, ...],
    tools: bool,
    prompts: bool,
    resources: bool,
    count: int | None,
) -> None:
    """Print what changes at TARGET, until Ctrl-C.

    A line for each change of the resources URI, and of the lists that are named; of all lists if
    nothing is named.

    With --json each line is a JSON object.
    """
    everything = not (uris or tools or prompts or resources)

    async def job(client: Client, aside: Aside) -> None:
        async with client.subscribe(
            tools=tools or everything,
            prompts=prompts or everything,
            resources=resources or everything,
            uris=uris,
        ) as changes:
            _complain(changes, aside, everything=everything)
            left = count
            async for change in changes:
                _print(change, as_json=way.as_json)
                if left is not None:
                    left -= 1
                    if left <= 0:
                        return

    on_server(way, job, lines=True)


def _complain(changes: Subscription, aside: Aside, *, everything: bool) -> None:
    """Say what the server does not tell about. Raises `NoAnswer` if that is all."""
    told = set(_parts(changes.honoured))
    lacking = [part for part in _parts(changes.wanted) if part not in told]
    if lacking and not told:
        raise NoAnswer(f"the server does not tell of changes of {', '.join(lacking)}")
    if lacking and not everything:
        aside.say(f"(the server does not tell of changes of {', '.join(lacking)})")


def _parts(of: object) -> list[str]:
    """A filter in words."""
    found = {} if of is None else msgspec.to_builtins(of)
    words = [
        word
        for member, word in (
            ("toolsListChanged", "the list of tools"),
            ("promptsListChanged", "the list of prompts"),
            ("resourcesListChanged", "the list of resources"),
        )
        if found.get(member)
    ]
    return words + list(found.get("resourceSubscriptions", ()))


def _print(change: Change, *, as_json: bool) -> None:
    if as_json:
        print_line({"kind": change.kind} | ({} if change.uri is None else {"uri": change.uri}))
    elif change.kind == "resource":
        click.echo(clean(f"{change.uri} changed"))
    else:
        click.echo(f"the list of {change.kind} changed")
