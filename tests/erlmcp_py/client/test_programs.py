"""Programs on pipes: those that are older, slow, noisy, dying."""

from __future__ import annotations

import os
import signal
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
from supervisors import Backoff
from tests.erlmcp_py.client.bad import program
from tests.erlmcp_py.transports.node import open_descriptors

pytestmark = pytest.mark.usefixtures("soon")

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
