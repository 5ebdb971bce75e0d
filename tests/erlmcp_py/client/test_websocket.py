"""WebSockets that are none, end, or say too much. That they work is in `test_everywhere`."""

from __future__ import annotations

import pytest
import trio

from erlmcp_py.client import Answered, Client, ConnectError, ConnectionLost, HttpStatus
from erlmcp_py.client.http.authorizing import MAX_TRIES
from erlmcp_py.server import Server
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.websocket.settings import WebSocketSettings
from supervisors import exit_signal
from tests.erlmcp_py.client.bad import Asked, http_server
from tests.erlmcp_py.client.serving import port_of
from tests.erlmcp_py.transports.node import node, open_descriptors


def test_an_address_that_is_none() -> None:
    with pytest.raises(ValueError, match="begins with ws"):
        Client.websocket("http://127.0.0.1/")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        None,
    ],
)
async def test_a_server_that_speaks_something_else(answer: bytes | None) -> None:
    before = open_descriptors()
    async with http_server(lambda _: answer) as (url, _):
        with pytest.raises((ConnectError, HttpStatus), match=r"127\.0\.0\.1"):
            async with Client.websocket("ws" + url.removeprefix("http")):
                pass
    assert open_descriptors() <= before


class Doorkeeper:
    """An authorizer that has a token once it was refused."""

    def __init__(self) -> None:
        self.answers: list[Answered] = []

    async def headers(self, method: str, url: str) -> dict[str, str]:
        assert (method, url.partition(":")[0]) == ("GET", "http")
        return {"Authorization": "Bearer token"} if self.answers else {}

    async def answered(self, answer: Answered) -> bool:
        self.answers.append(answer)
        return True


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_not_let_in_is_authorized_first(status: int) -> None:
    refusal = f"HTTP/1.1 {status} No\r\nWWW-Authenticate: A\r\nWWW-Authenticate: B\r\n"

    def behave(asked: Asked) -> bytes:
        if "authorization" in asked.headers:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        return f"{refusal}Content-Length: 0\r\n\r\n".encode()

    keeper = Doorkeeper()
    async with http_server(behave) as (url, seen):
        with pytest.raises(ConnectError, match="HTTP 404"):
            async with Client.websocket("ws" + url.removeprefix("http"), authorizer=keeper):
                pass
    assert [(one.status, one.tries) for one in keeper.answers] == [(status, 1)]
    assert keeper.answers[0].headers["www-authenticate"] == "A, B"
    assert seen[1].headers["authorization"] == "Bearer token"


async def test_a_door_that_stays_shut_is_left() -> None:
    refusal = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
    async with http_server(lambda _: refusal) as (url, seen):
        with pytest.raises(ConnectError, match="HTTP 401"):
            async with Client.websocket("ws" + url.removeprefix("http"), authorizer=Doorkeeper()):
                pass
    assert len(seen) == MAX_TRIES


async def test_a_lost_one_is_made_again(autojump_clock: object) -> None:
    server = Server("probe", version="1")

    @server.tool()
    async def hang() -> str:
        """Wait."""
        await trio.sleep_forever()
        return "never"

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    listener = child_spec(ListenerConfig(port=0, websocket=WebSocketSettings()))
    async with node({"probe": server}, listener):
        url = f"ws://127.0.0.1:{await port_of('http')}/mcp/probe/ws"
        async with Client.websocket(url) as client:
            async with trio.open_nursery() as nursery:

                async def caller() -> None:
                    with pytest.raises(ConnectionLost):
                        await client.call_tool("hang", timeout=1000.0)

                nursery.start_soon(caller)
                await trio.sleep(0.1)
                pid = client.connection_pid()
                assert pid is not None
                exit_signal(pid, "kill")
            await client.call_tool("echo", {"text": "x"})
            assert client.status().connections == 2
