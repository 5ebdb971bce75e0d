"""The socket itself: rude clients, slow clients, many clients, plug-in commands."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import trio

from erlmcp_py.console import control
from erlmcp_py.console.client import Client, CommandFailed, NodeGone, NoSuchNode
from erlmcp_py.console.command import Command
from erlmcp_py.console.table import Announcer
from erlmcp_py.console.wire import MAX_REQUEST
from supervisors import (
    ChildSpec,
    Supervisor,
    SupFlags,
    exit_signal,
    start_child,
    sys,
    terminate_child,
    whereis,
)


async def talk(node: Any, sent: bytes, *, half_close: bool = True) -> list[dict[str, Any]]:
    """Send raw bytes, read to the end."""

    def raw() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(node.console.claim.path))
            client.sendall(sent)
            if half_close:
                client.shutdown(socket.SHUT_WR)
            received = b""
            while more := client.recv(65536):
                received += more
            return received

    received = await trio.to_thread.run_sync(raw)
    return [json.loads(line) for line in received.splitlines()]


async def test_lines_are_answered_in_order_until_the_input_ends(node: Any) -> None:
    replies = await talk(node, b'{"command":"ping"}\n\n{"command":"none"}\n{"command":"ping"}\n')
    assert [list(reply) for reply in replies] == [["ok"], ["error"], ["ok"]]
    assert replies[1]["error"]["code"] == "unknown_command"


async def test_nonsense_is_answered_and_forgiven(node: Any) -> None:
    replies = await talk(node, b'GET / HTTP/1.1\n{"command":"ping"}\n')
    assert replies[0]["error"]["code"] == "bad_request"
    assert replies[1]["ok"]["pong"] == "demo"


async def test_a_line_without_an_end_closes_the_connection(node: Any) -> None:
    (reply,) = await talk(node, b"x" * (MAX_REQUEST + 2), half_close=False)
    assert reply["error"] == {
        "code": "bad_request",
        "message": f"a request is at most {MAX_REQUEST} bytes; closing",
    }


async def test_misspelt_commands_and_arguments_are_helped(node: Any) -> None:
    for request, words in (
        ({"command": "tre"}, "did you mean 'tree'"),
        ({"command": "ps", "args": {"sorted": "x"}}, "takes no 'sorted'; did you mean 'sort'"),
        ({"command": "ps", "args": {"sort": "size"}}, "sort must be one of mailbox"),
    ):
        (reply,) = await talk(node, json.dumps(request).encode() + b"\n")
        assert words in reply["error"]["message"]


async def test_many_clients_at_once(node: Any) -> None:
    results: list[Any] = []

    async def one() -> None:
        results.append(await node.ask("tree"))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
    assert len(results) == 20
    assert {result["id"] for result in results} == {"node"}


async def test_more_clients_than_allowed_are_told_so(node: Any) -> None:
    node.console.max_connections = 2
    held = [node.connect(), node.connect()]
    await node.until(lambda: len(node.console.peers) == 2)
    with pytest.raises(CommandFailed, match="2 console clients are connected already"):
        await node.ask("ping")
    held[0].close()
    await node.until(lambda: len(node.console.peers) == 1)
    assert (await node.ask("ping"))["pong"] == "demo"
    held[1].close()


async def sleeps(*_: Any) -> None:
    await trio.sleep_forever()


async def shouts(*_: Any) -> str:
    return "x" * (5 * 1024 * 1024)


async def crashes(*_: Any) -> None:
    raise ZeroDivisionError("one by nought")


async def unspeakable(*_: Any) -> object:
    return {"set": object()}


async def floods(context: Any, _: Any) -> None:
    while True:
        await context.emit("x" * 100_000)


class PlugIn(Supervisor):
    def init(self, *commands: Command) -> Any:
        return SupFlags("one_for_one", 5, 60), [Announcer.child_spec(commands, id="commands")]


async def plug_in(node: Any, *commands: Command) -> None:
    await start_child(
        "node", ChildSpec("plug-in", (PlugIn.start_link, commands), type="supervisor")
    )


async def fails(node: Any, command: str) -> str:
    with pytest.raises(CommandFailed) as error:
        await node.ask(command)
    return error.value.code


async def test_a_command_that_takes_too_long_is_ended(node: Any) -> None:
    await plug_in(node, Command("sleep", "", sleeps, deadline=0.05))
    assert await fails(node, "sleep") == "timeout"
    assert await node.ask("ping")


async def test_an_answer_that_is_too_large_is_not_sent(node: Any) -> None:
    await plug_in(node, Command("shout", "", shouts))
    assert await fails(node, "shout") == "output_too_large"


@pytest.mark.parametrize("handler", [crashes, unspeakable])
async def test_a_crash_of_a_command_is_its_answer(
    node: Any, handler: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    await plug_in(node, Command("crash", "", handler))
    with node.connect() as client:

        def twice() -> list[str]:
            codes = []
            for _ in range(2):
                try:
                    client.request("crash")
                except CommandFailed as error:
                    codes.append(error.code)
            return codes

        assert await trio.to_thread.run_sync(twice) == ["crashed", "crashed"]


async def test_a_client_that_does_not_read_loses_its_connection(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "WRITE_TIMEOUT", 0.1)
    await plug_in(node, Command("flood", "", floods, deadline=60.0))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(node.console.claim.path))
        client.sendall(b'{"command":"flood"}\n')
        await node.until(lambda: node.console.peers)
        assert await node.ask("ping")
        await node.until(lambda: not node.console.peers)


async def test_a_client_that_leaves_ends_its_command(node: Any) -> None:
    await plug_in(node, Command("sleep", "", sleeps, deadline=60.0))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(node.console.claim.path))
        client.sendall(b'{"command":"sleep"}\n')
        await node.until(lambda: node.console.peers)
    await node.until(lambda: not node.console.peers)


async def test_commands_come_and_go_with_their_application(node: Any) -> None:
    def names(listed: Any) -> list[str]:
        return [command["name"] for command in listed]

    await plug_in(node, Command("extra.one", "", shouts), Command("ping", "a thief", crashes))
    assert "extra.one" in names(await node.ask("commands"))
    assert (await node.ask("ping"))["pong"] == "demo"

    before = whereis("commands")
    assert before is not None
    exit_signal(before, "kill")
    with trio.fail_after(5):
        while "extra.one" not in names(await node.ask("commands")):
            await trio.sleep(0.01)

    await terminate_child("node", "plug-in")
    assert "extra.one" not in names(await node.ask("commands"))


async def test_the_table_being_down_hides_only_what_was_added(node: Any) -> None:
    await sys.suspend("commands")
    assert (await node.ask("ping"))["pong"] == "demo"
    assert (await node.ask("resume", target="commands"))["status"] == "running"


async def test_the_listener_comes_back(node: Any) -> None:
    attached = node.connect()
    await node.ask("kill", target="control")
    with trio.fail_after(5):
        while True:
            try:
                assert (await node.ask("ping"))["pong"] == "demo"
                break
            except (NodeGone, NoSuchNode):
                await trio.sleep(0.005)
    pong = await trio.to_thread.run_sync(lambda: attached.request("ping"))
    assert pong["pong"] == "demo"
    attached.close()


def test_no_such_node(tmp_path: Any) -> None:
    with pytest.raises(NoSuchNode, match="no node named 'x' is running; looked in"):
        Client.connect("x", tmp_path / "nowhere")
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(directory / "x.sock"))
    with pytest.raises(NoSuchNode, match="no node named 'x'"):
        Client.connect("x", directory)
    directory.chmod(0o777)
    with pytest.raises(NoSuchNode, match="open to others"):
        Client.connect("x", directory)
