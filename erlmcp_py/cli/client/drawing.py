"""What a server offers, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from rich.console import Console as Screen
from rich.table import Table
from rich.text import Text

from erlmcp_py.cli.client.arguments import kinds_of, part_of
from erlmcp_py.console.draw import clean
from erlmcp_py.protocol.wire import Json

Row = tuple[str, str, str]


def draw_server(offer: Json, screen: Screen) -> None:
    """Who it is and what it can do."""
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


def draw_lists(offer: Json, screen: Screen, *, apart: bool) -> None:
    """A table for each list that is not empty. apart: also before the first is an empty line."""
    completions = offer.get("completions", ())
    tables = [
        table("tool", "arguments", map(_tool, offer.get("tools", ()))),
        table("resource", "kind", map(_resource, offer.get("resources", ()))),
        table("template", "kind", map(_resource, offer.get("resourceTemplates", ()))),
        table("prompt", "arguments", map(_prompt, offer.get("prompts", ()))),
        table("completed", "argument", ((c["ref"], c["argument"], "") for c in completions)),
    ]
    for drawn in tables:
        if drawn.row_count:
            if apart:
                screen.print()
            screen.print(drawn)
            apart = True


def table(name: str, second: str, rows: Iterable[Row]) -> Table:
    """Name, facts, description."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    made.add_column(name, no_wrap=True)
    made.add_column(second, overflow="fold")
    made.add_column("", overflow="fold")
    for row in rows:
        made.add_row(*map(clean, row))
    return made


def _capability(item: tuple[str, Any]) -> str:
    name, about = item
    parts = [part for part, value in about.items() if value not in (None, False)]
    return f"{name} ({', '.join(parts)})" if parts else name


def _tool(tool: Json) -> Row:
    schema = tool.get("inputSchema", {})
    required = part_of(schema, "required")
    required = required if isinstance(required, list) else []
    properties = part_of(schema, "properties")
    lines = [
        f"{name}{'' if name in required else '?'}: {type_text(part, schema)}{_default(part)}"
        for name, part in (properties if isinstance(properties, dict) else {}).items()
    ]
    output = tool.get("outputSchema")
    if output is not None:
        lines.append(f"-> {type_text(output, output)}")
    return tool["name"], "\n".join(lines), _about(tool)


def _resource(resource: Json) -> Row:
    uri = resource.get("uri") or resource.get("uriTemplate", "")
    size = resource.get("size")
    kind = resource.get("mimeType", "")
    return uri, f"{kind}, {size} bytes" if size is not None else kind, _about(resource)


def _prompt(prompt: Json) -> Row:
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
        target = part_of(root, "$defs", name)
        simple = part_of(target, "enum") is not None or "object" not in kinds_of(target, root)
        return type_text(target, root, depth - 1) if simple else str(target.get("title", name))
    if isinstance(schema.get("enum"), list):
        return " | ".join(msgspec.json.encode(value).decode() for value in schema["enum"])
    if "const" in schema:
        return msgspec.json.encode(schema["const"]).decode()
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            return " | ".join(type_text(part, root, depth - 1) for part in schema[word])
    kinds = sorted(kinds_of(schema, root))
    if kinds == ["array"]:
        return f"list of {type_text(schema.get('items'), root, depth - 1)}"
    if kinds == ["object"]:
        return str(schema.get("title", "object"))
    return " | ".join(kinds) or "any"
