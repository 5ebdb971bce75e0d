"""Sessions of the older revisions stay with their worker, whatever connection their client uses."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
import trio

from tests.erlmcp_py.ports.conftest import state, until
from tests.erlmcp_py.transports.http.client import (
    LEGACY,
    Client,
    Sse,
    http,
    initialize,
    legacy_call,
)
from tests.erlmcp_py.transports.net.certificates import Authority
from tests.erlmcp_py.transports.test_tasks import ask
from tests.erlmcp_py.transports.test_tasks import until as until_ended

from .conftest import Node, descriptors


async def test_a_session_is_served_by_its_worker_on_every_connection(node: Node) -> None:
    await node.until_healthy()
    pids = await node.pids()
    seen = set()
    for _ in range(3):
        session = await (await node.connect()).initialize()
        mine = set()
        for id in range(12):
            client = await node.connect()
            for again in range(2):
                answer = await client.legacy(session, legacy_call("who", id * 2 + again))
                assert answer.status == 200
                mine.add(int(answer.text))
            await client.stream.aclose()
        assert len(mine) == 1
        seen |= mine
    assert seen <= set(pids)


async def test_its_streams_are_too(node: Node) -> None:
    """GET on one connection, DELETE on another, and 404 on all others then."""
    session = await (await node.connect()).initialize()
    headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}
    streams = [await node.connect() for _ in range(6)]
    for stream in streams:
        await stream.send(http("GET", "/mcp", headers=headers))
        status, head = await stream.head()
        assert (status, head["content-type"]) == (200, "text/event-stream")
    assert (await (await node.connect()).ask("DELETE", "/mcp", headers=headers)).status == 204
    with trio.fail_after(10):
        for stream in streams:
            while await stream.chunk():
                pass
    for _ in range(6):
        gone = await (await node.connect()).legacy(session, legacy_call("who", 1))
        assert gone.status == 404


async def test_http_sse_is_too(node: Node) -> None:
    sse = await Sse(await node.connect(), await node.connect()).open()
    await sse.shake_hands()
    answers = set()
    for _ in range(8):
        sse.poster = await node.connect()
        answers.add(await sse.text("who"))
    assert len(answers) == 1


async def test_a_task_is_found_on_every_connection(node: Node) -> None:
    made = await ask(await node.connect(), "tools/call", name="errand", arguments={})
    pid = (await until_ended(await node.connect(), made["taskId"]))["result"]["content"][0]["text"]
    assert int(pid) in await node.pids()
    for _ in range(8):
        task = await ask(await node.connect(), "tasks/get", taskId=made["taskId"])
        assert task["status"] == "completed"
    unknown = await ask(await node.connect(), "tasks/get", taskId="A" * 35)
    assert unknown["code"] == -32602


async def test_a_large_request_moves_whole(node: Node) -> None:
    session = await (await node.connect()).initialize()
    for _ in range(6):
        client = await node.connect()
        message = legacy_call("who", 1)
        message["params"]["_meta"] = {"padding": "x" * 1_000_000}
        assert (await client.legacy(session, message)).status == 200


async def test_a_client_that_is_ahead_of_itself_is_told_to_begin_anew(node: Node) -> None:
    """What of its next request has come cannot be handed over; it is answered where it is."""
    session = await (await node.connect()).initialize()
    headers = {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY}
    whole = http("POST", "/mcp", legacy_call("who", 1), headers)
    statuses = set()
    for _ in range(12):
        client = await node.connect()
        await client.send(whole + whole[:20])
        answer = await client.answer()
        statuses.add(answer.status)
        await client.send(whole[20:])
        statuses.add((await client.answer()).status)
    assert statuses == {200, 404}


async def test_the_sessions_of_a_dead_worker_are_unknown(node: Node) -> None:
    client = await node.connect()
    session = await client.initialize()
    pid = int((await client.legacy(session, legacy_call("who", 1))).text)
    os.kill(pid, signal.SIGKILL)
    for _ in range(8):  # also while it is away, and its connections wait for it
        client = await node.connect()
        answer = await client.legacy(session, legacy_call("who", 2))
        assert answer.status == 404
        assert (await client.ask(body=initialize())).status == 200
    assert state(pid) is None


async def test_forged_sessions_lead_nowhere(node: Node) -> None:
    session = await (await node.connect()).initialize()
    for forged in (session[:-1] + "_", session[:-3] + "AAA", session[1:], "A" * 35, "x", ""):
        client = await node.connect()
        for _ in range(3):
            answer = await client.legacy(forged, legacy_call("who", 1))
            assert answer.status in (400, 404)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


LOST = "a connection handed over by another worker is lost"
GARBAGE = [
    b"",
    b"\0",
    b"\0\0\0\x02{}",
    b"\xff\xff\xff\xff",
    b"\0\0\0\x05hello and more",
    b"\0\0\0\x25" + json.dumps({"transport": "no", "peer": "1.2.3.4:5"}).encode(),
]


@pytest.mark.parametrize("descriptor", [False, True])
async def test_garbage_in_the_post_box_harms_nobody(node: Node, descriptor: bool) -> None:
    workers = await node.until_healthy()
    pid = workers[0]["os_pid"]
    box = Path(node.control, "erlmcp-1.post")
    assert mode_of(box) == 0o600
    before, lost = descriptors(pid), node.log.count(LOST)
    for data in GARBAGE:
        ours, theirs = socket.socketpair()
        with ours, theirs, socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(box))
            if descriptor and data:
                socket.send_fds(sock, [data], [theirs.fileno()])
            else:
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(10)
            try:
                assert sock.recv(1) == b""
            except ConnectionResetError:
                pass  # it had not read all of it
    await until(lambda: descriptors(pid) <= before, "it closed what it was given")
    assert (await node.workers())[0]["os_pid"] == pid
    await until(lambda: node.log.count(LOST) >= lost + len(GARBAGE) - 1, "each was logged")


async def test_moving_leaks_no_descriptor(node: Node) -> None:
    workers = await node.until_healthy()
    session = await (await node.connect()).initialize()
    pids = [worker["os_pid"] for worker in workers]

    async def some(count: int) -> None:
        for _ in range(count):
            client = await node.connect()
            assert (await client.legacy(session, legacy_call("who", 1))).status == 200
            await client.stream.aclose()

    await some(5)
    before = [descriptors(pid) for pid in pids]
    await some(100)
    await until(
        lambda: all(descriptors(pid) <= held + 2 for pid, held in zip(pids, before, strict=True)),
        "connections that moved are closed on both sides",
    )


async def test_over_tls_a_session_of_another_worker_is_unknown(tmp_path: Path) -> None:
    """Its secrets cannot be handed over, so the client is made to open a new one."""
    authority = Authority(tmp_path)
    authority.issue(tmp_path / "node.pem", tmp_path / "node.key")
    config = tmp_path / "tls.toml"
    files = (tmp_path / "node.pem", tmp_path / "node.key")
    config.write_text("[http.tls]\ncertificate = '{}'\nkey = '{}'\n".format(*files))
    node = Node(tmp_path, "--http", "127.0.0.1:0", "--workers", "2", "--config", str(config))
    try:
        await trio.to_thread.run_sync(node.up)
        context = authority.client_context()

        async def connect() -> Client:
            plain = await trio.open_tcp_stream("127.0.0.1", node.port)
            node.streams.append(trio.SSLStream(plain, context, server_hostname="localhost"))
            return Client(node.streams[-1])

        session = await (await connect()).initialize()
        statuses = set()
        for _ in range(16):
            client = await connect()
            statuses.add((await client.legacy(session, legacy_call("who", 1))).status)
            assert (await client.call("who")).status == 200
        assert statuses == {200, 404}
        await node.hang_up()
    finally:
        await trio.to_thread.run_sync(node.close)
