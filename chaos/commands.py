"""``erlmcp-node chaos ...``: the commands of chaos (entry-point group ``erlmcp.commands``)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from chaos.proxy.commands import proxy
from chaos.report import LONGEST
from erlmcp_py.cli.oneshot import fail, node_options
from erlmcp_py.console import render
from erlmcp_py.console.client import PATIENCE, Client, CommandFailed, NodeGone, NoSuchNode
from erlmcp_py.console.draw import clean

_RETRY = 0.1


@click.group("chaos")
def commands() -> None:
    """Break a running node on purpose."""


commands.add_command(proxy)


@commands.command()
@click.argument("target")
@click.option(
    "--reason",
    default="kill",
    show_default=True,
    help="Exit reason to send; to a program a signal: kill, stop, term, …",
)
@click.option(
    "--within",
    type=click.FloatRange(0.1, LONGEST),
    help="Seconds the tree gets to be whole again.  [default: 10, for a program 30 and its pings]",
)
@node_options
def kill(name: str, as_json: bool, target: str, reason: str, within: float | None) -> None:
    """Kill TARGET, and report what went down with it and what came back.

    TARGET: a process of the node, or program:NAME, the program of an upstream.

    Exit code 0 only if it died and the tree is whole again.
    """
    args = {"target": target, "reason": reason, "within": within, "id": uuid.uuid4().hex[:8]}
    try:
        report = _experiment(name, args)
    except NoSuchNode as error:
        fail(2, "no_such_node", str(error), as_json=as_json)
    except NodeGone as error:
        fail(1, "node_gone", str(error), as_json=as_json)
    except CommandFailed as error:
        fail(1, error.code, error.message, as_json=as_json)
    render.show(render.screen(), "chaos.kill", report, as_json=as_json)
    if not report["whole"]:
        raise click.exceptions.Exit(1)


@render.drawing("chaos.kill")
@render.drawing("chaos.report")
def draw(report: Mapping[str, Any]) -> RenderableType:
    """A report for people: what ended, what came back, the verdict last."""
    victim = f"{report['process']} {report['pid']}"
    parts: list[RenderableType] = [
        Text(clean(f"sent {report['reason']} to {victim}")),
        Text(_counted(report["ended_total"], "process", "es", "ended"), style="bold"),
    ]
    if report["ended"]:
        parts.append(render.by_shape(report["ended"]))
    parts.append(Text(_counted(report["restarted_total"], "place", "s", "restarted"), style="bold"))
    if report["restarted"]:
        parts.append(render.by_shape(report["restarted"]))
    parts.append(
        Text(_counted(report["kept_total"], "place", "s", "kept their process"), style="bold")
    )
    parts += [Text(clean(f"note: {remark}"), style="yellow") for remark in report["remarks"]]
    if report["missing"]:
        parts.append(Text("missing", style="bold red"))
        parts.append(render.by_shape(report["missing"]))
    if report["recovery"]:
        parts.append(Text(clean(_recovered(report["recovery"])), style="bold"))
    if report["whole"]:
        took = f"{report['whole_after_ms']:.1f} ms"
        parts.append(Text(f"the tree was whole again after {took}", style="green"))
    elif report["died"]:
        parts.append(Text("the tree is NOT whole", style="bold red"))
    else:
        parts.append(Text("nothing was killed", style="bold red"))
    return Group(*parts)


def _recovered(found: Mapping[str, Any]) -> str:
    if found["noticed_ms"] is None:
        return f"{found['upstream']} was up all the time"
    noticed = f"{found['upstream']}: noticed after {found['noticed_ms']:.1f} ms"
    ended = f", pid {found['was']} {found['ended']}" if found["ended"] else ""
    back = (
        f"up again after {found['up_ms']:.1f} ms, pid {found['pid']}"
        if found["up_ms"] is not None
        else f"NOT up again: {found['reason'] or 'it has not answered yet'}"
    )
    return f"{noticed}{ended}; {back}; {_counted(found['lost'], 'call', 's', 'lost')}"


def _counted(count: int, noun: str, plural: str, verb: str) -> str:
    return f"{count} {noun}{'' if count == 1 else plural} {verb}"


def _experiment(name: str, args: dict[str, Any]) -> Any:
    """The report, also when the experiment took this client's connection down with it."""
    patience = (args["within"] or LONGEST) + PATIENCE
    with Client.connect(name) as client:
        try:
            return client.request("chaos.kill", args, patience=patience)
        except NodeGone as gone:
            lost = gone
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            with Client.connect(name) as client:
                return client.request("chaos.report", {"id": args["id"]})
        except (NoSuchNode, NodeGone, CommandFailed):
            time.sleep(_RETRY)
    raise lost
