"""`erlmcp-node client TARGET skills`."""

from __future__ import annotations

import sys

import click
from msgspec import to_builtins

from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.drawing import Row, table
from erlmcp_py.cli.client.running import NoAnswer, on_server
from erlmcp_py.cli.client.way import ToServer, Way, to_server
from erlmcp_py.client import Client
from erlmcp_py.console.draw import clean
from erlmcp_py.console.render import json_text, screen
from erlmcp_py.protocol.extensions.skills import Skill


@click.command(cls=ToServer)
@to_server
@click.argument("uri", required=False)
@click.argument("file", required=False)
def skills(way: Way, uri: str | None, file: str | None) -> None:
    """List the skills of TARGET, or show one.

    With the URI of one, its SKILL.md or its FILE, a URI as well. What is shown has the size and the digest that the server's list promises.

    With --json the entry of the skill.
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
    if isinstance(found, bytes):
        terminal = sys.stdout.isatty()  # which would obey escape sequences
        click.echo(clean(found.decode(errors="replace")) if terminal else found, nl=False)
    elif way.as_json:
        click.echo(json_text(to_builtins(found)))
    elif isinstance(found, list):
        screen().print(table("skill", "files", map(_row, found)))


def _row(skill: Skill) -> Row:
    files = "dynamic" if isinstance(skill.resources, str) else str(len(skill.resources))
    return skill.uri, files, str(skill.frontmatter.get("description", ""))
