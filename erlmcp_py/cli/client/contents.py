"""Content blocks as text: what is no text is described."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from erlmcp_py.console.draw import clean
from erlmcp_py.console.render import json_text
from erlmcp_py.protocol.content import ResourceContents
from erlmcp_py.protocol.prompts import GetPromptResult
from erlmcp_py.protocol.tools import CallToolResult
from erlmcp_py.protocol.wire import Json


def texts_of(result: CallToolResult) -> list[str]:
    """A tool's result; its structure only if there is nothing else."""
    found = to_builtins(result)
    blocks = found["content"]
    if not blocks and "structuredContent" in found:
        return [clean(json_text(found["structuredContent"]))]
    return [text_of(block) for block in blocks]


def messages_of(result: GetPromptResult) -> list[str]:
    """The messages of a prompt, each behind who says it."""
    return [
        f"{message.role}: {text_of(to_builtins(message.content))}" for message in result.messages
    ]


def resource_text(contents: ResourceContents) -> str:
    """The text of a resource; bytes are described."""
    if contents.text is not None:
        return clean(contents.text)
    return clean(f"[{contents.uri}, {_size(contents.blob or '')} bytes; --json shows them]")


def text_of(block: Json) -> str:
    """A block as it is on the wire, as text that is safe for a terminal."""
    return clean(_text(block))


def _text(block: Any) -> str:
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
