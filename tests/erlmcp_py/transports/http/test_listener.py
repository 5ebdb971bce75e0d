"""Sockets: start, limits, idle clients, kills, and what goes wrong on the wire."""

from __future__ import annotations

import errno
import resource
import socket

import pytest
import trio

from erlmcp_py import registry, sessions
from erlmcp_py.transports.http.request import HttpLimits, HttpRequest
from erlmcp_py.transports.http.settings import ListenerConfig, RouteAnswer
from erlmcp_py.transports.http.supervisor import child_spec, protocol
from erlmcp_py.transports.net.supervisor import connections, start_link, statistics
from supervisors import (
    CallExit,
    Runtime,
    StartError,
    WarningReport,
    call,
    process_info,
    spawn,
    sys,
    terminate_child,
    trap_exit,
    whereis,
    which_children,
)
from tests.erlmcp_py.transports.http.client import connect, http, modern_call
from tests.erlmcp_py.transports.node import Probe, kill, make_server, node, open_descriptors, until

HTTP = ListenerConfig(port=0)
ECHO = http("POST", **modern_call("echo", text="x"))


async def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with Runtime():
            with pytest.raises(StartError) as failed:
                await start_on(ListenerConfig(port=port))
            assert failed.value.reason == ("port_in_use", "127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "fault"), [("192.0.2.1", "address_not_available"), ("no such host", "unknown_host")]
)
async def test_an_address_that_is_not_ours_is_named(host: str, fault: str) -> None:
    async with Runtime():
        with pytest.raises(StartError) as failed:
            await start_on(ListenerConfig(host=host, port=0))
        assert failed.value.reason[:2] == (fault, host)


async def start_on(config: ListenerConfig) -> None:
    """Start a listener from a process, as supervisors do, and pass its failure on."""
    failed: list[StartError] = []
    done = trio.Event()

    async def starter() -> None:
        trap_exit()
        try:
            await start_link(config, protocol(config))
        except StartError as error:
            failed.append(error)
        done.set()

    spawn(starter)
    await done.wait()
    if failed:
        raise failed[0]


async def test_it_registers_and_shows_its_connections_in_the_tree() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)):
        entry = (await registry.transports())["http"]
        assert entry.pid == whereis("http_listener")
        assert entry.info["kind"] == "http"
        assert entry.info["address"] == f"127.0.0.1:{entry.info['port']}"
        async with connect() as client:
            await client.call("echo", text="x")
            (child,) = await which_children("http_connections")
            port = client.stream.socket.getsockname()[1]
            info = process_info(child.pid)
            assert info is not None
            assert info.label == f"http 127.0.0.1:{port}"
            (numbers,) = await connections("http")
            assert (numbers.pid, numbers.requests) == (child.pid, 1)
            assert numbers.bytes_in > 100
            assert numbers.bytes_out > 100
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await which_children("http_connections") == []
        totals = await statistics("http")
        assert (totals.open, totals.accepted, totals.requests) == (0, 1, 1)


async def test_the_state_of_every_process_can_be_shown() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        session = await client.initialize()
        pid = await sessions.find(session)
        assert pid is not None
        registered = (await sys.get_status("registry"))["state"]
        assert list(registered["servers"]) == ["probe"]
        assert registered["default"] == "probe"
        assert (await sys.get_status("http_connections"))["state"]["open"] == 1
        assert (await sys.get_status("sessions"))["state"]["live"] == 1
        assert (await sys.get_status(pid))["state"]["id"] == session


async def test_a_hundred_connections_at_once() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)):
        before = open_descriptors()
        answers: list[str] = []

        async def one(number: int) -> None:
            async with connect() as client:
                for turn in range(3):
                    answer = await client.call("echo", turn, text=str(number))
                    answers.append(answer.text)

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(one, number)
        assert sorted(answers) == sorted(str(n) for n in range(100) for _ in range(3))
        await until(lambda: open_descriptors() == before)


async def test_the_limit_turns_the_next_one_away() -> None:
    async with node(
        {"probe": make_server(Probe())}, child_spec(ListenerConfig(port=0, max_connections=1))
    ):
        async with connect() as first:
            assert (await first.call("echo", text="x")).text == "x"
            async with connect() as second:
                answer = await second.answer()
                assert (answer.status, answer.headers["connection"]) == (503, "close")
                assert await second.closed()
            assert (await statistics("http")).refused == 1
            assert (await first.call("echo", text="y")).text == "y"
        await trio.testing.wait_all_tasks_blocked(0.01)
        async with connect() as third:
            assert (await third.call("echo", text="z")).text == "z"


async def test_idle_connections_are_closed_and_busy_ones_are_not() -> None:
    config = ListenerConfig(port=0, idle_timeout=0.3)
    probe = Probe()
    async with node({"probe": make_server(probe)}, child_spec(config)):
        async with connect() as idle, connect() as dribbling, connect() as busy:
            await idle.call("echo", text="x")
            await dribbling.send(ECHO[:-1])
            await busy.send(http("POST", **modern_call("patient", seconds=0.9)))
            with trio.fail_after(5):
                assert await idle.closed()
                assert await dribbling.closed()
            assert (await busy.answer()).text == "done"
        assert (await statistics("http")).reaped == 2


async def test_a_client_that_does_not_read_is_closed() -> None:
    config = ListenerConfig(port=0, idle_timeout=0.3)
    async with node({"probe": make_server(Probe())}, child_spec(config)):
        big = http("POST", **modern_call("echo", text="x" * 1_000_000))
        async with connect() as client:
            with trio.move_on_after(5):
                try:
                    while True:
                        await client.send(big)
                except trio.BrokenResourceError:
                    pass
            assert (await statistics("http")).reaped == 1


@pytest.mark.parametrize("victim", ["http_listener", "http_socket"])
async def test_a_killed_listener_costs_no_connection(victim: str) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)):
        port = (await registry.transports())["http"].info["port"]
        async with connect() as client:
            await client.call("echo", text="x")
            (child,) = await which_children("http_connections")
            await kill(whereis(victim))
            # Connected before the successor accepts: the system's queue was not lost.
            async with Connected(port) as fresh:
                assert (await fresh.call("echo", text="y")).text == "y"
            assert (await client.call("echo", text="z")).text == "z"
            assert child.pid in [c.pid for c in await which_children("http_connections")]
        assert (await registry.transports())["http"].info["port"] == port


class Connected:
    """A client on a known port, without asking the registry."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __aenter__(self):  # type: ignore[no-untyped-def]
        from tests.erlmcp_py.transports.http.client import Client

        self.stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        return Client(self.stream)

    async def __aexit__(self, *_: object) -> None:
        await self.stream.aclose()


@pytest.mark.parametrize("victim", ["http_connections", "http"])
async def test_a_killed_pool_comes_back_on_the_same_port(victim: str) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)):
        port = (await registry.transports())["http"].info["port"]
        async with connect() as client:
            await client.call("echo", text="x")
            await kill(whereis(victim))
            assert await client.closed()
        with trio.fail_after(5):
            await until(lambda: whereis("http_listener"))
            async with Connected(port) as again:
                assert (await again.call("echo", text="y")).text == "y"


async def test_a_killed_connection_costs_only_itself_and_its_call() -> None:
    probe = Probe()
    async with (
        node({"probe": make_server(probe)}, child_spec(HTTP)),
        connect() as client,
        connect() as other,
    ):
        await other.call("echo", text="x")
        await client.send(http("POST", **modern_call("hang")))
        await probe.started.wait()
        (victim,) = [c.pid for c in await connections("http") if c.waiting]
        await kill(victim)
        assert await client.closed()
        with trio.fail_after(5):
            await probe.cancelled.wait()
        assert (await other.call("echo", text="y")).text == "y"


async def test_a_killed_server_answers_the_next_call() -> None:
    probe = Probe()
    async with node({"probe": make_server(probe)}, child_spec(HTTP)), connect() as client:
        await client.send(http("POST", **modern_call("hang")))
        await probe.started.wait()
        await kill(await registry.lookup("probe"))
        lost = await client.answer()
        assert lost.json["error"]["code"] == -32603
        assert (await client.call("echo", text="x")).text == "x"


async def test_without_a_registry_a_request_is_told_to_try_again() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        await client.call("echo", text="x")
        await terminate_child("node", "registry")
        answer = await client.call("echo", text="x")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_server_that_does_not_come_back_is_reported_as_down() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        await terminate_child("servers", "probe")
        answer = await client.call("echo", text="x")
        assert answer.status == 503
        assert "'probe' is down" in answer.json["error"]["message"]


async def test_stopping_the_listener_refuses_and_closes() -> None:
    before = open_descriptors()
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)):
        port = (await registry.transports())["http"].info["port"]
        async with connect() as client:
            await client.call("echo", text="x")
            await terminate_child("node", "http")
            assert await client.closed()
            with pytest.raises(OSError, match=r"connect|attempts"):
                await trio.open_tcp_stream("127.0.0.1", port)
        assert await registry.transports() == {}
        with pytest.raises(CallExit):
            await call("http_connections", ("statistics",))
    assert open_descriptors() == before


async def test_running_out_of_descriptors_is_survived() -> None:
    async with (
        node({"probe": make_server(Probe())}, child_spec(HTTP)) as reports,
        connect() as client,
    ):
        await client.call("echo", text="x")
        port = (await registry.transports())["http"].info["port"]
        late = socket.socket()
        late.setblocking(False)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_descriptors() - 1, hard))
        try:
            with pytest.raises(BlockingIOError):
                late.connect(("127.0.0.1", port))
            await until(lambda: any(isinstance(r, WarningReport) for r in reports))
            assert (await client.call("echo", text="y")).text == "y"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        (report, *_) = [r for r in reports if isinstance(r, WarningReport)]
        assert report.details["errno"] == errno.EMFILE
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(late))
        await stream.send_all(ECHO)
        with trio.fail_after(5):
            assert b"200 OK" in await stream.receive_some(65536)
        await stream.aclose()


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n", 413),
    ],
)
async def test_what_cannot_be_read_is_answered_and_the_connection_closed(
    wire: bytes, status: int
) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        await client.send(ECHO + wire)
        assert (await client.answer()).text == "x"
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        await client.stream.send_eof()
        assert await client.closed()


async def test_an_oversized_body_is_refused_while_it_is_being_sent() -> None:
    config = ListenerConfig(port=0, limits=HttpLimits(max_body=1000))
    async with node({"probe": make_server(Probe())}, child_spec(config)), connect() as client:
        body = b'"' + b"x" * 500_000 + b'"'
        await client.send(http("POST", "/mcp", body))
        assert (await client.answer()).status == 413


async def test_expect_continue() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        request = modern_call("echo", text="x")
        wire = http(
            "POST", "/mcp", request["body"], {**request["headers"], "Expect": "100-continue"}
        )
        head, body = wire.split(b"\r\n\r\n", 1)
        await client.send(head + b"\r\n\r\n")
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(body)
        assert (await client.answer()).text == "x"


async def test_http_1_0_and_connection_close() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)):
        async with connect() as client:
            await client.send(ECHO.replace(b"HTTP/1.1", b"HTTP/1.0"))
            answer = await client.answer()
            assert (answer.text, answer.headers["connection"]) == ("x", "close")
            assert await client.closed()
        async with connect() as client:
            steps = http("POST", **modern_call("steps", count=2, meta={"progressToken": 1}))
            await client.send(steps.replace(b"HTTP/1.1", b"HTTP/1.0"))
            answer = await client.answer()
            assert "transfer-encoding" not in answer.headers
            assert answer.text == "2 steps"
        async with connect() as client:
            wire = ECHO.replace(b"Host:", b"Connection: close\r\nHost:")
            await client.send(wire + ECHO)
            assert (await client.answer()).text == "x"
            assert await client.closed()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        ({"Content-Type": "text/plain"}, 415),
        ({"Accept": "application/json"}, 406),
        ({"Accept": "text/event-stream"}, 406),
        ({"Origin": "http://localhost:3000", "Host": "127.0.0.1:1"}, 200),
        ({"Accept": "*/*"}, 200),
    ],
)
async def test_who_may_call_and_how(headers: dict[str, str], status: int) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        request = modern_call("echo", text="x")
        request["headers"] |= headers
        assert (await client.ask(**request)).status == status
        assert (await client.call("echo", text="still here")).text == "still here"


async def test_paths() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        for path in ("/", "/mcp/", "/mcp/a/b", "/mcpx", "/health"):
            assert (await client.ask("POST", path)).status == 404, path
        named = modern_call("echo", text="x", path="/mcp/probe")
        assert (await client.ask(**named)).text == "x"


async def test_other_routes() -> None:
    async def health(request: HttpRequest) -> RouteAnswer:
        return 200, {"Content-Type": "text/plain", "X-Query": request.query}, b"fine"

    async def dead(_request: HttpRequest) -> RouteAnswer:
        await call("nobody", "anything")
        raise AssertionError("unreachable")

    routes = {"/health": health, "/dead": dead}
    async with node({"probe": make_server(Probe())}, child_spec(HTTP, routes)), connect() as client:
        answer = await client.ask("GET", "/health?a=1", headers={"Host": "10.0.0.7"})
        assert (answer.status, answer.body, answer.headers["x-query"]) == (200, b"fine", "a=1")
        head = await client.ask("HEAD", "/health")
        assert (head.status, head.headers["content-length"], head.body) == (200, "4", b"")
        assert (await client.ask("POST", "/health")).headers["allow"] == "GET, HEAD"
        assert (await client.ask("GET", "/dead")).status == 503
        assert (await client.call("echo", text="x")).text == "x"


async def test_a_request_in_a_thousand_pieces() -> None:
    async with node({"probe": make_server(Probe())}, child_spec(HTTP)), connect() as client:
        for byte in ECHO:
            await client.send(bytes([byte]))
            await trio.lowlevel.checkpoint()
        assert (await client.answer()).text == "x"
