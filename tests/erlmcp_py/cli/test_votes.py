"""The example with a state of its own, in a node: what crashes, and what stays."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.interop.conftest import Node

from .calls import run

VOTES = "examples.votes:server"

pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx2:ResourceWarning")


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("node"), "--server", VOTES)
    yield running
    assert running.stop() == 0


def result(node: Node) -> dict[str, int]:
    shown = run("call", node.url("votes"), "result", "--json")
    counts: dict[str, int] = json.loads(shown.stdout)["structuredContent"]
    return counts


def test_votes_survive_the_crash_of_every_neighbour(node: Node) -> None:
    for number in (1, 2):
        voted = run("call", node.url("votes"), "vote", "choice=tea")
        assert (voted.exit_code, voted.stdout) == (0, f"tea has {number}\n")
    assert run("call", node.url("votes"), "miscount").exit_code == 1
    assert result(node) == {"tea": 2, "coffee": 0}
    assert node.command("chaos", "kill", "core/servers/votes/server").returncode == 0
    assert result(node) == {"tea": 2, "coffee": 0}


def test_the_crash_of_the_poll_is_an_error_for_one_and_a_new_beginning(node: Node) -> None:
    run("call", node.url("votes"), "vote", "choice=tea")
    careful = run("call", node.url("votes"), "vote_carefully", "choice=soup")
    assert careful.stderr == "vote for one of tea, coffee\n"
    assert result(node) == {"tea": 1, "coffee": 0}
    crashed = run("call", node.url("votes"), "vote", "choice=soup")
    assert crashed.exit_code == 1
    assert "KeyError" in crashed.stderr
    assert result(node) == {"tea": 0, "coffee": 0}
