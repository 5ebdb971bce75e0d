"""Clients on a WebSocket: what is not so on every transport (`test_two_way.py` has that)."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from erlmcp_py import registry
from erlmcp_py.guards import tally
from erlmcp_py.server import Server
from erlmcp_py.transports.net.supervisor import connections
from supervisors import CrashReport, exit_signal
from tests.erlmcp_py.transports.http.client import http
from tests.erlmcp_py.transports.messages import (
    modern,
    text,
    wish,
)
from tests.erlmcp_py.transports.node import Probe, kill, make_server, open_descriptors, until
from tests.erlmcp_py.transports.websocket.client import (
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    World,
    closing,
    frame,
    handshake,
    listening,
)


async def no_sockets(world: World) -> None:
    with trio.fail_after(5):
        while (await world.numbers()).open:
            await trio.sleep(0.01)


# --- what a client can do -------------------------------------------------------------------


async def test_a_server_by_its_name_and_the_one_that_is_bound() -> None:
    servers = {"probe": make_server(Probe()), "other": Server("other", version="1")}
    async with listening(servers=servers) as world:
        async with world.client("/mcp/other/ws") as client:
            assert "error" in await client.query(modern("echo", text="x"))
        await registry.bind("http", "other")
        async with world.client() as bound, world.client("/mcp/probe/ws") as named:
            assert "error" in await bound.query(modern("echo", text="x"))
            assert text(await named.query(modern("echo", text="x"))) == "x"


async def test_bytes_behind_the_head_are_frames() -> None:
    first = frame(TEXT, msgspec.json.encode(modern("echo", 1, text="x")))
    async with listening() as world, world.client(None) as client:
        await client.send(handshake() + first[:20])
        await wait_all_tasks_blocked(0.02)
        await client.send(first[20:])
        assert (await client.head())[0] == 101
        assert text(await client.receive()) == "x"


async def test_a_socket_on_a_connection_that_was_used_before() -> None:
    async with listening() as world, world.client(None) as client:
        assert (await client.call("echo", text="x")).status == 200
        await client.open()
        assert text(await client.query(modern("echo", 1, text="x"))) == "x"
        assert (await world.numbers()).requests == 3


async def test_pings_are_answered_with_what_they_carry() -> None:
    async with listening() as world, world.client() as client:
        await client.send(frame(PING, b"one") + frame(PONG, b"unasked") + frame(PING, bytes(125)))
        assert await client.frame() == (PONG, b"one", True)
        assert await client.frame() == (PONG, bytes(125), True)


# --- the handshake --------------------------------------------------------------------------


async def test_the_subprotocol_is_chosen_if_it_is_offered() -> None:
    async with listening() as world:
        offers = ("mcp", "chat, mcp", None)
        for offer, chosen in zip(offers, ("mcp", "mcp", None), strict=True):
            async with world.client(None) as client:
                answer = await client.open(headers={"Sec-WebSocket-Protocol": offer})
                assert answer.get("sec-websocket-protocol") == chosen
                assert "sec-websocket-extensions" not in answer


UNFIT: dict[str, tuple[dict[str, str | None], int]] = {
    "no Upgrade": ({"Upgrade": None}, 426),
    "another Upgrade": ({"Upgrade": "h2c"}, 426),
    "no Connection": ({"Connection": None}, 426),
    "another Connection": ({"Connection": "keep-alive"}, 426),
    "no version": ({"Sec-WebSocket-Version": None}, 426),
    "version 8": ({"Sec-WebSocket-Version": "8"}, 426),
    "version 12 or 13": ({"Sec-WebSocket-Version": "12, 13"}, 426),
    "no key": ({"Sec-WebSocket-Key": None}, 400),
    "a short key": ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j"}, 400),
    "too much padding": ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ===="}, 400),
    "no base64": ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub2!jZQ=="}, 400),
    "another subprotocol": ({"Sec-WebSocket-Protocol": "chat, MCP"}, 400),
    "an empty offer": ({"Sec-WebSocket-Protocol": ""}, 400),
    "a page elsewhere": ({"Origin": "https://evil.example"}, 403),
    "a page of no origin": ({"Origin": "null"}, 403),
    "another host": ({"Host": "evil.example"}, 421),
}


@pytest.mark.parametrize(("headers", "status"), UNFIT.values(), ids=UNFIT)
async def test_a_handshake_that_is_refused(headers: dict[str, str | None], status: int) -> None:
    async with listening() as world, world.client(None) as client:
        await client.send(handshake(headers=headers))
        answer = await client.answer()
        assert answer.status == status
        if status == 426:
            assert answer.headers["sec-websocket-version"] == "13"
            assert answer.headers["upgrade"] == "websocket"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/mcp/nobody/ws", 404), ("/mcp/probe/ws/", 404), ("/mcp//ws", 404), ("/ws", 404)],
)
async def test_there_is_nothing_elsewhere(path: str, status: int) -> None:
    async with listening() as world, world.client(None) as client:
        await client.send(handshake(path))
        assert (await client.answer()).status == status


async def test_other_methods_and_http_1_0() -> None:
    async with listening() as world:
        async with world.client(None) as client:
            answer = await client.ask("POST", "/mcp/ws", b"{}")
            assert (answer.status, answer.headers["allow"]) == (405, "GET")
        async with world.client(None) as client:
            await client.send(handshake().replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert (await client.answer()).status == 426


async def test_pages_and_hosts_that_are_allowed() -> None:
    http = {"allowed_origins": ("https://app.example",), "allowed_hosts": ("node.example",)}
    headers = {"Origin": "https://app.example", "Host": "node.example"}
    async with listening(http=http) as world, world.client(headers=headers) as client:
        assert text(await client.query(modern("echo", text="x"))) == "x"


async def test_what_follows_a_refused_handshake_is_no_request() -> None:
    async with listening() as world, world.client(None) as client:
        hidden = http("GET", "/mcp/ws")
        await client.send(handshake(headers={"Sec-WebSocket-Version": "8"}) + hidden)
        assert (await client.answer()).status == 426
        assert await client.closed()


async def test_it_can_be_switched_off() -> None:
    async with listening(http={"websocket": None}) as world, world.client(None) as client:
        await client.send(handshake("/mcp/probe/ws"))
        assert (await client.answer()).status == 404


async def test_one_socket_too_many() -> None:
    async with listening(connections=1) as world, world.client() as first:
        async with world.client(None) as second:
            await second.send(handshake())
            answer = await second.answer()
            assert (answer.status, answer.json["error"]["data"]["refusal"]) == (503, 1089)
        assert text(await first.query(modern("echo", 2, text="x"))) == "x"
        await first.send(frame(CLOSE, closing(1000)))
        assert await first.code() == 1000
        async with world.client() as third:
            assert text(await third.query(modern("echo", 2, text="x"))) == "x"


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "refusal"),
    [
        (frame(2, b"{}"), 1003, 1070),
        (frame(TEXT, b'"\xff"'), 1007, 1070),
        (frame(TEXT, bytes(2000)), 1009, 1068),
        (frame(TEXT, b"{}", mask=None), 1002, 1066),
    ],
)
async def test_why_a_socket_is_closed_is_said_and_counted(
    data: bytes, code: int, refusal: int
) -> None:
    async with listening(message_limit=1000) as world, world.client() as client:
        await client.say(modern("echo", 1, text="x"))
        await client.send(data)
        assert text(await client.receive()) == "x"
        assert await client.code() == code
        assert [(each.code, each.count) for each in tally.refusals()] == [(refusal, 1)]
        await no_sockets(world)


# --- endings --------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", closing(1000), closing(4999, "tschüß".encode())])
async def test_a_close_is_repeated(payload: bytes) -> None:
    async with listening() as world, world.client() as client:
        await client.say(modern("echo", 1, text="x"))
        await client.send(frame(CLOSE, payload) + frame(PING, b"too late"))
        assert text(await client.receive()) == "x"
        assert await client.frame() == (CLOSE, payload, True)
        assert await client.frame() is None
        await no_sockets(world)


async def how_it_ends(client: Any, how: str) -> None:
    if how == "close":
        await client.send(frame(CLOSE, closing(1000)))
        assert await client.code() == 1000
    elif how == "eof":
        await client.stream.send_eof()
        assert await client.receive() is None
    else:
        await client.reset()


@pytest.mark.parametrize("how", ["close", "eof", "reset"])
async def test_the_calls_of_a_client_that_is_gone_are_cancelled(how: str) -> None:
    probe = Probe()
    async with listening(probe) as world:
        async with world.client() as client:
            await client.say(modern("hang", 1))
            await probe.started.wait()
            await how_it_ends(client, how)
            with trio.fail_after(5):
                await probe.cancelled.wait()
            await no_sockets(world)
        assert not [report for report in world.reports if isinstance(report, CrashReport)]


async def test_a_client_that_never_answers_the_close_is_not_waited_for(
    autojump_clock: MockClock,
) -> None:
    async with listening() as world, world.client() as client:
        await client.send(frame(CLOSE, closing(1000)))
        assert (await client.frame()) == (CLOSE, closing(1000), True)
        await trio.sleep(5)
        assert (await world.numbers()).open == 0


# --- time -----------------------------------------------------------------------------------


async def test_a_quiet_client_is_pinged_and_stays_as_long_as_it_answers(
    autojump_clock: MockClock,
) -> None:
    async with listening() as world, world.client() as client:
        for _ in range(5):
            await trio.sleep(29.0)
            assert client.buffer == b""
            await trio.sleep(7.0)
            assert await client.frame() == (PING, b"", True)
            await client.send(frame(PONG))
        assert text(await client.query(modern("echo", 1, text="x"))) == "x"


async def test_a_client_that_does_not_answer_pings_is_let_go(autojump_clock: MockClock) -> None:
    probe = Probe()
    async with listening(probe) as world, world.client() as client:
        await client.say(modern("hang", 1))
        await trio.sleep(45.0)
        assert (await world.numbers()).open == 1
        await trio.sleep(20.0)
        assert (await world.numbers()).open == 0
        assert probe.cancelled.is_set()
        assert await client.frame() == (PING, b"", True)
        assert await client.code() == 1011
        assert not [report for report in world.reports if isinstance(report, CrashReport)]


@pytest.mark.parametrize(
    "pieces",
    [
        [bytes([byte]) for byte in frame(TEXT, bytes(100))],
        [frame(TEXT, b"{", fin=False), *[frame(PONG)] * 20],
        [frame(TEXT, b"{", fin=False), *[frame(CONT, b" ", fin=False)] * 20],
    ],
    ids=["a frame", "a fragment and pongs", "fragments"],
)
async def test_a_message_that_takes_too_long_to_arrive(
    pieces: list[bytes], autojump_clock: MockClock
) -> None:
    async with listening() as world, world.client() as client:
        began = trio.current_time()
        for piece in pieces:
            if (await world.numbers()).open == 0:
                break
            await client.send(piece)
            await trio.sleep(5.0)
        assert 30.0 <= trio.current_time() - began <= 40.0
        assert await client.code() == 1008


# --- one client and the others --------------------------------------------------------------


async def test_sockets_outlive_their_server(autojump_clock: MockClock) -> None:
    probe = Probe()
    async with listening(probe) as world, world.client() as client:
        await client.say(modern("hang", 1))
        await probe.started.wait()
        await kill((await registry.servers())["probe"].pid)
        lost = await client.receive()
        assert (lost["id"], lost["error"]["data"]["refusal"]) == (1, 1067)
        await trio.sleep(1)
        assert text(await client.query(modern("echo", 2, text="x"))) == "x"


async def test_a_client_that_pings_and_never_reads_is_not_read_from(
    autojump_clock: MockClock,
) -> None:
    async with listening() as world, world.client() as client:
        pings = frame(PING, bytes(125)) * 1000
        sent = 0
        with pytest.raises(trio.BrokenResourceError), trio.fail_after(200):
            while True:
                await client.send(pings)
                sent += len(pings)
        numbers = await world.numbers()
        assert (numbers.open, numbers.reaped) == (0, 1)
        assert sent < 64 << 20


async def test_a_client_that_does_not_read_its_ping_is_slow_and_not_gone(
    autojump_clock: MockClock,
) -> None:
    async def late_and_large() -> str:
        """Take half a minute, and say much."""
        await trio.sleep(37.0)
        return "x" * (16 << 20)

    async with listening() as world:
        (await registry.servers())["probe"].server.tool(timeout=100.0)(late_and_large)
        async with world.client() as client:
            await client.say(modern("late_and_large", 1))
            await trio.sleep(80.0)  # pinged at 30 to 35; an answer was due before 60
            while (answer := await client.receive()).get("id") != 1:
                pass
            assert len(text(answer)) == 16 << 20


async def test_nothing_is_left_of_clients_that_come_and_go() -> None:
    async with listening() as world:
        async with world.client() as client:
            await client.query(modern("echo", 1, text="x"))
        await no_sockets(world)
        before = open_descriptors()
        for n in range(30):
            async with world.client() as client:
                await client.say(modern("hang", 1), wish("s", toolsListChanged=True))
                if n % 4 == 0:
                    await client.receive()
                if n % 4 == 1:
                    await client.reset()
                if n % 4 == 2:
                    await client.send(frame(3))
                if n % 4 == 3:
                    for each in await connections("http"):
                        assert each.pid is not None
                        exit_signal(each.pid, "kill")
        await no_sockets(world)
        await until(lambda: open_descriptors() <= before)
        async with world.client() as client:
            assert text(await client.query(modern("echo", 1, text="x"))) == "x"


# --- what it costs those who do not use it --------------------------------------------------


def test_the_library_is_loaded_with_the_first_socket() -> None:
    program = (
        "import sys, erlmcp_py.node, erlmcp_py.transports.http.supervisor as http\n"
        "http.protocol(http.ListenerConfig())\n"
        "assert not any(name.startswith('websockets') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
