"""`erlmcp-node client TARGET list`, `info` and `ping`; `erlmcp-node inspect` is the first two together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import click
import trio
from msgspec import to_builtins

from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.drawing import draw_lists, draw_server
from erlmcp_py.cli.client.printing import print_json
from erlmcp_py.cli.client.running import NoAnswer, done, on_server
from erlmcp_py.cli.client.targets import is_module
from erlmcp_py.cli.client.way import ToServer, Way, to_server
from erlmcp_py.client import Client
from erlmcp_py.console.render import screen
from erlmcp_py.loading import load_server
from erlmcp_py.protocol.errors import METHOD_NOT_FOUND, McpError
from erlmcp_py.protocol.wire import Json

_KINDS: Final = {
    "tools": ("tools", "tools"),
    "resources": ("resources", "resources"),
    "templates": ("resourceTemplates", "resources"),
    "prompts": ("prompts", "prompts"),
}
"""What can be listed: its member in the answer, and the capability that says that there is such a thing."""


@click.command("list", cls=ToServer)
@to_server
@click.argument("kinds", nargs=-1, type=click.Choice(tuple(_KINDS)))
def list_offer(way: Way, kinds: tuple[str, ...]) -> None:
    """List what the server TARGET offers, or only these kinds.

    With --json everything about each, the schemas among it.
    """

    async def job(client: Client, _aside: Aside) -> Json:
        return await _lists(client, kinds or _offered(client))

    offer = on_server(way, job)
    if way.as_json:
        print_json(offer)
    elif any(offer.values()):
        draw_lists(offer, screen(), apart=False)
    else:
        click.echo("(nothing)")


@click.command(cls=ToServer)
@to_server
def info(way: Way) -> None:
    """Show who the server TARGET is and what it can do.

    The revisions it speaks are among it.
    """

    async def job(client: Client, _aside: Aside) -> Json:
        return _about(client)

    offer = on_server(way, job)
    if way.as_json:
        print_json(offer)
    else:
        draw_server(offer, screen())
        click.echo(f"spoken here: {offer['protocolVersion']} ({offer['era']})")


@click.command(cls=ToServer)
@to_server
def inspect(way: Way) -> None:
    """Show what the server TARGET offers.

    TARGET: a URL, a MODULE:ATTR, which needs no node for it, or the program behind --.

    With --json everything, the schemas among it.
    """

    async def job(client: Client, _aside: Aside) -> Json:
        return _about(client) | await _lists(client, _offered(client))

    offer = on_server(way, job)
    if is_module(way):
        # The protocol has no list of them.
        offer["completions"] = [
            {"ref": ref, "argument": argument}
            for ref, argument in load_server(way.target).completions
        ]
    if way.as_json:
        print_json(offer)
    else:
        draw_server(offer, screen())
        draw_lists(offer, screen(), apart=True)


@click.command(cls=ToServer)
@to_server
def ping(way: Way) -> None:
    """Ask whether the server TARGET answers, and how fast."""

    async def job(client: Client, _aside: Aside) -> float:
        began = trio.current_time()
        await client.ping()
        return trio.current_time() - began

    seconds = on_server(way, job)
    done(way, f"pong after {seconds * 1000:.1f} ms", {"seconds": seconds})


def _about(client: Client) -> Json:
    hello = client.hello
    about: Json = {
        "server": to_builtins(hello.server_info) if hello.server_info else {},
        "era": hello.era,
        "protocolVersion": hello.version,
        "supportedVersions": list(hello.versions),
        "capabilities": to_builtins(hello.capabilities),
    }
    if hello.instructions is not None:
        about["instructions"] = hello.instructions
    return about


def _offered(client: Client) -> Iterable[str]:
    capabilities = client.hello.capabilities
    return [kind for kind, (_, name) in _KINDS.items() if getattr(capabilities, name) is not None]


async def _lists(client: Client, kinds: Iterable[str]) -> Json:
    lists: Any = {
        "tools": client.list_tools,
        "resources": client.list_resources,
        "templates": client.list_resource_templates,
        "prompts": client.list_prompts,
    }
    offer: Json = {}
    for kind in kinds:
        member, capability = _KINDS[kind]
        try:
            offer[member] = to_builtins(await lists[kind]())
        except McpError as error:
            if error.code != METHOD_NOT_FOUND:
                raise
            if getattr(client.hello.capabilities, capability) is None:
                raise NoAnswer(f"the server has no {kind}") from None
            offer[member] = []
    return offer
