"""An upstream over HTTP that takes connections and never answers is told from one that refuses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from erlmcp_py.client import Client, ClientError
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import instance, overview
from erlmcp_py.protocol.errors import McpError
from supervisors import Backoff

from .test_failure_log import log_with
from .upstreams import gateway, said

RESULTS: dict[str, Any] = {
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
    "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]},
    "tools/call": {"content": [{"type": "text", "text": "here"}]},
}
"""Of a server that knows 2026-07-28 and nothing else."""


class Server:
    """At an address, stopped now and then: what it was sent meanwhile it does afterwards. asked: methods."""

    def __init__(self) -> None:
        self.runs = trio.Event()
        self.asked: list[str] = []

    def freezes(self) -> None:
        self.runs = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        heard = b""
        async with stream:
            while True:
                head, found, rest = heard.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                size = int(length[1]) if length else 0
                if found and len(rest) >= size:
                    heard = rest[size:]
                    await self.answer(stream, rest[:size])
                    continue
                try:
                    more = await stream.receive_some()
                except trio.BrokenResourceError:
                    return
                if not more:
                    return
                heard += more

    async def answer(self, stream: trio.SocketStream, body: bytes) -> None:
        asked = json.loads(body or b"{}")
        method = asked.get("method", "GET")
        self.asked.append(method)
        await self.runs.wait()
        status, told = "200 OK", {"jsonrpc": "2.0", "id": asked.get("id")}
        if method in RESULTS:
            told["result"] = {"resultType": "complete", **RESULTS[method]}
        else:
            status = "404 Not Found"
            told["error"] = {"code": -32601, "message": f"Method not found: {method}"}
        text = json.dumps(told).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
        try:
            await stream.send_all(head.encode() + b"\r\n\r\n" + text)
        except trio.BrokenResourceError:
            return  # nobody waits any more


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are made again without a pause worth waiting for."""
    monkeypatch.setattr(instance, "PAUSE", Backoff(first=0.01, factor=1.0, jitter=0.0))


@asynccontextmanager
async def server() -> AsyncIterator[tuple[Server, str]]:
    """And its address."""
    made = Server()
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, made.serve, [listener])
        yield made, f"http://127.0.0.1:{listener.socket.getsockname()[1]}/mcp"
        nursery.cancel_scope.cancel()


async def row() -> overview.UpstreamRow:
    (found,) = await overview.rows((await overview.served()).values(), time.time())
    return found


async def refusal(client: Client, tool: str = "echo") -> str:
    with pytest.raises((McpError, ClientError)) as refused:
        await client.call_tool(tool)
    return str(refused.value)


async def test_frozen_from_the_start_it_is_said_to_operators_and_callers(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with server() as (_, url):
        frozen = UpstreamConfig(url=url, timeout=0.2, restarts=0)
        async with gateway({"web": frozen}, log="warning") as node, node.at() as client:
            told = await refusal(client, "web_echo")
            assert re.search(r"'web' is (starting|down) since .*: no answer .*within 0\.2 s", told)
            silent = "no answer to initialize within 0.2 s, nor to server/discover"
            lines = await log_with(silent, capfd)
            with trio.fail_after(20):
                while (await row()).reason != silent:
                    await trio.sleep(0.01)
            assert silent in await refusal(client, "web_echo")
            assert "Method not found" not in "".join(lines)


async def test_one_that_freezes_is_not_taken_for_an_older_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with server() as (web, url):
        web.runs.set()
        config = UpstreamConfig(
            url=url, timeout=0.3, ping_interval=3600.0, ping_timeout=0.2, restarts=0
        )
        async with gateway({"web": config}, log="warning") as node, node.at("web") as client:
            assert said(await client.call_tool("echo")) == "here"
            web.freezes()
            assert "upstream 'web': tools/call: no answer within 0.3 s" in await refusal(client)
            silent = "no answer to server/discover within 0.3 s"
            lines = await log_with(silent, capfd)
            assert any("no answer to a ping within 0.2 s" in line for line in lines)
            with trio.fail_after(20):
                while (await row()).reason != silent:
                    await trio.sleep(0.01)
            assert "'web' is down since" in (told := await refusal(client))
            assert silent in told
            assert "initialize" not in web.asked
            web.runs.set()
            with trio.fail_after(20):
                while (await row()).state != "up":
                    await trio.sleep(0.01)
            assert said(await client.call_tool("echo")) == "here"


async def test_one_that_is_late_with_its_first_answer_is_there_at_once() -> None:
    async with server() as (web, url):
        async with gateway({"web": UpstreamConfig(url=url, timeout=0.3)}):
            with trio.fail_after(20):
                while "initialize" not in web.asked:
                    await trio.sleep(0.01)
                web.runs.set()
                while (now := await row()).state != "up":
                    await trio.sleep(0.01)
        assert now.failures == 0
