"""Start and end of an ASGI application: by lifespan, by its host's, and not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from erlmcp_py.server import Server
from erlmcp_py.transports import asgi
from supervisors import Runtime
from tests.erlmcp_py.transports.http.client import modern_call
from tests.erlmcp_py.transports.node import Probe, make_server

from .host import Host, Visit, hosting, http_scope


class Lifespan:
    """The server's side of the lifespan protocol."""

    def __init__(self) -> None:
        self.to_app, self.receive_ = trio.open_memory_channel[dict[str, Any]](2)
        self.send_, self.from_app = trio.open_memory_channel[dict[str, Any]](2)

    async def run(self, app: Any) -> None:
        await app({"type": "lifespan", "asgi": {}}, self.receive_.receive, self.send_.send)

    async def say(self, what: str) -> dict[str, Any]:
        await self.to_app.send({"type": f"lifespan.{what}"})
        with trio.fail_after(5):
            return await self.from_app.receive()


def app() -> asgi.Application:
    return asgi.application(make_server(Probe()))


async def test_it_starts_and_stops_with_its_server() -> None:
    application, lifespan = app(), Lifespan()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lifespan.run, application)
        assert await lifespan.say("startup") == {"type": "lifespan.startup.complete"}
        host = Host(application, nursery)
        assert (await host.ask(**modern_call("echo", text="x"))).text == "x"
        assert await lifespan.say("shutdown") == {"type": "lifespan.shutdown.complete"}
    async with trio.open_nursery() as nursery:
        answer = await Host(application, nursery).ask(**modern_call("echo", text="x"))
        assert answer.status == 503
        assert "being stopped" in answer.json["error"]["message"]


async def test_it_can_be_started_again() -> None:
    application = app()
    for _ in range(2):
        async with hosting(application) as host:
            assert (await host.ask(**modern_call("echo", text="x"))).text == "x"


async def test_it_runs_once_at_a_time() -> None:
    application = app()
    async with hosting(application) as host:
        with pytest.raises(RuntimeError, match="runs already"):
            async with application.running():
                pass
        assert (await host.ask(**modern_call("echo", text="x"))).text == "x"


async def test_two_run_side_by_side_and_beside_the_hosts_own_processes() -> None:
    async with Runtime(), hosting(app()) as one, hosting(app()) as two:
        assert (await one.ask(**modern_call("echo", text="1"))).text == "1"
        assert (await two.ask(**modern_call("echo", text="2"))).text == "2"


async def test_what_is_in_the_way_of_the_start_is_said() -> None:
    @asynccontextmanager
    async def broken(server: Server) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    application, lifespan = asgi.application(Server("x", version="1", lifespan=broken)), Lifespan()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lifespan.run, application)
        answer = await lifespan.say("startup")
    assert answer["type"] == "lifespan.startup.failed"
    assert "no database" in answer["message"]
    with pytest.raises(asgi.StartFailed, match="no database"):
        async with application.running():
            pass


async def test_a_request_before_the_start_says_what_is_missing() -> None:
    visit = Visit(app(), http_scope("POST", "/mcp"))
    with pytest.raises(asgi.NotRunning, match=r"application\.running\(\)"):
        await visit.run()
    assert visit.sent == []


async def test_what_the_host_raises_comes_out_as_it_is_and_everything_has_ended() -> None:
    with pytest.raises(LookupError, match="host"):
        async with app().running():
            raise LookupError("host")


async def test_a_host_that_is_cancelled_stops_it_in_order() -> None:
    stopped = []

    @asynccontextmanager
    async def state(server: Server) -> AsyncIterator[None]:
        yield
        await trio.lowlevel.checkpoint()
        stopped.append(server.name)

    with trio.CancelScope() as scope:
        async with asgi.application(Server("x", version="1", lifespan=state)).running():
            scope.cancel()
            await trio.sleep_forever()
    assert stopped == ["x"]


def test_another_loop_is_refused_with_one_sentence() -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def main() -> None:
        application = app()
        await application({"type": "lifespan"}, receive, send)
        with pytest.raises(asgi.WrongLoop, match="worker-class trio"):
            await application(http_scope("GET", "/mcp"), receive, send)
        with pytest.raises(asgi.WrongLoop, match="worker-class trio"):
            async with application.running():
                pass

    asyncio.run(main())
    (answer,) = sent
    assert answer["type"] == "lifespan.startup.failed"
    assert answer["message"].startswith("erlmcp_py runs on trio")


async def test_websockets_are_refused_in_the_way_the_server_has() -> None:
    async def refuse(**more: Any) -> list[dict[str, Any]]:
        visit = Visit(app(), {"type": "websocket", "path": "/mcp/ws", **more})
        visit.to_app.send_nowait({"type": "websocket.connect"})
        await visit.run()
        return visit.sent

    (close,) = await refuse()
    assert (close["type"], close["code"]) == ("websocket.close", 1008)
    start, body = await refuse(extensions={"websocket.http.response": {}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert b"no WebSocket" in body["body"]


async def test_scopes_that_nobody_knows_are_an_error() -> None:
    with pytest.raises(ValueError, match="'smtp'"):
        await Visit(app(), {"type": "smtp"}).run()


def test_an_application_has_a_server() -> None:
    with pytest.raises(ValueError, match="at least one"):
        asgi.application({})
