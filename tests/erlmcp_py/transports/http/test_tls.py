"""HTTP over TLS: everything that works without, and what goes wrong only with it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.settings import TlsSettings
from erlmcp_py.transports.net.supervisor import connections, statistics
from supervisors import Runtime, StartError, call, send, sys, whereis, which_children
from tests.erlmcp_py.transports.http import test_resuming
from tests.erlmcp_py.transports.http.client import (
    MODERN,
    Client,
    http,
    legacy_call,
    meta,
    modern_call,
)
from tests.erlmcp_py.transports.http.test_listener import start_on
from tests.erlmcp_py.transports.net.certificates import Authority, replace
from tests.erlmcp_py.transports.node import Probe, kill, make_server, node, open_descriptors, until

ECHO = http("POST", **modern_call("echo", text="x"))


class World:
    """An authority, the files of a node, and clients that trust it."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.certificate, self.key = directory / "node.pem", directory / "node.key"
        self.issue("first")

    def issue(self, name: str, **more: Any) -> None:
        self.authority.issue(self.certificate, self.key, name, **more)

    def config(self, **tls: Any) -> ListenerConfig:
        files = {"certificate": str(self.certificate), "key": str(self.key)}
        return ListenerConfig(port=0, hsts=1000, tls=TlsSettings(**files, **tls))

    @contextlib.asynccontextmanager
    async def connect(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
        info = (await registry.transports())["http"].info
        plain = await trio.open_tcp_stream(info["host"], info["port"])
        stream = trio.SSLStream(
            plain,
            context or self.authority.client_context(),
            server_hostname="localhost",
            https_compatible=True,
        )
        async with plain:
            with trio.fail_after(5):
                await stream.do_handshake()
            yield Client(stream)  # type: ignore[arg-type]


def shown(client: Client) -> str:
    """The name in the certificate that the node has shown."""
    stream: Any = client.stream
    return str(dict(pair[0] for pair in stream.getpeercert()["subject"])["commonName"])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_call(world: World) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(world.config())):
        assert (await registry.transports())["http"].info["tls"] is True
        context = world.authority.client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with world.connect(context) as client:
            stream: Any = client.stream
            assert (stream.version(), stream.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
            answer = await client.call("echo", text="x")
            assert answer.text == "x"
            assert answer.headers["strict-transport-security"] == "max-age=1000"
            steps = modern_call("steps", count=3, meta={"progressToken": 1})
            answer = await client.ask(**steps)
            assert [event["method"] for event in answer.events[:-1]] == [
                "notifications/progress"
            ] * 3
            assert answer.headers["strict-transport-security"] == "max-age=1000"
            assert (await client.ask("GET", "/nothing")).headers["strict-transport-security"]
            (numbers,) = await connections("http")
            assert numbers.requests == 3


async def test_without_tls_nothing_is_said_of_hsts(world: World) -> None:
    config = msgspec.structs.replace(world.config(), tls=None)
    async with node({"probe": make_server(Probe())}, child_spec(config)):
        info = (await registry.transports())["http"].info
        async with await trio.open_tcp_stream(info["host"], info["port"]) as stream:
            answer = await Client(stream).call("echo", text="x")
            assert "strict-transport-security" not in answer.headers


async def test_pipelined_requests(world: World) -> None:
    async with (
        node({"probe": make_server(Probe())}, child_spec(world.config())),
        world.connect() as client,
    ):
        # More than one TLS record, and more than is read at once.
        texts = [f"{number} " + "x" * 1000 for number in range(200)]
        wire = b"".join(http("POST", **modern_call("echo", text=text)) for text in texts)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, wire)
            assert [(await client.answer()).text for _ in texts] == texts


async def test_a_record_holds_more_than_one_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TLS has decrypted already makes no socket readable."""
    monkeypatch.setattr("erlmcp_py.transports.net.tls.wire.READ_SIZE", 100)
    async with (
        node({"probe": make_server(Probe())}, child_spec(world.config())),
        world.connect() as client,
    ):
        later = http("POST", **modern_call("later", text="first"))
        await client.send(later + ECHO)  # the second is read while the first is at work
        with trio.fail_after(5):
            assert (await client.answer()).text == "first"
            assert (await client.answer()).text == "x"


async def test_big_bodies_both_ways(world: World) -> None:
    text = "0123456789" * 300_000
    async with (
        node({"probe": make_server(Probe())}, child_spec(world.config())),
        world.connect() as client,
    ):
        assert (await client.call("echo", text=text)).text == text


async def test_a_slow_reader_gets_every_byte(world: World) -> None:
    text = "0123456789" * 400_000
    async with (
        node({"probe": make_server(Probe())}, child_spec(world.config())),
        world.connect() as client,
    ):
        await client.send(http("POST", **modern_call("echo", text=text)))
        (connection,) = await _inside()
        await until(lambda: connection.wire.stuck_since is not None)
        assert (await client.answer()).text == text
        assert connection.wire.stuck_since is None


async def failed_handshakes(count: int) -> None:
    """Wait until so many have been counted."""
    with trio.fail_after(5):
        while (await statistics("http")).failed_handshakes != count:
            await trio.sleep(0.01)


async def _inside() -> list[Any]:
    state = await sys.get_state("http_connections")
    return list(state.open.values())


async def test_a_client_that_does_not_read_is_closed(world: World) -> None:
    config = msgspec.structs.replace(world.config(), idle_timeout=0.3)
    async with node({"probe": make_server(Probe())}, child_spec(config)):
        big = http("POST", **modern_call("echo", text="x" * 1_000_000))
        async with world.connect() as client:
            with trio.move_on_after(5), contextlib.suppress(trio.BrokenResourceError):
                while True:
                    await client.send(big)
            assert (await statistics("http")).reaped == 1


async def test_a_client_that_leaves_cancels_its_call(world: World) -> None:
    probe = Probe()
    async with node({"probe": make_server(probe)}, child_spec(world.config())):
        async with world.connect() as client:
            await client.send(http("POST", **modern_call("hang")))
            await probe.started.wait()
        with trio.fail_after(5):
            await probe.cancelled.wait()


async def test_changes_are_told_also_to_one_who_reads_late(world: World) -> None:
    server = make_server(Probe())

    @server.resource("a:fixed")
    def fixed() -> str:
        """A resource."""
        return "fixed"

    rounds = 30_000
    async with node({"probe": server}, child_spec(world.config())), world.connect() as client:
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "subscriptions/listen",
            "params": {"_meta": meta(), "notifications": {"resourceSubscriptions": ["a:fixed"]}},
        }
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"}
        await client.send(http("POST", "/mcp", body, headers))
        assert (await client.head())[0] == 200
        await client.chunk()
        told = 0
        (connection,) = await _inside()
        for _ in range(rounds):
            # Written in the publisher's turn, until the system takes no more: a record is cut.
            server.notify_updated("a:fixed")
            if connection.wire.stuck_since is not None:
                break
            await trio.lowlevel.checkpoint()
        assert connection.wire.stuck_since is not None
        server.notify_updated("a:fixed")
        with trio.move_on_after(0.5):
            while True:
                chunk = await client.chunk()
                event = json.loads(chunk.split(b"data: ", 1)[1])
                assert event["method"] == "notifications/resources/updated"
                told += 1
        assert told > 1000
        assert connection.wire.stuck_since is None


async def test_another_process_goes_on_with_the_connection(world: World) -> None:
    """`hand_over`: what was agreed in the handshake goes along."""
    gate = test_resuming.Gate()
    async with (
        node({"s": test_resuming.make(gate)}, child_spec(world.config())),
        world.connect() as client,
    ):
        session = await client.initialize()
        headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
        await client.send(http("POST", "/mcp", legacy_call("let_go"), headers))
        await client.head()
        await client.chunk()
        retry = await client.chunk()
        assert retry.startswith(b"retry:")
        assert await client.chunk() == b""
        assert (await client.call("echo", text="x")).text == "x"
        gate.open.set()


async def test_those_who_do_not_speak_tls_are_told(world: World) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(world.config())):
        info = (await registry.transports())["http"].info
        async with await trio.open_tcp_stream(info["host"], info["port"]) as stream:
            client = Client(stream)
            await client.send(ECHO)
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (400, "close")
            assert "https://" in answer.json["error"]["message"]
            assert await client.closed()
        await failed_handshakes(1)


@pytest.mark.parametrize("hello", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
async def test_who_is_slow_to_shake_hands_is_closed_and_holds_nobody_up(
    world: World, hello: bytes
) -> None:
    config = world.config(handshake_timeout=0.3)
    async with node({"probe": make_server(Probe())}, child_spec(config)):
        info = (await registry.transports())["http"].info
        async with await trio.open_tcp_stream(info["host"], info["port"]) as slow:
            if hello:
                await slow.send_all(hello)
            async with world.connect() as client:
                assert (await client.call("echo", text="x")).text == "x"
            with trio.fail_after(5):
                with contextlib.suppress(trio.BrokenResourceError):
                    assert await slow.receive_some() == b""
        await failed_handshakes(1)


async def test_nonsense_for_a_handshake_costs_nothing(world: World) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(world.config())) as reports:
        info = (await registry.transports())["http"].info
        before = open_descriptors()
        for number in range(50):
            async with await trio.open_tcp_stream(info["host"], info["port"]) as stream:
                nonsense = b"\x16" + bytes((number * i) % 256 for i in range(number * 20))
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_all(nonsense)
                    await stream.send_eof()
                    while await stream.receive_some():
                        pass
        await until(lambda: open_descriptors() == before)
        await failed_handshakes(50)
        assert not [report for report in reports if "crash" in type(report).__name__.lower()]


async def test_the_oldest_version_is_configured(world: World) -> None:
    old = world.authority.client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with (
        node({"probe": make_server(Probe())}, child_spec(world.config())),
        world.connect(old) as client,
    ):
        assert (await client.call("echo", text="x")).text == "x"
    async with node({"probe": make_server(Probe())}, child_spec(world.config(minimum="1.3"))):
        with pytest.raises(trio.BrokenResourceError):
            async with world.connect(old):
                raise AssertionError("it was let in")


async def test_client_certificates(world: World, tmp_path: Path) -> None:
    pair = {"certificate": tmp_path / "client.pem", "key": tmp_path / "client.key"}
    world.authority.issue(pair["certificate"], pair["key"], "client")
    stranger = {"certificate": tmp_path / "stranger.pem", "key": tmp_path / "stranger.key"}
    Authority(tmp_path, "nobody").issue(stranger["certificate"], stranger["key"], "stranger")

    async def let_in(context: ssl.SSLContext) -> bool:
        # Under TLS 1.3 the client is done before the node has looked at its certificate.
        async with world.connect(context) as client:
            try:
                return (await client.call("echo", text="x")).text == "x"
            except (trio.BrokenResourceError, AssertionError):
                return False

    with_it = world.authority.client_context(**pair)
    with_another = world.authority.client_context(**stranger)
    without = world.authority.client_context()
    ca = str(world.authority.path)
    required = world.config(client_ca=ca, client_certificates="required")
    async with node({"probe": make_server(Probe())}, child_spec(required)):
        assert [await let_in(c) for c in (with_it, with_another, without)] == [True, False, False]
    optional = world.config(client_ca=ca, client_certificates="optional")
    async with node({"probe": make_server(Probe())}, child_spec(optional)):
        assert [await let_in(c) for c in (with_it, with_another, without)] == [True, False, True]


async def test_the_end_is_said(world: World) -> None:
    """So that a client can tell it from a connection that somebody has cut."""
    async with node({"probe": make_server(Probe())}, child_spec(world.config())):
        info = (await registry.transports())["http"].info

        def ask(wire: bytes) -> bytes:
            context = world.authority.client_context()
            with (
                socket.create_connection((info["host"], info["port"]), timeout=5) as plain,
                context.wrap_socket(
                    plain, server_hostname="localhost", suppress_ragged_eofs=False
                ) as stream,
            ):
                stream.sendall(wire)
                data = b""
                while piece := stream.recv(65536):  # an end that is not said raises
                    data += piece
                return data

        closing = ECHO.replace(b"Host:", b"Connection: close\r\nHost:")
        assert b'"text":"x"' in await trio.to_thread.run_sync(ask, closing)
        assert b" 400 " in await trio.to_thread.run_sync(ask, b"NONSENSE\r\n\r\n")


async def test_a_request_that_is_cut_is_not_carried_out(world: World) -> None:
    probe = Probe()
    async with node({"probe": make_server(probe)}, child_spec(world.config())):
        async with world.connect() as client:
            await client.send(http("POST", **modern_call("patient"))[:-1])
        with trio.fail_after(5):
            while await which_children("http_connections"):
                await trio.sleep(0.01)
        assert not probe.started.is_set()


async def test_a_new_certificate_is_taken_and_nobody_notices(world: World) -> None:
    async with (
        node({"probe": make_server(Probe())}, child_spec(world.config())),
        world.connect() as old,
    ):
        assert shown(old) == "first"
        assert (await call("http_certificates", "facts"))[1]["subject"] == "CN=first"
        world.issue("second")
        status, facts = await call("http_certificates", "reload")
        assert (status, facts["subject"], facts["days_left"]) == ("ok", "CN=second", 364)
        async with world.connect() as fresh:
            assert shown(fresh) == "second"
            assert (await fresh.call("echo", text="x")).text == "x"
        assert (await old.call("echo", text="y")).text == "y"
        # A bad one is refused, and the good one stays.
        replace(world.key, b"nothing")
        status, text = await call("http_certificates", "reload")
        assert (status, str(world.key) in text) == ("error", True)
        send("http_certificates", "look")
        async with world.connect() as fresh:
            assert shown(fresh) == "second"


async def test_a_killed_keeper_costs_no_connection(world: World) -> None:
    async with (
        node({"probe": make_server(Probe())}, child_spec(world.config())),
        world.connect() as client,
    ):
        (child,) = await which_children("http_connections")
        await kill(whereis("http_certificates"))
        await until(lambda: whereis("http_certificates"))
        assert (await client.call("echo", text="x")).text == "x"
        assert [c.pid for c in await which_children("http_connections")] == [child.pid]


@pytest.mark.parametrize("victim", ["http_socket", "http"])
async def test_a_killed_listener_opens_again_whatever_the_files_are_now(
    world: World, victim: str
) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(world.config())):
        replace(world.certificate, b"gone")
        await kill(whereis(victim))
        await until(lambda: whereis("http_listener"))
        with trio.fail_after(5):
            while "http" not in await registry.transports():
                await trio.sleep(0.005)
        async with world.connect() as client:
            assert (shown(client), (await client.call("echo", text="x")).text) == ("first", "x")


async def test_one_too_many_is_closed(world: World) -> None:
    config = msgspec.structs.replace(world.config(), max_connections=1)
    async with (
        node({"probe": make_server(Probe())}, child_spec(config)),
        world.connect() as first,
    ):
        with pytest.raises(trio.BrokenResourceError):
            async with world.connect():
                raise AssertionError("it was let in")
        assert (await first.call("echo", text="x")).text == "x"
        assert (await statistics("http")).refused == 1


async def test_files_that_cannot_be_used_stop_the_start(world: World) -> None:
    world.issue("late", since=-30, days=-1)
    async with Runtime():
        with pytest.raises(StartError) as failed:
            await start_on(world.config())
    kind, text = failed.value.reason
    assert (kind, "expired on" in text) == ("tls", True)
