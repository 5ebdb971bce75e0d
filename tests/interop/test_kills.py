"""Kill any part of the node while clients call: the next call succeeds, neighbours keep their pid.

The victim is killed by `erlmcp-node chaos kill` while one client waits in a call and
another calls in a loop. Which processes may change their pid is what the tree says: the
victim, or the restarted group when it belongs to one.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import Node
from .raw import Answer, Raw

pytestmark = pytest.mark.interop


def places(node: Node) -> dict[str, str]:
    """Path in the tree -> pid, of what the node itself runs, connections left out."""

    def walk(branch: dict[str, Any]) -> Iterator[tuple[str, str]]:
        yield branch["path"], branch["pid"]
        for child in branch.get("children", []):
            yield from walk(child)

    return {
        path: pid
        for path, pid in walk(node.json("tree"))
        if "console_connections/" not in path and "http_connections/" not in path
    }


def call_again(client: Raw, era: str) -> Answer:
    """One call, as a client with a lost connection makes it: on a new one."""
    try:
        return client.echo(era)
    except (OSError, http.client.HTTPException):
        return client.echo(era)


@pytest.fixture
def node(start_node: Callable[..., Node]) -> Node:
    return start_node()


def kill(node: Node, target: str) -> dict[str, Any]:
    report: dict[str, Any] = node.json("chaos", "kill", target)
    assert report["whole"] is True
    return report


class Caller(threading.Thread):
    """A modern client that calls without pause and notes what goes wrong."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.client = Raw(node.port)
        self.enough = threading.Event()
        self.served = 0
        self.failed: list[str] = []

    def run(self) -> None:
        with self.client:
            while not self.enough.is_set():
                try:
                    answer = self.client.echo("modern")
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append(repr(error))
                    continue
                if answer.status == 200 and "result" in answer.message:
                    self.served += 1
                else:
                    self.failed.append(repr(answer))

    def __enter__(self) -> Caller:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self.join(20)


GROUPS = {
    "node/core/registry": "node/core/",
    "node/core/servers/simple": "node/core/servers/simple",
    "node/core/transports/http/http_listener": "node/core/transports/http/http_listener",
    "node/core/sessions_sup/sessions": "node/core/sessions_sup/sessions",
    "node/core/transports/http/http_connections": "node/core/transports/http",
    "node/observe/health": "node/observe/health",
    "node/console/commands": "node/console/",
    "node/chaos/chaos_experiments": "node/chaos/",
}


@pytest.mark.parametrize("victim", GROUPS)
def test_a_part_of_the_tree(node: Node, victim: str) -> None:
    before = places(node)
    assert victim in before
    with Caller(node) as caller, Raw(node.port) as legacy:
        legacy.initialize()
        assert legacy.echo("legacy").status == 200
        if victim.startswith(("node/console", "node/chaos")):
            # The commands run there: what is killed cannot report on its own death.
            node.command("chaos", "kill", victim, check=False)
        else:
            kill(node, victim)
        with Raw(node.port) as newcomer:
            assert call_again(newcomer, "modern").status == 200
        answer = call_again(legacy, "legacy")
        if answer.status == 404:  # its session is gone: the client starts anew, as it must
            legacy.session = None
            legacy.initialize()
            answer = legacy.echo("legacy")
        assert answer.message["result"]["content"][0]["text"] == "hi"
    assert caller.served > 0
    after = places(node)
    assert after.keys() >= before.keys()
    changed = {path for path in before if after[path] != before[path]}
    assert victim in changed
    assert all(path.startswith(GROUPS[victim]) for path in changed), changed


def test_a_session(node: Node) -> None:
    """It comes back under its id: the client does not even notice."""
    with Raw(node.port) as legacy, Raw(node.port) as other:
        for client in (legacy, other):
            client.initialize()
        before = places(node)
        sessions = [path for path in before if "session_pool/" in path]
        assert len(sessions) == 2
        kill(node, sessions[0])
        assert legacy.echo("legacy").status == 200
        assert other.echo("legacy").status == 200
        changed = {p for p, pid in places(node).items() if before.get(p) != pid}
        assert len(changed) == 1


def test_a_connection(node: Node) -> None:
    with Raw(node.port) as first, Raw(node.port) as second:
        for client in (first, second):
            client.initialize()
        assert first.connection is not None
        address = first.connection.sock.getsockname()
        before = places(node)
        label = f"http {address[0]}:{address[1]}"
        (pid,) = [
            p["pid"] for p in node.json("ps", "--limit", "1000")["processes"] if p["label"] == label
        ]
        kill(node, pid)
        with pytest.raises((OSError, http.client.HTTPException)):
            first.echo("legacy")
        assert first.echo("legacy").status == 200
        assert second.echo("legacy").status == 200
        assert places(node) == before


def test_a_server_with_a_call_in_flight_answers_that_call(node: Node) -> None:
    answers: list[Answer] = []

    def hang() -> None:
        with Raw(node.port) as client:
            answers.append(client.modern("tools/call", {"name": "hang", "arguments": {}}))

    waiting = threading.Thread(target=hang)
    waiting.start()
    while not any(
        "hang" in str(p["label"]) for p in node.json("ps", "--limit", "1000")["processes"]
    ):
        assert waiting.is_alive()
    kill(node, "node/core/servers/simple")
    waiting.join(20)
    assert "error" in answers[0].message
    with Raw(node.port) as client:
        assert client.echo("modern").status == 200


def test_a_kill_of_nobody_is_an_error(node: Node) -> None:
    result = node.command("chaos", "kill", "no_such_thing", check=False)
    assert result.returncode == 1
    assert "no_such_thing" in result.stderr
