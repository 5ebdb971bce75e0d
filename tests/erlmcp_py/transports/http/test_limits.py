"""Every limit of the HTTP listener: who meets it is told, it is counted, and the node goes on."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from erlmcp_py.guards import tally
from erlmcp_py.transports.http.request import HttpLimits
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.address import network_of
from erlmcp_py.transports.net.supervisor import statistics
from tests.erlmcp_py.transports.node import Probe, make_server, node, until

from .client import connect, http, modern_call


def listener(**settings: Any) -> Any:
    return child_spec(ListenerConfig(port=0, **settings))


def servers() -> Any:
    return {"probe": make_server(Probe())}


def counted(code: int) -> int:
    return next((each.count for each in tally.refusals() if each.code == code), 0)


# --- connections ---------------------------------------------------------------------------


async def test_one_connection_too_many_is_503() -> None:
    async with node(servers(), listener(max_connections=1)), connect() as first:
        assert (await first.call("echo", text="in")).text == "in"
        async with connect() as second:
            answer = await second.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.json["error"]["data"]["refusal"] == 1089
            assert await second.closed()
        assert counted(1089) == (await statistics("http")).refused == 1
        await first.stream.aclose()

        async def left() -> bool:
            return (await statistics("http")).open == 0

        with trio.fail_after(5):
            while not await left():
                await trio.sleep(0.005)
        async with connect() as third:
            assert (await third.call("echo", text="again")).text == "again"


async def test_one_connection_too_many_of_an_address_is_429() -> None:
    async with node(servers(), listener(max_per_address=2)), connect() as first, connect():
        async with connect() as third:
            answer = await third.answer()
            assert (answer.status, answer.headers["retry-after"]) == (429, "1")
            assert answer.json["error"]["data"]["refusal"] == 1060
        assert counted(1060) == 1
        await first.stream.aclose()
        with trio.fail_after(5):
            while (await statistics("http")).open == 2:
                await trio.sleep(0.005)
        async with connect() as fourth:
            assert (await fourth.call("echo", text="room")).text == "room"


async def test_clients_on_a_unix_socket_have_no_address(tmp_path: Any) -> None:
    path = tmp_path / "mcp"
    spec = listener(host=f"unix:{path}", max_per_address=1)
    async with node(servers(), spec):
        streams = [await trio.open_unix_socket(str(path)) for _ in range(3)]
        await until(lambda: True)
        for stream in streams:
            await stream.send_all(http("GET", "/nowhere"))
            assert b"404" in await stream.receive_some(100)
            await stream.aclose()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7:5000", "192.0.2.7"),
        ("[2001:db8::7]:5000", "2001:db8::/64"),
        ("[2001:db8::1:2:3:4]:80", "2001:db8::/64"),
        ("[fe80::1%eth0]:80", "fe80::/64"),
        ("unix#3", ""),
    ],
)
def test_whose_limit_an_address_counts_for(address: str, network: str) -> None:
    assert network_of(address) == network


# --- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"GET /mc", b"POST /mcp HTTP/1.1\r\nHost: a\r\nX", "body"])
async def test_a_request_that_dribbles_is_408(begun: Any) -> None:
    if begun == "body":
        begun = http("POST", "/mcp", {"jsonrpc": "2.0"})[:-3]
    async with node(servers(), listener(request_timeout=0.3)), connect() as client:
        await client.send(begun)
        with trio.fail_after(5):
            answer = await client.answer()
        assert answer.status == 408
        assert answer.json["error"]["data"]["refusal"] == 1069
        assert await client.closed()
        assert counted(1069) == (await statistics("http")).reaped == 1


async def test_a_call_that_takes_its_time_is_not_late() -> None:
    async with node(servers(), listener(request_timeout=1.0)), connect() as client:
        whole = http("POST", **modern_call("later", text="x", seconds=2.0))
        await client.send(whole[:100])
        await trio.sleep(0.05)
        await client.send(whole[100:])
        assert (await client.answer()).text == "x"
        assert (await client.call("echo", text="on")).text == "on"
        assert counted(1069) == 0


async def test_who_is_quiet_between_requests_is_not_late() -> None:
    async with node(servers(), listener(request_timeout=0.2)), connect() as client:
        assert (await client.call("echo", text="a")).text == "a"
        await trio.sleep(0.8)
        assert (await client.call("echo", text="b")).text == "b"


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (http("POST", "/mcp", b"x" * 2000), 413),
        (http("GET", "/" + "x" * 200), 414),
        (http("GET", "/mcp", headers={"X": "y" * 2000}), 431),
        (http("GET", "/mcp", headers={f"X-{n}": "y" for n in range(20)}), 431),
    ],
)
async def test_what_is_too_large(request_: bytes, status: int) -> None:
    limits = HttpLimits(max_head=1500, max_headers=10, max_target=100, max_body=1000)
    async with node(servers(), listener(limits=limits)), connect() as client:
        await client.send(request_)
        answer = await client.answer()
        assert answer.status == status
        assert answer.json["error"]["data"]["refusal"] == 1068
        assert counted(1068) == 1
        async with connect() as other:
            limits_are_met = await other.ask("GET", "/nowhere", headers={"Accept": None})
            assert limits_are_met.status == 404
