"""The example that asks: its guest sits at `erlmcp-node call`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import examples.ordering
from tests.interop.conftest import Node

from .calls import at_terminal, run

__all__ = ["at_terminal"]

ORDERING = "examples.ordering:server"

pytestmark = [
    pytest.mark.usefixtures("at_terminal"),
    pytest.mark.filterwarnings("ignore:Async generator 'httpx2:ResourceWarning"),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("node"), "--server", ORDERING)
    yield running
    assert running.stop() == 0


@pytest.fixture(params=["here", "auto", "legacy"])
def way(request: pytest.FixtureRequest) -> list[str]:
    """The words that reach the server: in this process, or at a URL in either era."""
    if request.param == "here":
        return [ORDERING]
    node: Node = request.getfixturevalue("node")
    return [node.url("ordering"), "--era", request.param]


def order(way: list[str], *answers: str) -> Any:
    typed = "".join(f"{answer}\n" for answer in answers)
    result = run("call", *way, "order", "--json", answers=typed)
    return json.loads(result.stdout) | {"asked": result.stderr}


def test_an_order_takes_two_questions_and_one_number(way: list[str]) -> None:
    first = order(way, "y", "cake", "2", "", "y", "1")
    assert "That is 9.00 EUR." in first["asked"]
    receipt = first["structuredContent"]
    assert receipt == {"number": receipt["number"], "item": "cake", "count": 2, "total": 10.0}
    second = order(way, "y", "tea", "", "", "y", "")
    assert second["structuredContent"]["total"] == 2.8
    assert second["structuredContent"]["number"] == receipt["number"] + 1


def test_who_does_not_pay_gets_nothing(way: list[str]) -> None:
    result = order(way, "y", "coffee", "", "", "n")
    assert result["isError"] is True
    assert "was not paid for and is cancelled" in result["content"][0]["text"]
    declined = order(way, "n")
    assert declined["content"][0]["text"] == "the user declined: What shall it be?"


def test_only_paid_orders_are_taken() -> None:
    before = len(examples.ordering.taken)
    order([ORDERING], "y", "coffee", "", "", "n")
    assert len(examples.ordering.taken) == before
    order([ORDERING], "y", "coffee", "", "", "y", "0.5")
    assert [taken.total for taken in examples.ordering.taken[before:]] == [3.7]


def test_without_a_model_there_is_a_recommendation_too(way: list[str]) -> None:
    result = run("call", *way, "recommend", "mood=tired")
    assert (result.exit_code, result.stdout) == (0, "cake\n")
