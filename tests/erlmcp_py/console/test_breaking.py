"""The circuit breakers, seen and steered from the console."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest

from erlmcp_py.console import render
from erlmcp_py.console.client import CommandFailed
from erlmcp_py.guards import breaker
from erlmcp_py.guards.breaker import Breaker, BreakerSettings
from supervisors import start_child


@pytest.fixture
async def breakers(node: Any) -> list[Breaker]:
    made = [Breaker("github", BreakerSettings()), Breaker("search", None)]
    for each in made:
        spec = breaker.child_spec(each)
        await start_child("node", type(spec)(each.name, spec.start))
    return made


async def test_nothing_to_show(node: Any) -> None:
    assert await node.ask("breaker.list") == []
    with pytest.raises(CommandFailed, match=r"there is no breaker 'x'$"):
        await node.ask("breaker.open", breaker="x")


async def test_an_operator_opens_closes_and_resets_one(node: Any, breakers: list[Breaker]) -> None:
    rows = await node.ask("breaker.list")
    assert [(row["name"], row["state"], row["off"]) for row in rows] == [
        ("github", "closed", False),
        ("search", "closed", True),
    ]
    opened = await node.ask("breaker.open", breaker="github", reason="maintenance")
    assert (opened["state"], opened["held"], opened["why"]) == ("open", True, "maintenance")
    assert (opened["retry_in"], opened["opened"]) == (None, 1)
    assert (await node.ask("breaker.open", breaker="search"))["why"] == "an operator has opened it"
    reset = await node.ask("breaker.reset", breaker="github")
    assert (reset["state"], reset["opened"]) == ("open", 0)
    closed = await node.ask("breaker.close", breaker="github")
    assert (closed["state"], closed["held"], closed["why"]) == ("closed", False, None)
    assert breakers[0].state == "closed"


async def test_one_that_is_not_there(node: Any, breakers: list[Breaker]) -> None:
    with pytest.raises(CommandFailed, match="there is no breaker 'githib'; did you mean 'github'"):
        await node.ask("breaker.open", breaker="githib")
    with pytest.raises(CommandFailed, match="there is no breaker 'x'; there are github, search"):
        await node.ask("breaker.close", breaker="x")


def _drawn(command: str, answer: Any) -> str:
    out = StringIO()
    render.show(render.screen(out), command, answer, as_json=False)
    return out.getvalue()


async def test_times_are_shown_as_everywhere(node: Any, breakers: list[Breaker]) -> None:
    assert len(breakers) == 2
    await node.ask("breaker.open", breaker="github")
    rows = await node.ask("breaker.list")
    times = [{"seconds": 0.0415, "retry_in": 18.96}, {"seconds": 4000.0, "retry_in": None}]
    shown = [row | time for row, time in zip(rows, times, strict=True)]
    head, first, second = _drawn("breaker.list", shown).splitlines()
    assert head.split()[:6] == ["name", "state", "held", "for", "retry", "in"]
    assert first.split()[3:5] == ["42ms", "19.0s"]
    assert second.split()[3:5] == ["1h06m", "-"]
    for command in ("breaker.open", "breaker.close", "breaker.reset"):
        assert re.search(
            r"^for +42ms\n.*^retry in +19\.0s$", _drawn(command, shown[0]), re.M | re.S
        )
    assert _drawn("breaker.list", []) == "(none)\n"
