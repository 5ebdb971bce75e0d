"""The plain port beside one with TLS sends everybody there."""

from __future__ import annotations

from pathlib import Path

import pytest

from erlmcp_py import registry
from erlmcp_py.transports.http import redirect
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from tests.erlmcp_py.transports.http.client import connect, http
from tests.erlmcp_py.transports.http.test_tls import World
from tests.erlmcp_py.transports.node import Probe, make_server, node


@pytest.fixture
def config(tmp_path: Path) -> ListenerConfig:
    return World(tmp_path).config()


@pytest.mark.parametrize(
    ("method", "target", "host", "location"),
    [
        ("POST", "/mcp", "localhost", "https://localhost:{}/mcp"),
        ("GET", "/mcp/a?b=c%20d&e", "127.0.0.1:80", "https://127.0.0.1:{}/mcp/a?b=c%20d&e"),
        ("HEAD", "/", "[::1]:1", "https://[::1]:{}/"),
        ("GET", "/a%20b/%c3%a4", "localhost", "https://localhost:{}/a%20b/%C3%A4"),
    ],
)
async def test_every_request_is_sent_to_the_same_place_with_tls(
    config: ListenerConfig, method: str, target: str, host: str, location: str
) -> None:
    async with node(
        {"probe": make_server(Probe())}, child_spec(config), redirect.child_spec(config, 0)
    ):
        port = (await registry.transports())["http"].info["port"]
        async with connect("http_redirect") as client:
            for _ in range(2):
                answer = await client.ask(method, target, headers={"Host": host})
                assert (answer.status, answer.headers["location"]) == (308, location.format(port))


async def test_nobody_is_sent_to_a_host_that_is_not_ours(config: ListenerConfig) -> None:
    async with (
        node({"probe": make_server(Probe())}, child_spec(config), redirect.child_spec(config, 0)),
        connect("http_redirect") as client,
    ):
        answer = await client.ask("GET", "/", headers={"Host": "evil.example"})
        assert (answer.status, "location" in answer.headers) == (421, False)
        pipelined = http("GET", "/a") + b"NONSENSE\r\n\r\n"
        await client.send(pipelined)
        assert (await client.answer()).status == 308
        assert (await client.answer()).status == 400
        assert await client.closed()


async def test_while_there_is_no_place_to_send_to(config: ListenerConfig) -> None:
    async with (
        node({"probe": make_server(Probe())}, redirect.child_spec(config, 0)),
        connect("http_redirect") as client,
    ):
        answer = await client.ask("GET", "/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
