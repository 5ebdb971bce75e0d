"""`erlmcp-node client TARGET call`, `prompt`, `read` and `complete`; `erlmcp-node call` is the first."""

from __future__ import annotations

from difflib import get_close_matches

import click

from erlmcp_py.cli.client.arguments import BadArgument, read_arguments
from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.contents import messages_of, resource_text, texts_of
from erlmcp_py.cli.client.printing import print_json
from erlmcp_py.cli.client.running import NoAnswer, done, on_server
from erlmcp_py.cli.client.targets import patience
from erlmcp_py.cli.client.way import ToServer, Way, to_server
from erlmcp_py.client import Client
from erlmcp_py.console.draw import clean
from erlmcp_py.protocol.completion import (
    Completion,
    PromptReference,
    ResourceTemplateReference,
)
from erlmcp_py.protocol.prompts import GetPromptResult
from erlmcp_py.protocol.resources import ReadResourceResult
from erlmcp_py.protocol.tools import CallToolResult, Tool

_PAIRS = "[KEY=VALUE | KEY:=JSON]..."


@click.command(cls=ToServer)
@to_server
@click.argument("tool")
@click.argument("typed", metavar=_PAIRS, nargs=-1)
def call(way: Way, tool: str, typed: tuple[str, ...]) -> None:
    """Call TOOL of the server TARGET.

    TARGET: a URL, a MODULE:ATTR, which is started for it, or the program behind --.

    Progress, log messages and questions are on standard error; questions are declined if standard
    input is no terminal. Exit code 1 if the tool failed, 2 if there is no result.
    """

    async def job(client: Client, aside: Aside) -> CallToolResult:
        found = await find_tool(client, tool)
        arguments = read_arguments(typed, found.input_schema)
        return await client.call_tool(
            tool, arguments, on_progress=aside.progressed, timeout=patience(way)
        )

    show_result(way, on_server(way, job))


def show_result(way: Way, result: CallToolResult) -> None:
    """Print it, and end the program with 1 if the tool failed."""
    if way.as_json:
        print_json(result)
    else:
        for text in texts_of(result):
            click.echo(text, err=bool(result.is_error))
    if result.is_error:
        raise click.exceptions.Exit(1)


async def find_tool(client: Client, name: str) -> Tool:
    """A tool by its name. Raises `NoAnswer` that names the nearest."""
    tools = await client.list_tools()
    for found in tools:
        if found.name == name:
            return found
    raise NoAnswer(f"the server has no tool {name!r}; {_hint(name, [one.name for one in tools])}")


def _hint(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"


@click.command(cls=ToServer)
@to_server
@click.argument("name")
@click.argument("typed", metavar="[KEY=VALUE]...", nargs=-1)
def prompt(way: Way, name: str, typed: tuple[str, ...]) -> None:
    """Show the messages of the prompt NAME."""

    async def job(client: Client, aside: Aside) -> GetPromptResult:
        arguments = _texts(typed)
        return await client.get_prompt(
            name, arguments, on_progress=aside.progressed, timeout=patience(way)
        )

    result = on_server(way, job)
    done(way, "\n".join(messages_of(result)), result)


@click.command(cls=ToServer)
@to_server
@click.argument("uri")
def read(way: Way, uri: str) -> None:
    """Show the resource URI."""

    async def job(client: Client, aside: Aside) -> ReadResourceResult:
        return await client.read_resource(uri, on_progress=aside.progressed, timeout=patience(way))

    result = on_server(way, job)
    done(way, "\n".join(map(resource_text, result.contents)), result)


@click.command(cls=ToServer)
@to_server
@click.argument("of", metavar="PROMPT|TEMPLATE")
@click.argument("argument")
@click.argument("value", default="")
@click.argument("typed", metavar="[KEY=VALUE]...", nargs=-1)
def complete(way: Way, of: str, argument: str, value: str, typed: tuple[str, ...]) -> None:
    """Show how VALUE may go on, as a value of ARGUMENT.

    PROMPT is a name, TEMPLATE a URI template such as file:///{path}; KEY=VALUE are arguments that
    have their values already.
    """

    async def job(client: Client, _aside: Aside) -> Completion:
        context = _texts(typed)
        template = "{" in of or "://" in of
        reference = ResourceTemplateReference(of) if template else PromptReference(of)
        return await client.complete(reference, argument, value, context or None)

    found = on_server(way, job)
    if way.as_json:
        print_json(found)
        return
    for text in found.values:
        click.echo(clean(text))
    if found.has_more or (found.total or 0) > len(found.values):
        total = "" if found.total is None else f" of {found.total}"
        click.echo(f"({len(found.values)}{total}; there are more)", err=True)


def _texts(typed: tuple[str, ...]) -> dict[str, str]:
    arguments = read_arguments(typed, {})
    for key, value in arguments.items():
        if not isinstance(value, str):
            raise BadArgument(f"{key}: must be text; write {key}=VALUE")
    return arguments
