"""`erlmcp-node run --replace`: nodes follow one another, and no client notices."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from tests.erlmcp_py.handover.conftest import Crowd, Waiting, begun, call, message, text

RUN = ("run", "--server", "serving:server")


def test_three_replacements_in_a_row_under_load(program: Any) -> None:
    old = program(*RUN, "--http", "127.0.0.1:0")
    old.up()
    first = old
    with Crowd(first.port) as crowd:
        crowd.served_by(old.pid)
        for _ in range(3):
            new = program(*RUN, "--http", f"127.0.0.1:{first.port}", "--replace")
            new.up()
            crowd.served_by(new.pid)
            assert old.finish()[0] == 0, old.log
            assert "everything was finished" in old.log
            old = new
    assert crowd.wrong == []
    assert len(crowd.answered) == 4
    status = program("status", "--json")
    code, out, _ = status.finish()
    assert code == 0
    assert f'"pid": {old.pid}' in out


def test_a_call_at_work_is_finished_by_the_node_that_has_begun_it(
    program: Any, tmp_path: Path
) -> None:
    old = program(*RUN, "--http", "127.0.0.1:0")
    old.up()
    slow = Waiting(old, tmp_path / "word")
    begun(program, old)
    new = program(*RUN, "--http", f"127.0.0.1:{old.port}", "--replace")
    new.up()
    assert text(call(old.port)) == str(new.pid)
    slow.release()
    assert text(slow.result()) == str(old.pid)
    assert old.finish()[0] == 0


def test_without_a_node_of_that_name_it_just_starts(program: Any) -> None:
    alone = program(*RUN, "--http", "127.0.0.1:0", "--replace")
    alone.up()
    assert text(call(alone.port)) == str(alone.pid)


def test_a_new_node_that_cannot_start_changes_nothing(program: Any, tmp_path: Path) -> None:
    old = program(*RUN, "--http", "127.0.0.1:0")
    old.up()
    (tmp_path / "broken.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "from erlmcp_py.server import Server\n"
        "@asynccontextmanager\n"
        "async def refuses():\n"
        "    raise RuntimeError('no database')\n"
        "    yield {}\n"
        "server = Server('broken', version='1', lifespan=refuses)\n"
    )
    with Crowd(old.port) as crowd:
        new = program(
            "run", "--server", "broken:server", "--http", f"127.0.0.1:{old.port}", "--replace"
        )
        assert new.finish()[0] == 2, new.log
        old.says("this node goes on")
        crowd.answered.clear()
        crowd.served_by(old.pid)
    assert crowd.wrong == []
    assert list(crowd.answered) == [str(old.pid)]


def test_a_new_node_that_is_killed_meanwhile_changes_nothing(program: Any, tmp_path: Path) -> None:
    old = program(*RUN, "--http", "127.0.0.1:0")
    old.up()
    (tmp_path / "slow.py").write_text(
        "import trio\n"
        "from contextlib import asynccontextmanager\n"
        "from erlmcp_py.server import Server\n"
        "@asynccontextmanager\n"
        "async def forever():\n"
        "    await trio.sleep_forever()\n"
        "    yield {}\n"
        "server = Server('slow', version='1', lifespan=forever)\n"
    )
    with Crowd(old.port) as crowd:
        new = program(
            "run", "--server", "slow:server", "--http", f"127.0.0.1:{old.port}", "--replace"
        )
        old.says(r"handover.*begun")
        os.kill(new.pid, signal.SIGKILL)
        old.says("this node goes on")
        after = program(*RUN, "--http", f"127.0.0.1:{old.port}", "--replace")
        after.up()
        crowd.served_by(after.pid)
    assert crowd.wrong == []
    assert old.finish()[0] == 0


def test_what_cannot_be_replaced_says_so(program: Any) -> None:
    several = program(*RUN, "--http", "127.0.0.1:0", "--workers", "2")
    several.up()
    for options, said in (
        (("--replace",), "cannot be replaced: it has several workers"),
        (("--replace", "--workers", "2"), "restart its workers one by one"),
        (("--replace", "--stdio", "--name", "erlmcp"), "cannot be handed over"),
    ):
        new = program(*RUN, *options)
        assert new.finish()[0] == 2
        assert said in new.log
    assert text(call(several.port)).isdigit()


def test_unix_sockets_and_tcp_are_taken_over_too(program: Any, tmp_path: Path) -> None:
    place = tmp_path / "mcp.sock"
    options = ("--http", f"unix:{place}", "--tcp", "127.0.0.1:0")
    old = program(*RUN, *options)
    old.up()
    inode = place.stat().st_ino
    for _ in range(2):
        new = program(*RUN, *options, "--replace")
        new.up()
        assert old.finish()[0] == 0, old.log
        assert place.stat().st_ino == inode
        assert new.tcp == old.tcp
        assert over_unix(place) == b"pong"
        assert over_tcp(new.tcp) == str(new.pid)
        old = new
    old.process.send_signal(signal.SIGTERM)
    assert old.finish()[0] == 0
    assert not place.exists()


def over_unix(place: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(place))
        client.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return client.makefile("rb").read().rpartition(b"\r\n\r\n")[2]


def over_tcp(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(json.dumps(message("who", {})).encode() + b"\n")
        return text(json.loads(client.makefile("rb").readline()))
