"""What stands in the code blocks of a page, and what must come of it.

A page is one server: its `python` blocks, one after the other, are a module named after the page. The
other blocks show it at work:

- `console`: lines with ``$`` are commands, the lines below them all that they print. Answers at a
  prompt are in a comment above the block: ``<!-- types: y, Ada -->``.
- `stdio`: what passes over standard input (→) and output (←), a message each; all blocks of a page are
  one connection.
- `http`: requests and their responses.
- `sse`: a path that is read, what comes as events of the stream (←), first the URI to post to, and what
  is posted there (→).

Of a message a page may leave members out. ``"…"`` stands for any value; ``"…name"`` as well, and where
it is sent, for the value that it stood for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "mcp").glob("*.md"))
KINDS = {"python", "console", "stdio", "http", "sse"}

_FENCE = re.compile(
    r"(?:^<!-- types: (?P<types>[^\n]*) -->\n\n?)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_WILD = re.compile(r"…(\w*)")


@dataclass(frozen=True)
class Block:
    """line: of the page, on which the block's text begins. typed: answers at prompts."""

    kind: str
    text: str
    line: int
    typed: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(
            found["kind"],
            found["text"],
            text.count("\n", 0, found.start("text")) + 1,
            tuple(word.strip() for word in found["types"].split(",")) if found["types"] else (),
        )
        for found in _FENCE.finditer(text)
    ]


def module_name(page: Path) -> str:
    return page.stem.replace("-", "_")


def source(page: Path) -> str:
    """The page's module; every line where it stands on the page."""
    lines: list[str] = []
    for block in blocks(page):
        if block.kind == "python":
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.text.splitlines()
    return "\n".join(lines) + "\n"


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """(command, output) of a `console` block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def messages(block: Block) -> Iterator[tuple[str, Any]]:
    """(arrow, message) of a `stdio` or `sse` block."""
    for part in re.split(r"^(?=[→←])", block.text, flags=re.MULTILINE)[1:]:
        yield part[0], json.loads(part[1:])


@dataclass(frozen=True)
class Exchange:
    """A request and its response: first lines, headers, bodies."""

    request: str
    sent: dict[str, str]
    body: Any
    status: int
    received: dict[str, str]
    answer: list[Any]


def exchanges(block: Block) -> Iterator[Exchange]:
    """The exchanges of an `http` block."""
    starts = r"^(?=(?:POST|GET|DELETE) /|HTTP/1\.1 )"
    parts = re.split(starts, block.text, flags=re.MULTILINE)[1:]
    for request, response in zip(parts[::2], parts[1::2], strict=True):
        first, sent, body = _split(request)
        status, received, answer = _split(response)
        lines = answer.splitlines()
        if "event-stream" in received.get("Content-Type", ""):
            found = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        else:
            found = [json.loads(answer)] if answer.strip() else []
        yield Exchange(
            first, sent, json.loads(body) if body.strip() else None,
            int(status.split(" ")[1]), received, found,
        )  # fmt: skip


def _split(text: str) -> tuple[str, dict[str, str], str]:
    head, _, body = text.partition("\n\n")
    first, *lines = head.splitlines()
    pairs = (line.partition(":") for line in lines)
    return first, {name: value.strip() for name, _, value in pairs}, body


class Memory:
    """What ``"…name"`` has stood for."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def fill(self, value: Any) -> Any:
        """`value` as it is sent."""
        match value:
            case dict():
                return {key: self.fill(part) for key, part in value.items()}
            case list():
                return [self.fill(part) for part in value]
            case str() if found := _WILD.fullmatch(value):
                return self._known[found[1]]
        return value

    def compare(self, shown: Any, came: Any, place: str = "message") -> None:
        """AssertionError with the place where what came is not what the page shows."""
        match shown:
            case dict():
                assert isinstance(came, dict), f"{place}: {came!r}"
                for key, part in shown.items():
                    assert key in came, f"{place} has no {key!r}: {came!r}"
                    self.compare(part, came[key], f"{place}.{key}")
            case list():
                assert isinstance(came, list), f"{place}: {came!r}"
                assert len(came) == len(shown), f"{place}: {came!r}"
                for number, (part, other) in enumerate(zip(shown, came, strict=True)):
                    self.compare(part, other, f"{place}[{number}]")
            case str() if found := _WILD.fullmatch(shown):
                self._known[found[1]] = came
            case _:
                assert came == shown, f"{place}: {came!r} instead of {shown!r}"
