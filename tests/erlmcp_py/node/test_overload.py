"""What a stranger can fill has a limit, and whoever meets it gets an answer (DESIGN 2.4)."""

from __future__ import annotations

import os
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from erlmcp_py.config import MailboxesConfig
from erlmcp_py.server import Server
from erlmcp_py.telemetry.log import LogWriter, audit, log
from erlmcp_py.telemetry.sink import Sink
from erlmcp_py.transports.net.supervisor import connections, statistics
from supervisors import Runtime, send, sys, which_children
from supervisors.testing import end_of

LIMIT = 3
SMALL = MailboxesConfig(server=LIMIT, session=LIMIT, sessions=LIMIT, connection=LIMIT)


def make_server() -> Server:
    server = Server("main", version="1")

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    @server.tool(timeout=3600.0)
    async def wait() -> str:
        """Never answer."""
        await trio.sleep_forever()
        return ""

    return server


async def flood(send_one: Any, victim: Any) -> list[Any]:
    """The answers of twice as many requests as may wait at `victim`, which is suspended at first.

    Those that are refused come while it still is.
    """
    answers: list[Any] = []

    async def one() -> None:
        answers.append(await send_one())

    await sys.suspend(victim)
    async with trio.open_nursery() as nursery:
        for _ in range(2 * LIMIT):
            nursery.start_soon(one)
        with trio.fail_after(5):
            while len(answers) < LIMIT:
                await wait_all_tasks_blocked(0.01)
        assert [answer.status for answer in answers] == [503] * LIMIT
        await sys.resume(victim)
    return answers


async def test_a_flooded_server_answers_503_and_serves_what_it_took(running: Any) -> None:
    async with running({"main": make_server(), "other": make_server()}, mailboxes=SMALL) as client:
        answers = await flood(lambda: client.call("echo", text="x"), "server_main")
        for refused in answers[:LIMIT]:
            assert refused.headers["retry-after"] == "1"
            assert refused.body["id"] == 1
            assert "too much to do" in refused.body["error"]["message"]
        assert [answer.status for answer in answers[LIMIT:]] == [200] * LIMIT
        assert (await statistics("http")).unavailable == LIMIT
        assert (await client.call("echo", "other", text="x")).status == 200


async def test_what_belongs_to_a_call_that_runs_comes_in_when_the_mailbox_is_full(
    running: Any,
) -> None:
    server, entered, opened = make_server(), trio.Event(), trio.Event()

    @server.tool()
    async def gate() -> str:
        """Wait to be let through."""
        entered.set()
        await opened.wait()
        return "through"

    async with running({"main": server}, mailboxes=SMALL) as client:
        through: list[Any] = []

        async def pass_gate() -> None:
            through.append(await client.call("gate"))

        async def send_one() -> Any:
            answer = await client.call("echo", text="x")
            opened.set()  # by the first that is refused: the mailbox is full now
            return answer

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pass_gate)
            await entered.wait()
            answers = await flood(send_one, "server_main")
        assert [answer.status for answer in answers[LIMIT:]] == [200] * LIMIT
        assert through[0].body["result"]["content"][0]["text"] == "through"


HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


async def open_session(client: Any) -> dict[str, str]:
    answer = await client.post("main", "initialize", HELLO, {})
    assert answer.status == 200
    return {"Mcp-Session-Id": answer.headers["mcp-session-id"]}


@pytest.mark.parametrize("victim", ["session", "sessions"])
async def test_flooded_sessions_answer_503(running: Any, victim: str) -> None:
    async with running({"main": make_server()}, mailboxes=SMALL) as client:
        headers = await open_session(client)
        if victim == "session":
            pid = (await which_children("session_pool"))[0].pid

            async def ask() -> Any:
                return await client.post("main", "logging/setLevel", {"level": "error"}, headers)
        else:
            pid = "sessions"

            async def ask() -> Any:
                return await client.post("main", "initialize", HELLO, {})

        answers = await flood(ask, pid)
        assert [answer.status for answer in answers[LIMIT:]] == [200] * LIMIT
        assert (await client.post("main", "tools/list", {}, headers)).status == 200


@pytest.mark.parametrize("victim", ["session", "sessions"])
async def test_requests_do_not_wait_for_processes_that_only_know_of_them(
    running: Any, victim: str
) -> None:
    async with running({"main": make_server()}) as client:
        headers = await open_session(client)
        pid = (await which_children("session_pool"))[0].pid if victim == "session" else "sessions"
        await sys.suspend(pid)
        with trio.fail_after(5):
            assert (await client.post("main", "tools/list", {}, headers)).status == 200
        await sys.resume(pid)


async def test_a_connection_whose_client_does_not_read_is_closed(running: Any) -> None:
    async with running({"main": make_server()}, mailboxes=SMALL) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, "wait")
            with trio.fail_after(5):
                while not any(each.waiting for each in await connections("http")):
                    await wait_all_tasks_blocked(0.01)
            (slow,) = await connections("http")
            assert slow.pid is not None

            def news() -> None:
                for number in range(LIMIT + 1):
                    send(slow.pid, ("notify", number))

            assert await end_of(slow.pid, news, within=5) == ("mailbox_full", LIMIT)
            nursery.cancel_scope.cancel()
        assert (await client.call("echo", text="x")).status == 200


async def test_a_flooded_log_drops_entries_but_never_the_audit() -> None:
    reader, writer = os.pipe()
    sink = Sink(writer)
    async with Runtime("test"):
        await LogWriter.start("info", sink, LIMIT, name="log")
        await sys.suspend("log")
        for number in range(10):
            log("info", f"line {number}")
        audit("uid 0", "kill")
        await sys.resume("log")
        await wait_all_tasks_blocked()
    assert sink.flush(5)
    lines = os.read(reader, 1 << 16).decode()
    os.close(reader)
    os.close(writer)
    assert [f"line {number}" in lines for number in range(5)] == [True] * LIMIT + [False] * 2
    assert "audit" in lines
    assert "mailbox full: 3 messages wait; policy refuse" in lines
