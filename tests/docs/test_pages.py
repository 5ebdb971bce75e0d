"""Everything that the pages about MCP show happens as they show it."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner

from erlmcp_py.cli import cli
from erlmcp_py.server import Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec as http_spec
from erlmcp_py.transports.stdio import Channel, StdioOptions, child_spec
from tests.erlmcp_py.cli.calls import sit_down
from tests.erlmcp_py.transports.http.client import Sse, connect, http
from tests.erlmcp_py.transports.node import node
from tests.erlmcp_py.transports.stdio.client import Pipes

from .pages import (
    KINDS,
    PAGES,
    ROOT,
    Memory,
    blocks,
    commands,
    exchanges,
    messages,
    module_name,
    source,
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.fixture
def module(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page's module in the current directory; its name."""
    name = module_name(page)
    (tmp_path / f"{name}.py").write_text(source(page))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def server_of(module: str) -> Server:
    found = importlib.import_module(module).server
    assert isinstance(found, Server)
    return found


@every_page
def test_every_block_is_one_that_is_run(page: Path) -> None:
    found = blocks(page)
    assert {block.kind for block in found} <= KINDS | {"text"}, "text is a drawing"
    assert page.read_text("utf-8").count("\n```") == 2 * len(found)
    assert any(block.kind != "python" for block in found), "a page shows its server at work"


@every_page
def test_the_commands_print_what_the_page_says(
    page: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_of(module)
    for block in blocks(page):
        if block.kind != "console":
            continue
        sit_down(monkeypatch, there=bool(block.typed))
        typed = "".join(f"{word}\n" for word in block.typed)
        for command, output in commands(block):
            program, *words = shlex.split(command)
            assert program == "erlmcp-node"
            result = CliRunner().invoke(cli, words, input=typed, catch_exceptions=False)
            assert plain(result.output) == plain(output), f"line {block.line}: {command}"


def plain(text: str) -> list[str]:
    """Lines without what stands behind them: tables are padded."""
    return [line.rstrip() for line in text.strip().splitlines()]


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Pipes]:
    """The server on pipes and on a port."""
    server_in, client_out = os.pipe()
    client_in, server_out = os.pipe()
    pipes = Pipes(client_out, client_in)
    try:
        specs = [
            child_spec(StdioOptions(), Channel(server_in, server_out, 1 << 20)),
            http_spec(ListenerConfig(port=0)),
        ]
        async with node({server.name: server}, *specs):
            yield pipes
    finally:
        os.close(server_in)
        os.close(server_out)
        await pipes.input.aclose()
        await pipes.output.aclose()


@every_page
async def test_the_messages_are_those_of_the_page(page: Path, module: str) -> None:
    memory = Memory()
    shown = [block for block in blocks(page) if block.kind in ("stdio", "http", "sse")]
    if not shown:
        return
    with trio.fail_after(30):
        async with serving(server_of(module)) as pipes:
            for block in shown:
                if block.kind == "stdio":
                    await _talk(pipes, block, memory)
                elif block.kind == "sse":
                    await _post_and_read(block, memory)
                else:
                    await _exchange(block, memory)


async def _talk(pipes: Pipes, block: Any, memory: Memory) -> None:
    for arrow, message in messages(block):
        if arrow == "→":
            await pipes.send(memory.fill(message))
        else:
            place = f"line {block.line}: {message}"
            try:
                came = await pipes.receive()
            except trio.TooSlowError:
                pytest.fail(f"{place} does not come")
            memory.compare(message, came, place)


async def _post_and_read(block: Any, memory: Memory) -> None:
    path = block.text.split()[1]
    (_, uri), *rest = messages(block)
    async with connect() as reader, connect() as poster:
        session = await Sse(reader, poster).open(path)
        assert session.uri.startswith(uri.removesuffix("…")), f"line {block.line}: {session.uri}"
        for arrow, message in rest:
            if arrow == "→":
                await session.say(memory.fill(message))
            else:
                memory.compare(message, await session.message(), f"line {block.line}: {message}")


async def _exchange(block: Any, memory: Memory) -> None:
    for shown in exchanges(block):
        method, path, _ = shown.request.split(" ")
        async with connect() as client:
            body = b"" if shown.body is None else memory.fill(shown.body)
            await client.send(http(method, path, body, memory.fill(shown.sent)))
            answer = await client.answer()
        place = f"line {block.line}: {shown.request}"
        assert answer.status == shown.status, f"{place}: {answer.body!r}"
        headers = {name.lower(): value for name, value in shown.received.items()}
        memory.compare(headers, answer.headers, place)
        streamed = "event-stream" in answer.headers.get("content-type", "")
        came = answer.events if streamed else [answer.json] if answer.body else []
        if shown.answer:  # a page may leave a body out
            memory.compare(shown.answer, came, place)


def test_the_table_of_features_leads_somewhere() -> None:
    """Every feature has a place on a page, and every other thing it names exists."""
    table = ROOT / "docs" / "features.md"
    rows = re.findall(r"^\| \d+ \|(.*)\|$", table.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 48
    for row in rows:
        for target in re.findall(r"\]\(([^)]+)\)", row):
            path, _, anchor = target.partition("#")
            text = (table.parent / path).read_text("utf-8")
            assert not anchor or anchor in anchors(text), target
        for path in re.findall(r"`((?:tests|examples)/[\w/.]+)", row):
            assert (ROOT / path).exists(), path


def anchors(text: str) -> set[str]:
    """The sections of a page as a link names them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)  # no comments of code
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}
