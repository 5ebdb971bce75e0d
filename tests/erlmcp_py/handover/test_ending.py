"""`erlmcp-node drain` and SIGTERM, as an operator meets them."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

from tests.erlmcp_py.handover.conftest import Waiting, begun, text

RUN = ("run", "--server", "serving:server", "--http", "127.0.0.1:0")


def test_the_command_waits_for_calls_and_for_the_end(program: Any, tmp_path: Path) -> None:
    node = program(*RUN)
    node.up()
    slow = Waiting(node, tmp_path / "word")
    begun(program, node)
    drain = program("drain", "--json")
    node.says("draining: ")
    slow.release()
    code, out, _ = drain.finish()
    assert code == 0, drain.log
    assert json.loads(out)["cut_off"] == 0
    assert text(slow.result()) == str(node.pid)
    assert node.finish()[0] == 0
    assert program("ping").finish()[0] == 2


def test_a_call_that_hangs_is_cut_off_at_the_deadline(program: Any, tmp_path: Path) -> None:
    node = program(*RUN)
    node.up()
    hanging = Waiting(node, tmp_path / "word")
    begun(program, node)
    drain = program("drain", "--deadline", "1")
    code, out, _ = drain.finish()
    assert code == 1
    assert "1 request was cut off at the deadline" in out
    assert hanging.result()["error"]["data"]["refusal"] == 1077
    assert node.finish()[0] == 0


def test_sigterm_drains_and_status_says_so(program: Any, tmp_path: Path) -> None:
    node = program(*RUN)
    node.up()
    slow = Waiting(node, tmp_path / "word")
    begun(program, node)
    node.process.send_signal(signal.SIGTERM)
    node.says("draining: SIGTERM")
    status = json.loads(program("status", "--json").finish()[1])
    assert status["health"] == "draining"
    assert status["drain"]["requests"] == 1
    slow.release()
    assert text(slow.result()) == str(node.pid)
    assert node.finish()[0] == 0
    assert "stops: SIGTERM; everything was finished" in node.log


def test_stop_ends_a_drain(program: Any, tmp_path: Path) -> None:
    node = program(*RUN)
    node.up()
    hanging = Waiting(node, tmp_path / "word")
    begun(program, node)
    node.process.send_signal(signal.SIGTERM)
    node.says("draining: SIGTERM")
    assert program("stop").finish()[0] == 0
    assert node.finish()[0] == 0
    hanging.result()


def test_there_is_no_such_node(program: Any) -> None:
    drain = program("drain", "--name", "nobody")
    assert drain.finish()[0] == 2
    assert "no node named 'nobody' is running" in drain.log


def test_workers_finish_what_they_have_begun(program: Any, tmp_path: Path) -> None:
    node = program(*RUN, "--workers", "2")
    node.up()
    calls = [Waiting(node, tmp_path / "word") for _ in range(4)]
    while len(at_work(program)) < 4:
        assert node.process.poll() is None
    node.process.send_signal(signal.SIGTERM)
    node.says("draining: SIGTERM")
    calls[0].release()
    assert all(text(each.result()).isdigit() for each in calls)
    assert node.finish()[0] == 0, node.log
    assert "stops: SIGTERM; everything was finished" in node.log


def test_workers_cut_off_what_hangs(program: Any, tmp_path: Path) -> None:
    node = program(*RUN, "--workers", "2")
    node.up()
    hanging = Waiting(node, tmp_path / "word")
    while not at_work(program):
        assert node.process.poll() is None
    drain = program("drain", "--deadline", "1", "--json")
    code, out, _ = drain.finish()
    assert (code, json.loads(out)["cut_off"]) == (1, 1)
    assert hanging.result()["error"]["data"]["refusal"] == 1077
    assert node.finish()[0] == 0, node.log


def at_work(program: Any) -> list[str]:
    """A mark for each call that a worker has begun."""
    found = []
    for worker in ("erlmcp-1", "erlmcp-2"):
        code, out, _ = program("state", "server_where", "--json", "--name", worker).finish()
        if code == 0:
            state = json.dumps(json.loads(out))
            found += (
                ["x"] * int(re.search(r'"in_flight": (\d+)', state)[1])
                if "in_flight" in state
                else []
            )
    return found
