"""`erlmcp-node client TARGET skills`."""

from __future__ import annotations

import sys
from base64 import b64encode

import click
from msgspec import to_builtins

from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.drawing import Row, table
from erlmcp_py.cli.client.printing import print_json
from erlmcp_py.cli.client.running import NoAnswer, on_server
from erlmcp_py.cli.client.way import ToServer, Way, to_server
from erlmcp_py.client import Client
from erlmcp_py.console.draw import clean
from erlmcp_py.console.render import screen
from erlmcp_py.protocol.extensions.skills import Skill


@click.command(cls=ToServer)
@to_server
@click.argument("uri", required=False)
@click.argument("file", required=False)
def skills(way: Way, uri: str | None, file: str | None) -> None:
    """List the skills of TARGET, or show one.

    With the URI of one, its SKILL.md or its FILE, a URI as well. What is shown has the size and the digest that the server's list promises.

    With --json the entry of the skill, or a FILE as text, or as blob in base64.
    """

    async def job(client: Client, _aside: Aside) -> list[Skill] | Skill | bytes:
        if uri is None:
            return await client.skills.list()
        skill = await client.skills.get(uri)
        if way.as_json and file is None:
            return skill
        try:
            return await client.skills.read(skill, file)
        except ValueError as problem:
            raise NoAnswer(str(problem)) from None

    found = on_server(way, job)
    if isinstance(found, bytes) and way.as_json:
        print_json(_content(found))
    elif isinstance(found, bytes):
        terminal = sys.stdout.isatty()  # which would obey escape sequences
        click.echo(clean(found.decode(errors="replace")) if terminal else found, nl=False)
    elif way.as_json:
        print_json(to_builtins(found))
    elif isinstance(found, list):
        screen().print(table("skill", "files", map(_row, found)))


def _content(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"blob": b64encode(data).decode()}


def _row(skill: Skill) -> Row:
    files = "dynamic" if isinstance(skill.resources, str) else str(len(skill.resources))
    return skill.uri, files, str(skill.frontmatter.get("description", ""))
