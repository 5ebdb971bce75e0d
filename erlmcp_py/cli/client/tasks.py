"""`erlmcp-node client TARGET tasks`: calls that outlive this program."""

from __future__ import annotations

import click
from msgspec import to_builtins

from erlmcp_py.cli.client.arguments import read_arguments
from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.calling import find_tool, show_result
from erlmcp_py.cli.client.order import TargetFirst
from erlmcp_py.cli.client.running import done, on_server
from erlmcp_py.cli.client.way import ToServer, Way, to_server
from erlmcp_py.client import Client, TaskView
from erlmcp_py.console.draw import clean
from erlmcp_py.protocol.tools import CallToolResult


@click.group(cls=TargetFirst)
def tasks() -> None:
    """Calls that go on without this program."""


@tasks.command(cls=ToServer)
@to_server
@click.argument("tool")
@click.argument("typed", metavar="[KEY=VALUE | KEY:=JSON]...", nargs=-1)
@click.option("--ttl", type=click.FloatRange(min=0), help="Seconds to keep its result.")
def start(way: Way, tool: str, typed: tuple[str, ...], ttl: float | None) -> None:
    """Call TOOL as a task, and print its id.

    Of a server that answers at once the result is printed.
    """

    async def job(client: Client, _aside: Aside) -> str | CallToolResult:
        found = await find_tool(client, tool)
        task = await client.tasks.start(tool, read_arguments(typed, found.input_schema), ttl=ttl)
        return await task.result() if task.id is None else task.id

    started = on_server(way, job, tasks=True)
    if isinstance(started, str):
        done(way, clean(started), {"task": started})
    else:
        show_result(way, started)


@tasks.command(cls=ToServer)
@to_server
@click.argument("id")
def get(way: Way, id: str) -> None:
    """Show where the task ID stands."""

    async def job(client: Client, _aside: Aside) -> TaskView:
        return await client.tasks.resume(id).status()

    view = on_server(way, job, tasks=True)
    done(way, _drawn(view), to_builtins(view))


@tasks.command(cls=ToServer)
@to_server
@click.argument("id")
def resume(way: Way, id: str) -> None:
    """Wait for the task ID, answer what it asks, and show its result."""

    async def job(client: Client, _aside: Aside) -> CallToolResult:
        return await client.tasks.resume(id).result()

    show_result(way, on_server(way, job, tasks=True))


@tasks.command(cls=ToServer)
@to_server
@click.argument("id")
def cancel(way: Way, id: str) -> None:
    """Ask the server to end the task ID."""

    async def job(client: Client, _aside: Aside) -> None:
        await client.tasks.resume(id).cancel()

    on_server(way, job, tasks=True)
    done(way, f"asked for the end of {clean(id)}", {"cancelled": id})


def _drawn(view: TaskView) -> str:
    lines = [f"{view.status}" + (f": {view.message}" if view.message else "")]
    lines.append(f"since {view.created_at}")
    lines += [f"asks {question}" for question in view.questions or ()]
    if view.error is not None:
        lines.append(f"error {view.error.code}: {view.error.message}")
    return clean("\n".join(lines))
