"""`erlmcp-node call`: call one tool of a server, which need not be running.

Exit codes: 0 the tool's result, 1 the tool failed (`isError`), 2 no result: the command line is wrong,
there is no such server or tool, or the server refused the request.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar, get_args

import click
import trio

from erlmcp_py.cli.calling.arguments import BadArgument, read_arguments
from erlmcp_py.cli.calling.line import Era, Line, NoAnswer, Options, list_all, open_line
from erlmcp_py.cli.calling.person import Terminal
from erlmcp_py.cli.oneshot import fail
from erlmcp_py.config import ConfigError
from erlmcp_py.console.draw import clean
from erlmcp_py.console.render import json_text
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.headers import mirrored_parameters
from erlmcp_py.protocol.lifecycle import LogLevel
from erlmcp_py.protocol.wire import Json

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def line_options(function: F) -> F:
    """The options of every command that talks to a server: `--json`, and how to reach a URL."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON as it came."),
        click.option(
            "--header",
            "headers",
            multiple=True,
            metavar="NAME:VALUE",
            help="Send it with every HTTP request; repeat for more.",
        ),
        click.option(
            "--era",
            type=click.Choice(get_args(Era)),
            default="auto",
            show_default=True,
            help="Revisions to speak with a URL: modern is 2026-07-28, legacy the older ones.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=60.0,
            show_default=True,
            help="Seconds of silence after which a URL is given up.",
        ),
    ):
        function = option(function)
    return function


@click.command()
@click.argument("target", metavar="MODULE:ATTR|URL")
@click.argument("tool")
@click.argument("typed", metavar="[KEY=VALUE | KEY:=JSON]...", nargs=-1)
@click.option(
    "--log-level",
    type=click.Choice(get_args(LogLevel)),
    default="info",
    show_default=True,
    help="Least severe log messages to show.",
)
@line_options
def call(
    target: str,
    tool: str,
    typed: tuple[str, ...],
    log_level: LogLevel,
    as_json: bool,
    headers: tuple[str, ...],
    era: Era,
    timeout: float,
) -> None:
    """Call TOOL of the server MODULE:ATTR, which is started for it, or of the one at URL.

    Progress, log messages and questions are on standard error; questions are declined if standard
    input is no terminal. Exit code 1 if the tool failed, 2 if there is no result.
    """
    options = Options(era=era, timeout=timeout, headers=read_headers(headers), log_level=log_level)

    async def job(line: Line) -> Json:
        found = await _find(line, tool)
        schema = found.get("inputSchema", {})
        arguments = read_arguments(typed, schema)
        try:
            mirrored = mirrored_parameters(schema)
        except ValueError as problem:
            raise NoAnswer(f"tool {tool!r} must not be called: {problem}") from None
        return await line.request("tools/call", {"name": tool, "arguments": arguments}, mirrored)

    result = on_line(target, options, job, as_json=as_json)
    if as_json:
        click.echo(json_text(result))
    elif result.get("isError"):
        for text in _texts(result):
            click.echo(text, err=True)
    else:
        for text in _texts(result):
            click.echo(text)
    raise click.exceptions.Exit(1 if result.get("isError") else 0)


def on_line(
    target: str,
    options: Options,
    job: Callable[[Line], Coroutine[Any, Any, T]],
    *,
    as_json: bool,
) -> T:
    """What `job` returns of a line to the target. Ends the program with 2 when it fails."""

    async def whole() -> T:
        async with open_line(target, Terminal(), options) as line:
            return await job(line)

    try:
        return trio.run(whole)
    except ConfigError as problem:
        fail(2, "no_such_server", str(problem), as_json=as_json)
    except BadArgument as problem:
        fail(2, "bad_argument", str(problem), as_json=as_json)
    except NoAnswer as problem:
        fail(2, "no_answer", str(problem), as_json=as_json)
    except McpError as problem:
        fail(2, "refused", str(problem), as_json=as_json)


def read_headers(given: tuple[str, ...]) -> dict[str, str]:
    """`NAME:VALUE` each. Ends the program with 2 if one is not."""
    headers = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not (name + value).isprintable():
            _usage(f"--header {text}: must be NAME:VALUE")
        headers[name.strip()] = value.strip()
    return headers


async def _find(line: Line, name: str) -> Json:
    tools = await list_all(line, "tools/list", "tools")
    for found in tools:
        if found.get("name") == name:
            return found
    names = [str(found.get("name")) for found in tools]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
    raise NoAnswer(f"the server has no tool {name!r}; {hint}")


def _texts(result: Json) -> list[str]:
    blocks = result.get("content", [])
    if not blocks and "structuredContent" in result:
        return [clean(json_text(result["structuredContent"]))]
    return [clean(_text(block)) for block in blocks]


def _text(block: Json) -> str:
    match block:
        case {"type": "text", "text": text}:
            return str(text)
        case {"type": "image" | "audio" as kind, "data": data}:
            return f"[{kind} {block.get('mimeType')}, {_size(data)} bytes; --json shows them]"
        case {"type": "resource_link", "uri": uri}:
            return f"[link {uri}]"
        case {"type": "resource", "resource": {"uri": uri, "text": text}}:
            return f"[{uri}]\n{text}"
        case {"type": "resource", "resource": {"uri": uri, "blob": blob}}:
            return f"[{uri}, {_size(blob)} bytes; --json shows them]"
    return json_text(block)


def _size(base64: str) -> int:
    return len(base64) * 3 // 4 - base64[-2:].count("=")


def _usage(text: str) -> NoReturn:
    click.echo(f"erlmcp-node: {text}", err=True)
    sys.exit(2)
