"""`erlmcp-node inspect`: what a server offers, as its clients are told.

Exit codes: 0 it was shown, 2 there is no such server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import click
import msgspec
from rich.console import Console as Screen
from rich.table import Table
from rich.text import Text

from erlmcp_py.cli.calling.arguments import kinds_of
from erlmcp_py.cli.calling.command import line_options, on_line, read_headers
from erlmcp_py.cli.calling.line import Era, Line, Options, is_url, list_all
from erlmcp_py.console import render
from erlmcp_py.console.draw import clean
from erlmcp_py.loading import load_server
from erlmcp_py.protocol.meta import SERVER_INFO
from erlmcp_py.protocol.wire import Json

_LISTS: Final = {
    "tools": "tools/list",
    "resources": "resources/list",
    "resourceTemplates": "resources/templates/list",
    "prompts": "prompts/list",
}


@click.command()
@click.argument("target", metavar="MODULE:ATTR|URL")
@line_options
def inspect(target: str, as_json: bool, headers: tuple[str, ...], era: Era, timeout: float) -> None:
    """Show what the server MODULE:ATTR offers, without running a node, or the one at URL.

    With --json everything, the schemas among it.
    """
    options = Options(era=era, timeout=timeout, headers=read_headers(headers))
    offer = on_line(target, options, _read, as_json=as_json)
    if not is_url(target):
        # The protocol has no list of them.
        offer["completions"] = [
            {"ref": ref, "argument": argument} for ref, argument in load_server(target).completions
        ]
    if as_json:
        click.echo(render.json_text(offer))
    else:
        _draw(offer, render.screen())


async def _read(line: Line) -> Json:
    hello = line.hello
    identity = hello.get("serverInfo") or hello.get("_meta", {}).get(SERVER_INFO, {})
    capabilities = hello.get("capabilities", {})
    offer: Json = {
        "server": identity,
        "protocolVersion": line.version,
        "supportedVersions": hello.get("supportedVersions", [line.version]),
        "capabilities": capabilities,
    }
    if "instructions" in hello:
        offer["instructions"] = hello["instructions"]
    for member, method in _LISTS.items():
        if method.partition("/")[0] in capabilities:
            offer[member] = await list_all(line, method, member)
    return offer


def _draw(offer: Json, screen: Screen) -> None:
    server = offer["server"]
    title = server.get("title")
    name = f"{server.get('name')} {server.get('version')}"
    screen.print(Text(clean(f"{title} ({name})" if title else name), style="bold"))
    for text in (server.get("description"), offer.get("instructions")):
        if text:
            screen.print(clean(text))
    capabilities = dict(offer["capabilities"])
    extensions = capabilities.pop("extensions", {})
    screen.print(clean(f"revisions: {', '.join(offer['supportedVersions'])}"))
    screen.print(clean(f"capabilities: {', '.join(map(_capability, capabilities.items()))}"))
    if extensions:
        screen.print(clean(f"extensions: {', '.join(extensions)}"))
    _table(screen, "tool", "arguments", map(_tool, offer.get("tools", ())))
    _table(screen, "resource", "kind", map(_resource, offer.get("resources", ())))
    _table(screen, "template", "kind", map(_resource, offer.get("resourceTemplates", ())))
    _table(screen, "prompt", "arguments", map(_prompt, offer.get("prompts", ())))
    completions = offer.get("completions", ())
    _table(screen, "completed", "argument", ((c["ref"], c["argument"], "") for c in completions))


def _table(screen: Screen, name: str, second: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """Name, facts, description; nothing if there are no rows."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(name, no_wrap=True)
    table.add_column(second, overflow="fold")
    table.add_column("", overflow="fold")
    for row in rows:
        table.add_row(*map(clean, row))
    if table.row_count:
        screen.print()
        screen.print(table)


def _capability(item: tuple[str, Any]) -> str:
    name, about = item
    parts = [part for part, value in about.items() if value not in (None, False)]
    return f"{name} ({', '.join(parts)})" if parts else name


def _tool(tool: Json) -> tuple[str, str, str]:
    schema = tool.get("inputSchema", {})
    required = set(schema.get("required", ()))
    lines = [
        f"{name}{'' if name in required else '?'}: {type_text(part, schema)}{_default(part)}"
        for name, part in schema.get("properties", {}).items()
    ]
    output = tool.get("outputSchema")
    if output is not None:
        lines.append(f"-> {type_text(output, output)}")
    return tool["name"], "\n".join(lines), _about(tool)


def _resource(resource: Json) -> tuple[str, str, str]:
    uri = resource.get("uri") or resource.get("uriTemplate", "")
    size = resource.get("size")
    kind = resource.get("mimeType", "")
    return uri, f"{kind}, {size} bytes" if size is not None else kind, _about(resource)


def _prompt(prompt: Json) -> tuple[str, str, str]:
    arguments = [
        f"{argument['name']}{'' if argument.get('required') else '?'}"
        for argument in prompt.get("arguments", ())
    ]
    return prompt["name"], "\n".join(arguments), _about(prompt)


def _about(thing: Mapping[str, Any]) -> str:
    """The first paragraph of a description."""
    text = thing.get("description") or thing.get("title") or ""
    return " ".join(str(text).partition("\n\n")[0].split())


def _default(schema: Any) -> str:
    if not isinstance(schema, dict) or "default" not in schema:
        return ""
    return f" = {msgspec.json.encode(schema['default']).decode()}"


def type_text(schema: Any, root: Json, depth: int = 4) -> str:
    """What a schema allows, in a few words: ``string``, ``list of integer``, ``"a" | "b"``."""
    if not isinstance(schema, dict) or depth == 0:
        return "any"
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        name = reference.removeprefix("#/$defs/")
        target = root.get("$defs", {}).get(name, {})
        simple = "enum" in target or "object" not in kinds_of(target, root)
        return type_text(target, root, depth - 1) if simple else str(target.get("title", name))
    if "enum" in schema:
        return " | ".join(msgspec.json.encode(value).decode() for value in schema["enum"])
    if "const" in schema:
        return msgspec.json.encode(schema["const"]).decode()
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(type_text(part, root, depth - 1) for part in schema[word])
    kinds = sorted(kinds_of(schema, root))
    if kinds == ["array"]:
        return f"list of {type_text(schema.get('items'), root, depth - 1)}"
    if kinds == ["object"]:
        return str(schema.get("title", "object"))
    return " | ".join(kinds) or "any"
