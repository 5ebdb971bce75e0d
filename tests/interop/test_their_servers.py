"""Our client and servers that others have written, in every way each of them can be reached.

The official SDKs for Python and TypeScript (both major versions of the latter) and FastMCP: over HTTP
and stdio in every era they speak, and over HTTP+SSE where they still do.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from erlmcp_py.client import Client, RequestTimeout
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.types import TextContent

from .driving import ERAS, PATIENCE, Way, server_program

pytestmark = pytest.mark.interop

WAYS = [
    Way(server, transport, era)
    for server, eras in ERAS.items()
    for transport in ("http", "stdio")
    for era in eras
]
WAYS += [Way(server, "sse", "legacy") for server in ("official", "typescript_1")]
ways = pytest.mark.parametrize("way", WAYS, ids=str)


class Running:
    """The servers that listen, each started when it is first wanted."""

    def __init__(self) -> None:
        self.urls: dict[tuple[str, str], str] = {}
        self.processes: list[subprocess.Popen[bytes]] = []

    def url(self, server: str, kind: str) -> str:
        if (server, kind) not in self.urls:
            self.urls[server, kind] = self._start(server, kind)
        return self.urls[server, kind]

    def _start(self, server: str, kind: str) -> str:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
        command, env = server_program(server, kind, str(port))
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.processes.append(process)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return f"http://127.0.0.1:{port}/{'sse' if kind == 'sse' else 'mcp'}"
            except ConnectionRefusedError:
                assert process.poll() is None, f"{server} did not start"
                assert time.monotonic() < until, f"{server} does not listen"
                time.sleep(0.05)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    servers = Running()
    yield servers
    for process in servers.processes:
        process.kill()
        process.wait()


def client_of(running: Running, way: Way, **options: Any) -> Client:
    """Told to speak legacy only where the server could do otherwise: else that is to be found out."""
    mode: Any = "legacy" if way.era == "legacy" and "modern" in ERAS[way.client] else "auto"
    if way.transport == "stdio":
        command, env = server_program(way.client, "stdio")
        return Client.stdio(*command, env=env, mode=mode, **options)
    return Client(running.url(way.client, way.transport), mode=mode, **options)


def text_of(result: Any) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


@ways
async def test_everything(running: Running, way: Way) -> None:
    progress: list[Any] = []
    async with client_of(running, way) as client:
        assert client.hello.era == way.era
        assert client.hello.instructions == "Try it."
        assert "echo" in [tool.name for tool in await client.list_tools()]
        assert text_of(await client.call_tool("echo", {"text": "hä"})) == "hä"
        weather = await client.call_tool("weather", {"city": "Oslo"})
        assert weather.structured_content == {"city": "Oslo", "degrees": 21.5}
        result = await client.call_tool("steps", {"count": 3}, on_progress=progress.append)
        assert text_of(result) == "3 steps"
        assert [one.progress for one in progress] == [1, 2, 3]
        (card,) = (await client.read_resource("theirs://card")).contents
        assert card.text == "card"
        assert (await client.get_prompt("trip", {"city": "Rome"})).messages
        with pytest.raises(RequestTimeout):
            await client.call_tool("hang", timeout=0.2)
        await client.ping()


@ways
async def test_questions(running: Running, way: Way) -> None:
    rounds = way.era == "modern" and not way.client.startswith("typescript")
    tool = "greet_in_rounds" if rounds else "greet"
    answers = iter([{"name": "Ada"}, None])
    async with client_of(running, way, elicit=lambda _: next(answers)) as client:
        assert text_of(await client.call_tool(tool)) == "Hello, Ada!"
        assert text_of(await client.call_tool(tool)) == "decline"


@ways
async def test_changes(running: Running, way: Way) -> None:
    async with client_of(running, way) as client:
        if way.client == "fast_mcp" and way.era == "modern":
            with pytest.raises(
                McpError, match="Method not found"
            ):  # it has no subscriptions/listen
                async with client.subscribe(tools=True):
                    pass
            return
        async with client.subscribe(tools=True) as changes:
            with trio.fail_after(PATIENCE):
                await client.call_tool("touch")
                assert (await anext(changes)).kind == "tools"
