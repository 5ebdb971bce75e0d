"""What the system refuses: descriptors, connections in the queue, room for the log."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.telemetry.log import LogWriter
from erlmcp_py.telemetry.sink import Sink
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from supervisors import WarningReport, whereis
from tests.attack.http import busy
from tests.attack.http.answers import Reader
from tests.attack.http.battle import check_good, clean_request, dial, send
from tests.erlmcp_py.transports.http.client import http, modern_call
from tests.erlmcp_py.transports.node import Probe, make_server, node, open_descriptors, until
from tests.fuzz.world import faults

ECHO = http("POST", **modern_call("echo", text="x"))


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_descriptors() - 1 + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_all_descriptors_are_used_and_one_after_the_other_is_given_back() -> None:
    listener = child_spec(ListenerConfig(port=0))
    async with node({"probe": make_server(Probe())}, listener) as reports:
        info = (await registry.transports())["http"].info
        clients = [trio.socket.socket() for _ in range(60)]
        with descriptors_left(20), trio.fail_after(30):
            for sock in clients:
                await sock.connect((info["host"], info["port"]))
                await send(sock, [ECHO])
            # Those who were let in are served, again and again, while the others wait.
            for _ in range(3):
                for sock in clients[:20]:
                    check_good(await Reader(sock).answer(), "x")
                    await send(sock, [ECHO])
            await until(lambda: any(isinstance(r, WarningReport) for r in reports))
            # Whoever leaves makes room for the next.
            for sock in clients:
                check_good(await Reader(sock).answer(), "x")
                sock.close()
        await clean_request()
        details = [r.details["errno"] for r in reports if isinstance(r, WarningReport)]
        assert set(details) == {errno.EMFILE}
        assert faults(reports) == [r for r in reports if isinstance(r, WarningReport)]


@pytest.mark.parametrize(
    "number",
    [errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT],
    ids=errno.errorcode.get,
)  # fmt: skip
async def test_an_accept_that_fails_costs_that_client_only(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = socket.socket.accept
    failures = [OSError(number, os.strerror(number)) for _ in range(30)]

    def accept(sock: socket.socket) -> Any:
        client = really(sock)  # BlockingIOError, when there is none
        if failures:
            client[0].close()
            raise failures.pop()
        return client

    async with node({"probe": make_server(Probe())}, child_spec(ListenerConfig(port=0))) as reports:
        listener = whereis("http_listener")
        monkeypatch.setattr(socket.socket, "accept", accept)
        while failures:
            stream = await trio.open_tcp_stream(
                "127.0.0.1", (await registry.transports())["http"].info["port"]
            )
            async with stream:
                with pytest.raises(trio.BrokenResourceError):
                    await stream.send_all(ECHO)
                    assert await stream.receive_some() == b""
                    raise trio.BrokenResourceError
        await clean_request()
        assert whereis("http_listener") == listener
        assert not faults(reports)


async def test_a_listener_killed_while_a_thousand_are_busy_costs_no_request() -> None:
    took, _calm = await busy.play(connections=1000, kills=2)
    assert len(took) == 2


# --- the log --------------------------------------------------------------------------------


def test_a_full_disk_costs_lines_until_there_is_room() -> None:
    """/dev/full says ENOSPC to every write, as a full disk does."""
    fd = os.open("/dev/full", os.O_WRONLY)
    read, write = os.pipe()
    sink = Sink(fd, pause=0.01)
    try:
        for number in range(10):
            sink.put(f"lost {number}")
        assert sink.flush(5)
        os.dup2(write, fd)  # there is room again
        sink.put("found")
        assert sink.flush(5)
        said = os.read(read, 1 << 16).decode().splitlines()
        assert said == ["- 10 log lines were dropped here", "found"]
    finally:
        sink.close()
        assert sink.flush(5)
        for number in (fd, read, write):
            os.close(number)


def test_a_pipe_that_others_made_non_blocking_is_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    sink = Sink(write)
    try:
        line = "x" * 1000
        for _ in range(200):
            sink.put(line)
        assert not sink.flush(0.2)
        got = b""
        while got.count(b"\n") < 200:
            got += os.read(read, 1 << 16)
        assert got == (line + "\n").encode() * 200
        assert sink.flush(5)
    finally:
        sink.close()
        os.close(read)
        os.close(write)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_node_whose_log_is_full_serves() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    sink = Sink(fd, pause=0.01)
    log = LogWriter.child_spec("debug", sink, id="log", name="log")
    try:
        async with node({"probe": make_server(Probe())}, log, child_spec(ListenerConfig(port=0))):
            writer = whereis("log")
            for _ in range(50):
                with trio.fail_after(20):
                    with await dial() as sock:
                        await send(sock, [http("POST", **modern_call("crash"))])
                        answer = await Reader(sock).answer()
                        assert answer is not None
            await clean_request()
            assert whereis("log") == writer
    finally:
        sink.close()
        assert sink.flush(5)
        os.close(fd)
