"""Programs on pipes: those that are older, slow, noisy, dying; and connections that are made again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.client import (
    Client,
    ConnectError,
    ConnectionLost,
    NotConnected,
    agreeing,
    connection,
    duplex,
)
from erlmcp_py.client.where import ByCommand
from erlmcp_py.server import Server
from erlmcp_py.transports import tcp
from supervisors import Backoff, Runtime, exit_signal
from tests.erlmcp_py.client.bad import program
from tests.erlmcp_py.client.serving import port_of
from tests.erlmcp_py.transports.node import node, open_descriptors


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are made again without a pause worth waiting for."""
    monkeypatch.setattr(connection, "PAUSE", Backoff(first=0.01, factor=2.0, limit=0.1))


OLD = """
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "initialize":
        answer(asked, HELLO)
    elif asked["method"] == "tools/call":
        {call}
    elif asked["method"] == "tools/list":
        answer(asked, {{"tools": []}})
    elif "id" in asked:
        {unknown}
"""
ECHO = 'answer(asked, {"content": [{"type": "text", "text": json.dumps(asked["params"]["arguments"])}]})'


def old(call: str = ECHO, unknown: str = "refuse(asked, -32601)") -> str:
    return OLD.format(call=call, unknown=unknown)


@pytest.mark.parametrize(
    "unknown", ["refuse(asked, -32601)", "refuse(asked, 0)", "sys.exit(3)", 'say({"oops": 1})']
)
async def test_an_older_program_however_it_takes_what_it_does_not_know(
    unknown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if unknown.startswith("say"):  # the others end the wait, however long they take to start
        monkeypatch.setattr(agreeing, "DISCOVER_TIMEOUT", 0.2)
    async with program(old(unknown=unknown)) as client:
        assert client.hello.version == "2025-11-25"
        assert "1" in str(await client.call_tool("x", {"a": 1}))


async def test_noise_is_no_message() -> None:
    code = 'print("starting…")\n' + old(call='say("debug: {"); say(""); say("[1]"); ' + ECHO)
    async with program(code) as client:
        await client.call_tool("x")


async def test_nothing_but_noise() -> None:
    code = old(call='[say("noise") for _ in range(200)]')
    async with program(code) as client:
        with pytest.raises(ConnectionLost, match="sends no messages but 'noise'"):
            await client.call_tool("x")
        await client.list_tools()  # of the next one
        assert client.status().connections == 2


async def test_answers_to_what_nobody_asked_are_dropped() -> None:
    code = old(call='say({"jsonrpc": "2.0", "id": "stranger", "result": {}}); ' + ECHO)
    async with program(code) as client:
        await client.call_tool("x")


async def test_a_message_without_end() -> None:
    code = old(call='sys.stdout.write("x" * (17 << 20)); sys.stdout.flush(); time.sleep(60)')
    async with program(code) as client:
        with pytest.raises(ConnectionLost, match="longer than 16777216 bytes"):
            await client.call_tool("x")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("sys.stdin.readline(); sys.exit('no key')", "ended with status 1; it said: no key"),
        ("sys.stdin.readline(); os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    ],
)
async def test_a_program_that_ends_at_once(code: str, text: str) -> None:
    with pytest.raises(ConnectError, match=text):
        async with program(code):
            pass


async def test_a_program_that_ends_before_it_is_greeted_is_heard_to_its_end() -> None:
    """Its input is closed when the greeting is written, and its last words come later."""
    code = """
asked = json.loads(sys.stdin.readline())
os.close(0)
refuse(asked, -32601)
time.sleep(0.1)
sys.exit("no key")
"""
    with pytest.raises(ConnectError, match="ended with status 1; it said: no key"):
        async with program(code):
            pass


async def test_a_program_that_reads_no_more_and_lives_on_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duplex, "LAST_WORDS", 0.05)
    reasons = []
    async with program(old(call=f"os.close(0); {ECHO}; time.sleep(600)")) as client:
        await client.call_tool("x")

        async def watch() -> None:
            while client.status().reason is None:
                await client.changed()
            reasons.append(client.status().reason)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await client.call_tool("x")  # was not sent to the first, so the next one has it
        assert client.status().connections == 2
    assert reasons == ["the server does not read any more"]


async def test_a_command_that_cannot_be_run() -> None:
    with pytest.raises(ConnectError, match="was not found on the node: PATH is /nowhere;"):
        async with Client.stdio("no-such-program-here", env={"PATH": "/nowhere"}):
            pass


async def test_a_call_in_flight_ends_with_the_program_and_the_next_one_has_another() -> None:
    ports: list[Any] = []
    errors: list[str] = []
    before = open_descriptors()
    code = old(call="os.kill(os.getpid(), 9)")
    async with program(code, on_port=ports.append, on_stderr=errors.append) as client:
        for number in range(3):
            with pytest.raises(ConnectionLost, match="SIGKILL") as caught:
                await client.call_tool("x")
            assert caught.value.maybe_done
            assert await client.list_tools() == []
            assert client.status().connections == number + 2
    pids = [port.pid for port in ports if port is not None]
    assert len(set(pids)) == 4
    assert not any(is_there(pid) for pid in pids)
    assert open_descriptors() <= before + 2  # the warden's pipe stays


LEAVES = """
if os.fork() == 0:
    os.setsid()
    sys.stderr.write("%d\\n" % os.getpid())
    sys.stderr.flush()
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ("sys.exit(7)", "ended with status 7"),
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
        (f"{ECHO}; sys.exit(7)", None),
    ],
)
async def test_a_call_in_flight_ends_with_the_program_whoever_has_its_pipes_open(
    end: str, text: str | None
) -> None:
    """A daemon it has started holds them; what it has answered before its end is heard."""
    daemons: list[str] = []
    code = LEAVES + old(call=end)
    async with program(code, on_stderr=daemons.append) as client:
        with trio.fail_after(20):
            if text is None:
                assert "1" in str(await client.call_tool("x", {"a": 1}))
            else:
                with pytest.raises(ConnectionLost, match=text) as caught:
                    await client.call_tool("x", timeout=600)
                assert caught.value.maybe_done
            while client.status().connections == 1:
                await client.changed()
        assert await client.list_tools() == []
    for pid in daemons:
        os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize(
    ("asked", "ends"),
    [({}, False), ({"end_daemons": True}, True), (None, True)],
    ids=["a client's stays", "unless it is asked", "a node's ends"],
)
async def test_what_becomes_of_a_daemon_when_its_program_crashes(
    asked: dict[str, bool] | None, ends: bool
) -> None:
    daemons: list[str] = []
    client = program(LEAVES + old(call="sys.exit(7)"), on_stderr=daemons.append, **asked or {})
    if asked is None:
        assert isinstance(client.where, ByCommand)
        client = Client(ByCommand(client.where.command, daemons.append))
    try:
        async with client:
            with pytest.raises(ConnectionLost, match="ended with status 7"):
                await client.call_tool("x")
            assert await client.list_tools() == []  # of the next program
            with trio.fail_after(20):
                while len(daemons) < 2:
                    await trio.sleep(0.01)
            assert (alive(int(daemons[0])), alive(int(daemons[1]))) == (not ends, True)
        assert [alive(int(pid)) for pid in daemons] == [not ends] * 2
    finally:
        for pid in daemons:
            if alive(int(pid)):
                os.kill(int(pid), signal.SIGKILL)


def alive(pid: int) -> bool:
    """Its parent, who is none of ours, may have left it as it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_program_that_closes_its_output_and_lives_on_is_given_up() -> None:
    async with program(old(call="os.close(1); time.sleep(600)")) as client:
        with pytest.raises(ConnectionLost, match="closed its output") as caught:
            await client.call_tool("x")
        assert caught.value.maybe_done
        assert await client.list_tools() == []


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_program_that_does_not_come_back() -> None:
    flag = f"/tmp/erlmcp-client-{os.getpid()}"
    code = f"""
if os.path.exists({flag!r}):
    sys.stdin.readline()
    sys.exit("no more")
open({flag!r}, "w").close()
""" + old(call="sys.exit(7)")
    try:
        async with program(code) as client:
            with pytest.raises(ConnectionLost, match="ended with status 7"):
                await client.call_tool("x")
            while "no more" not in (client.status().reason or ""):
                await trio.sleep(0.01)
            with pytest.raises(NotConnected, match=r"not connected for 0\.3 s: .*no more"):
                await client.call_tool("x", timeout=0.3)
            status = client.status()
            assert (status.state, status.connections) == ("down", 1)
    finally:
        os.unlink(flag)  # noqa: PTH108


async def test_a_stopped_program_is_a_time_out_and_no_more() -> None:
    ports: list[Any] = []
    async with program(old(), on_port=ports.append) as client:
        os.kill(ports[0].pid, signal.SIGSTOP)
        with pytest.raises(Exception, match=r"no answer within 0\.2 s"):
            await client.call_tool("x", timeout=0.2)
        os.kill(ports[0].pid, signal.SIGCONT)
        await client.call_tool("x")


async def test_begun_anew_it_has_another_program_whatever_the_pause_and_calls_are_told_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "PAUSE", Backoff(first=3600.0, factor=1.0, limit=3600.0))
    ports: list[Any] = []
    async with program(old(call="pass"), on_port=ports.append) as client:

        async def wait_for_ever() -> None:
            with pytest.raises(ConnectionLost, match=r"^somebody has said so$"):
                await client.call_tool("x")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_ever)
            while client.status().in_flight == 0:
                await trio.sleep(0.01)
            assert await client.begin_anew("somebody has said so")
        assert await client.list_tools() == []
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.begin_anew("somebody who goes away")
        with trio.fail_after(60):
            assert await client.list_tools() == []
        assert client.status().connections == 3
        pids = [port.pid for port in ports if port is not None]
        assert len(set(pids)) == 3
        assert [is_there(pid) for pid in pids] == [False, False, True]
    assert not await client.begin_anew("too late")


async def test_below_a_supervisor_it_connects_in_its_own_time() -> None:
    from supervisors import DynamicSupervisor, spawn, start_child, terminate_child

    client = Client.stdio(
        sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit('broken')", timeout=5.0
    )
    async with Runtime():
        done = trio.Event()

        async def top() -> None:
            sup = await DynamicSupervisor.start_link()
            pid = await start_child(sup, client.child_spec())
            while "broken" not in (client.status().reason or ""):
                await trio.sleep(0.01)
            with pytest.raises(NotConnected, match="broken"):
                await client.call_tool("x", timeout=0.5)
            assert client.status().state == "down"
            await terminate_child(sup, pid)
            done.set()

        spawn(top)
        with trio.fail_after(20):
            await done.wait()


def echoing() -> Server:
    server = Server("probe", version="1")

    @server.tool()
    async def later(text: str) -> str:
        """Say it back, after a while."""
        await trio.sleep(0.05)
        return text

    return server


async def test_a_lost_connection_is_made_again(autojump_clock: object) -> None:
    """Killed at the client, under load: who waits gets an answer or a clear error."""
    async with node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))):
        outcomes: list[str] = []
        async with Client.tcp("127.0.0.1", await port_of("tcp")) as client:

            async def caller() -> None:
                for number in range(50):
                    try:
                        await client.call_tool("later", {"text": str(number)})
                        outcomes.append("ok")
                    except ConnectionLost as lost:
                        outcomes.append("lost" if lost.maybe_done else "unsent")

            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(caller)
                for _ in range(5):
                    await trio.sleep(0.3)
                    pid = client.connection_pid()
                    if pid is not None:
                        exit_signal(pid, "kill")
            assert client.status().connections >= 2
        assert len(outcomes) == 500
        assert set(outcomes) == {"ok", "lost"}
        assert outcomes.count("lost") >= 10


async def test_a_subscription_outlives_its_connection(autojump_clock: object) -> None:
    server = echoing()
    async with (
        node({"probe": server}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp")) as client,
        client.subscribe(tools=True) as changes,
    ):
        pid = client.connection_pid()
        assert pid is not None
        exit_signal(pid, "kill")
        # Nobody knows what was missed, so it is announced.
        assert (await anext(changes)).kind == "tools"
        server.tool(name="more")(lambda: "x")
        assert (await anext(changes)).kind == "tools"


async def test_a_connection_is_given_up_for_a_reason_of_the_program(autojump_clock: object) -> None:
    async with (
        node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp")) as client,
    ):
        for number in range(1, 4):
            client.reconnect("no answer to a ping")
            status = client.status()
            assert (status.state, status.reason) == ("down", "no answer to a ping")
            await client.changed()
            put_off = client.status()
            assert put_off.next_try is not None
            assert put_off.next_try > trio.current_time()
            await client.changed()
            status = client.status()
            assert (status.state, status.connections, status.failures) == ("up", number + 1, number)
            assert status.in_vain == 0


async def test_pauses_are_the_programs_choice(autojump_clock: object) -> None:
    began = trio.current_time()
    pause = Backoff(first=5.0, factor=1.0, limit=5.0, jitter=0.0)
    async with (
        node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp"), pause=pause) as client,
    ):
        client.reconnect("for a test")
        await client.call_tool("later", {"text": "x"})
        assert trio.current_time() - began == pytest.approx(5.05, abs=0.02)


@pytest.mark.parametrize("killed", [False, True])
async def test_a_server_of_this_program_is_stopped_in_order(
    killed: bool, autojump_clock: object
) -> None:
    lived: list[str] = []

    @asynccontextmanager
    async def life(_: Server) -> AsyncIterator[None]:
        lived.append("begun")
        yield
        lived.append("ended")

    server = Server("alive", version="1", lifespan=life)
    async with Client.in_process(server) as client:
        if killed:
            pid = client.connection_pid()
            assert pid is not None
            exit_signal(pid, "kill")
            await client.changed()
            await client.ping()
            assert client.status().connections == 2
    assert lived == ["begun", "ended"] * (2 if killed else 1)


async def test_a_server_of_this_program_that_does_not_start() -> None:
    @asynccontextmanager
    async def life(_: Server) -> AsyncIterator[None]:
        raise ConnectionError("no database")
        yield

    with pytest.raises(ConnectError, match=r"did not start: .*ConnectionError: no database"):
        async with Client.in_process(Server("closed", version="1", lifespan=life)):
            pass


async def test_a_client_whose_tree_was_killed_can_be_left(autojump_clock: object) -> None:
    async with (
        node({"probe": echoing()}, tcp.child_spec(tcp.TcpSettings(server="probe"))),
        Client.tcp("127.0.0.1", await port_of("tcp"), timeout=1.0) as client,
    ):
        assert client.pid is not None
        exit_signal(client.pid, "kill")
        await trio.sleep(0.1)
        with pytest.raises(NotConnected):
            await client.call_tool("later", {"text": "x"})
