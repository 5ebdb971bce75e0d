"""The client of the library `websockets`, which others than us have written, on its own thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from erlmcp_py.transports.net.settings import TlsSettings
from supervisors import terminate_child
from tests.erlmcp_py.transports.http.client import initialize, legacy_call
from tests.erlmcp_py.transports.net.certificates import Authority
from tests.erlmcp_py.transports.websocket.client import World, listening


async def with_client(world: World, use: Callable[[ClientConnection], Any], **more: Any) -> Any:
    """What `use` makes of an open client."""
    host, port = await world.address()
    scheme = "wss" if "ssl" in more else "ws"

    def run() -> Any:
        url = f"{scheme}://{host}:{port}/mcp/ws"
        with connect(url, subprotocols=["mcp"], **more) as client:
            return use(client)

    return await trio.to_thread.run_sync(run)


def ask(client: ClientConnection, message: Mapping[str, Any]) -> Any:
    client.send(json.dumps(message))
    return json.loads(client.recv(timeout=10))


async def test_a_session_in_an_older_revision() -> None:
    def use(client: ClientConnection) -> Any:
        assert client.subprotocol == "mcp"
        assert client.protocol.extensions == []  # it has offered to compress
        assert ask(client, initialize())["result"]["serverInfo"]["name"] == "probe"
        client.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        assert client.ping().wait(10)
        return ask(client, legacy_call("echo", 1, text="grüße"))

    async with listening() as world:
        answer = await with_client(world, use)
    assert answer["result"]["content"][0]["text"] == "grüße"


async def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = tmp_path / "node.pem", tmp_path / "node.key"
    authority.issue(certificate, key)
    tls = TlsSettings(certificate=str(certificate), key=str(key))
    long = "x" * 1_000_000

    def use(client: ClientConnection) -> Any:
        ask(client, initialize())
        assert client.ping().wait(10)
        return ask(client, legacy_call("echo", 1, text=long))

    async with listening(http={"tls": tls}) as world:
        trusting = authority.client_context()
        answer = await with_client(
            world, use, ssl=trusting, server_hostname="localhost", max_size=None
        )
    assert answer["result"]["content"][0]["text"] == long


async def test_messages_in_fragments_and_long_ones() -> None:
    long = "ä" * 1_000_000

    def use(client: ClientConnection) -> Any:
        ask(client, initialize())
        message = json.dumps(legacy_call("echo", 1, text=long), ensure_ascii=False)
        client.send(message[n : n + 10_000] for n in range(0, len(message), 10_000))
        return json.loads(client.recv(timeout=10))

    async with listening() as world:
        answer = await with_client(world, use, max_size=None)
    assert answer["result"]["content"][0]["text"] == long


@pytest.mark.parametrize(
    ("send", "code"), [(b"{}", 1003), ("x" * 3000, 1009)], ids=["binary", "too big"]
)
async def test_it_is_told_why_it_is_closed(send: bytes | str, code: int) -> None:
    def use(client: ClientConnection) -> Any:
        client.send(send)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code

    async with listening(message_limit=2000) as world:
        assert await with_client(world, use) == code


async def test_it_closes_as_it_likes() -> None:
    def use(client: ClientConnection) -> Any:
        client.close(4001, "enough")
        return client.close_code, client.close_reason

    async with listening() as world:
        assert await with_client(world, use) == (4001, "enough")


async def test_a_page_of_another_origin_is_refused() -> None:
    async with listening() as world:
        with pytest.raises(InvalidStatus) as refused:
            await with_client(world, lambda client: client, origin="https://evil.example")
        assert refused.value.response.status_code == 403


async def test_it_hears_that_the_listener_stops() -> None:
    up = trio.Event()

    def use(client: ClientConnection) -> Any:
        ask(client, initialize())
        trio.from_thread.run_sync(up.set)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code

    async with listening() as world, trio.open_nursery() as nursery:

        async def heard() -> None:
            assert await with_client(world, use) == 1001

        nursery.start_soon(heard)
        await up.wait()
        await terminate_child("node", "http")
