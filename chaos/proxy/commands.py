"""``erlmcp-node chaos proxy ...``: fault proxies from the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from chaos.proxy.node_commands import PARAMETERS
from chaos.proxy.toxics import KINDS
from erlmcp_py.cli.oneshot import ask, node_options
from erlmcp_py.console import render
from erlmcp_py.console.draw import clean

_TYPES = {"int": int, "float": float}


@click.group()
def proxy() -> None:
    """TCP proxies that spoil what passes."""


@proxy.command()
@click.argument("proxy")
@click.option(
    "--upstream",
    required=True,
    metavar="ADDRESS",
    help="HOST:PORT or unix:/PATH that it forwards to.",
)
@click.option(
    "--listen",
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    help="Where it listens; port 0 takes any.",
)
@click.option("--seed", type=int, default=0, help="What is left to chance follows from it.")
@node_options
def start(name: str, as_json: bool, proxy: str, upstream: str, listen: str, seed: int) -> None:
    """Start a proxy and call it PROXY."""
    args = {"name": proxy, "upstream": upstream, "listen": listen, "seed": seed}
    ask(name, "chaos.proxy.start", args, as_json=as_json, patience=25.0)


@proxy.command("list")
@node_options
def list_(name: str, as_json: bool) -> None:
    """Show all proxies, their toxics and counts."""
    ask(name, "chaos.proxy.list", as_json=as_json)


def _parameters(function: Callable[..., None]) -> Callable[..., None]:
    for field, (type, help) in reversed(list(PARAMETERS.items())):
        text = help[0].upper() + help[1:] + "."
        function = click.option(f"--{field}", type=_TYPES[type], help=text)(function)
    return function


@proxy.command("set")
@click.argument("proxy")
@click.argument("toxic", metavar="TOXIC", type=click.Choice(list(KINDS)))
@click.option(
    "--direction",
    type=click.Choice(["upstream", "downstream", "both"]),
    help="What the client sends, what it gets, or both.  [default: both]",
)
@_parameters
@click.option("--as", "as_", help="What to call it; its kind if not given.")
@node_options
def set_(name: str, as_json: bool, proxy: str, toxic: str, as_: str | None, **given: Any) -> None:
    """Have PROXY spoil what passes by TOXIC.

    From now on, and on open connections too.

    What is not given is as docs/fault-proxy.md says.
    """
    args = {"name": proxy, "toxic": toxic, "as": as_, **given}
    ask(name, "chaos.proxy.set", args, as_json=as_json)


@proxy.command()
@click.argument("proxy")
@click.argument("toxic", required=False)
@node_options
def remove(name: str, as_json: bool, proxy: str, toxic: str | None) -> None:
    """Take TOXIC away from PROXY, or all its toxics."""
    ask(name, "chaos.proxy.remove", {"name": proxy, "toxic": toxic}, as_json=as_json)


@proxy.command()
@click.argument("proxy")
@node_options
def stop(name: str, as_json: bool, proxy: str) -> None:
    """Stop PROXY and close its connections."""
    ask(name, "chaos.proxy.stop", {"name": proxy}, as_json=as_json)


@render.drawing("chaos.proxy.list")
def draw_list(proxies: list[Mapping[str, Any]]) -> RenderableType:
    """Each with its toxics, or that there are none."""
    if not proxies:
        return Text("no proxies")
    return Group(*(draw(each) for each in proxies))


@render.drawing("chaos.proxy.start")
@render.drawing("chaos.proxy.set")
@render.drawing("chaos.proxy.remove")
def draw(found: Mapping[str, Any]) -> RenderableType:
    """Where it stands, what it does, and what it has done."""
    head = f"{found['name']}  {found['listen']} -> {found['upstream']}  seed {found['seed']}"
    counts = "  ".join(
        f"{name} {found[name]}"
        for name in (
            "open",
            "accepted",
            "refused",
            "unreachable",
            "resets",
            "closes",
            "bytes_upstream",
            "bytes_downstream",
            "held",
            "stalled",
            "corrupted",
        )
    )
    lines: list[RenderableType] = [Text(clean(head), style="bold")]
    for name, each in found["toxics"].items():
        told = {field: value for field, value in each.items() if field != "type"}
        text = "  ".join(f"{field} {value}" for field, value in told.items())
        called = each["type"] if name == each["type"] else f"{name} ({each['type']})"
        lines.append(Text(clean(f"  {called}  {text}"), style="yellow"))
    lines.append(Text(f"  {counts}", style="dim"))
    return Group(*lines)
