"""Mounted in Starlette under hypercorn's trio worker, with clients on real sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from mcp.client.client import Client as OfficialClient
from mcp.client.sse import sse_client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from erlmcp_py.transports import asgi
from supervisors import whereis, which_children
from tests.erlmcp_py.transports.http.client import Client, Sse, http, legacy_call, modern_call
from tests.erlmcp_py.transports.node import Probe, kill, make_server

from .host import connect, hypercorn

ROOT = Path(__file__).parents[4]


class Site:
    """Somebody's web application, with ours in it at /tools."""

    def __init__(self, **more: Any) -> None:
        self.probe = Probe()
        self.mcp = asgi.application({"probe": make_server(self.probe)})
        self.app = Starlette(
            routes=[Route("/hello", _hello), Mount("/tools", app=self.mcp)],
            lifespan=lambda _: self.mcp.running(),
            **more,
        )
        self.port = 0

    async def nobody_is_left(self) -> None:
        with self.mcp.active(), trio.fail_after(5):
            while await which_children("asgi"):
                await trio.sleep(0.01)


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with hypercorn(site.app) as site.port:
        yield site


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    async with connect(site.port) as client:
        yield client


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return modern_call(tool, path="/tools/mcp", **arguments)


async def test_both_applications_answer_on_one_connection(client: Client) -> None:
    for _ in range(3):
        assert (await client.ask("GET", "/hello")).body == b"hello"
        assert (await client.ask(**call("echo", text="hi"))).text == "hi"
    assert (await client.ask(**modern_call("echo", path="/mcp", text="hi"))).status == 404


async def test_progress_is_streamed(client: Client) -> None:
    answer = await client.ask(**call("steps", count=3, meta={"progressToken": 1}))
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(answer.events) == 4
    assert answer.text == "3 steps"
    assert (await client.ask(**call("echo", text="next"))).text == "next"


async def test_many_at_once(site: Site) -> None:
    done: list[str] = []

    async def one(number: int) -> None:
        async with connect(site.port) as client:
            for turn in range(3):
                text = f"{number}/{turn}"
                answer = await client.ask(**call("later", text=text, seconds=0.01))
                assert answer.text == text
                done.append(text)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(one, number)
    assert len(set(done)) == 60
    await site.nobody_is_left()


async def test_a_client_that_leaves_cancels_its_call(site: Site) -> None:
    async with connect(site.port) as client:
        await client.send(http("POST", **call("hang")))
        await site.probe.started.wait()
    with trio.fail_after(5):
        await site.probe.cancelled.wait()
    await site.nobody_is_left()


async def test_a_session_over_several_connections(site: Site, client: Client) -> None:
    path = "/tools/mcp/probe"
    session = await client.initialize(path)
    answer = await client.legacy(session, legacy_call("echo", text="1"), path)
    assert answer.text == "1"
    async with connect(site.port) as other:
        answer = await other.legacy(session, legacy_call("echo", text="2"), path)
        assert answer.text == "2"
        headers = {"Mcp-Session-Id": session}
        assert (await other.ask("DELETE", path, headers=headers)).status == 204
    assert (await client.legacy(session, legacy_call("echo", text="3"), path)).status == 404


async def test_a_call_of_a_session_outlives_its_client(site: Site, client: Client) -> None:
    session = await client.initialize("/tools/mcp")
    async with connect(site.port) as other:
        headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
        body = legacy_call("patient", seconds=0.1)
        await other.send(http("POST", "/tools/mcp", body, headers))
        await site.probe.started.wait()
    await site.nobody_is_left()
    assert site.probe.finished == 1
    assert not site.probe.cancelled.is_set()


async def test_http_sse(site: Site, client: Client) -> None:
    async with connect(site.port) as poster:
        sse = await Sse(client, poster).open("/tools/sse")
        assert sse.uri.startswith("/tools/messages?")
        await sse.shake_hands("2024-11-05")
        assert await sse.text("echo", text="hi") == "hi"


async def test_a_body_over_the_limit_is_413(client: Client) -> None:
    answer = await client.ask("POST", "/tools/mcp", b" " * (5 << 20))
    assert answer.status == 413


async def test_a_killed_server_comes_back_under_its_clients(site: Site, client: Client) -> None:
    session = await client.initialize("/tools/mcp")
    for number in range(3):
        with site.mcp.active():
            await kill(whereis("server_probe"))
        assert (await client.ask(**call("echo", text=f"{number}"))).text == f"{number}"
        answer = await client.legacy(session, legacy_call("echo", text="s"), "/tools/mcp")
        assert answer.text == "s"


async def test_a_killed_request_does_not_end_the_host(site: Site, client: Client) -> None:
    await client.send(http("POST", **call("hang")))
    await site.probe.started.wait()
    with site.mcp.active():
        (child,) = await which_children("asgi")
        await kill(child.pid)
    assert (await client.answer()).status == 503
    assert (await client.ask("GET", "/hello")).body == b"hello"


async def test_middleware_of_the_host_stands_around_it() -> None:
    async def stamp(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-stamp"] = "seen"
        return response

    site = Site(middleware=[Middleware(BaseHTTPMiddleware, dispatch=stamp)])
    async with hypercorn(site.app) as port, connect(port) as client:
        answer = await client.ask(**call("steps", count=2, meta={"progressToken": 1}))
        assert (answer.text, answer.headers["x-stamp"]) == ("2 steps", "seen")
        await client.send(http("POST", **call("hang")))
        await site.probe.started.wait()
        await client.stream.aclose()
        with trio.fail_after(5):
            await site.probe.cancelled.wait()


async def test_without_a_lifespan_the_first_request_is_500_and_the_host_goes_on() -> None:
    app = Starlette(routes=[Route("/hello", _hello), Mount("/", app=Site().mcp)])
    async with hypercorn(app) as port, connect(port) as client:
        await client.send(http("POST", **modern_call("echo", text="x")))
        status, _ = await client.head()
        assert status == 500
        async with connect(port) as other:
            assert (await other.ask("GET", "/hello")).body == b"hello"


async def test_alone_it_lives_as_long_as_its_server() -> None:
    async with hypercorn(Site().mcp) as port, connect(port) as client:
        assert (await client.ask(**modern_call("echo", text="x"))).text == "x"
        head = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        head["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        await client.send(http("GET", "/mcp/ws", headers=head))
        assert (await client.head())[0] in (403, 404)


# On trio the official client leaves async generators of its HTTP library to the collector.
@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:Async generator '(httpx2|mcp):ResourceWarning")
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize(
    ("transport", "mode"), [("http", "auto"), ("http", "legacy"), ("sse", "legacy")]
)
async def test_the_official_client(site: Site, transport: str, mode: Any) -> None:
    base = f"http://127.0.0.1:{site.port}/tools"
    target: Any = sse_client(f"{base}/sse") if transport == "sse" else f"{base}/mcp"
    seen: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append(done)

    with trio.fail_after(30):
        async with OfficialClient(target, mode=mode) as client:
            expected = "2026-07-28" if mode == "auto" else "2025-11-25"
            assert client.protocol_version == expected
            assert "echo" in {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("echo", {"text": "hi"})
            assert result.content[0].text == "hi"  # type: ignore[union-attr]
            await client.call_tool("steps", {"count": 3}, progress_callback=progress)
            assert seen == [0, 1, 2]
            assert (await client.call_tool("crash", {})).is_error


def test_a_server_without_trio_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "site_without_trio.py").write_text(
        "from erlmcp_py.server import Server\n"
        "from erlmcp_py.transports import asgi\n"
        "app = asgi.application(Server('x', version='1'))\n"
    )
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "site_without_trio:app"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60
    )
    assert done.returncode != 0
    assert b"erlmcp_py runs on trio" in done.stderr
    assert b"Traceback" not in done.stderr
