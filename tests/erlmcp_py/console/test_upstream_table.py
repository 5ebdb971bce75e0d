"""How upstreams are drawn."""

from __future__ import annotations

import io
from typing import Any

import pytest

from erlmcp_py.console import render, upstream_table


def drawn(result: Any, command: str = "upstreams") -> list[str]:
    out = io.StringIO()
    render.show(render.screen(out), command, result, as_json=False)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def row(**given: Any) -> dict[str, Any]:
    one = {
        "number": 1,
        "state": "up",
        "reason": None,
        "pid": 47,
        "restarts": 1,
        "failures": 2,
        "in_flight": 3,
        "memory": 2048,
    }
    return {
        **one,
        "name": "a",
        "where": "serve it",
        "seconds": 61.0,
        "waiting": 4,
        "requests": 10,
        "errors": 5,
        "p50": 0.00123,
        "p99": 0.0456,
        "breaker": "closed",
        "breaker_reason": None,
        "last_failure": None,
        "last_exit": None,
        "instances": [one],
    } | given


def test_one_line_of_figures_and_one_of_what_it_is() -> None:
    assert drawn([row()]) == [
        "upstream state   for pid restarts failures in flight waiting requests errors    p50    p99 memory",
        "a        up    1m01s 47         1        2         3       4       10      5 1.23ms 45.6ms   2.0K",
        "",
        "a serve it",
    ]


def test_instances_have_lines_of_their_own_if_there_are_several() -> None:
    second = row()["instances"][0] | {"number": 2, "state": "restarting", "pid": None}
    lines = drawn([row(instances=[row()["instances"][0], second])])
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["a", "up"],
        ["1", "up"],
        ["2", "restarting"],
    ]


@pytest.mark.parametrize(
    ("given", "remarks"),
    [
        ({"state": "down", "reason": "no licence"}, ["down: no licence"]),
        ({"breaker": "open", "breaker_reason": "5 failures"}, ["breaker open: 5 failures"]),
        ({"state": "starting"}, ["starting: it has not answered yet"]),
        (
            {
                "last_failure": {"ago": 5.0, "text": "it hangs"},
                "last_exit": {"ago": 4.0, "pid": 46, "text": "was ended by SIGKILL"},
            },
            [
                "last failure, 5.0s ago: it hangs",
                "last exit, 4.0s ago: pid 46 was ended by SIGKILL",
            ],
        ),
        (
            {
                "last_failure": {"ago": 5.0, "text": "x ended with status 4; it said: no"},
                "last_exit": {"ago": 5.0, "pid": 46, "text": "ended with status 4"},
            },
            ["last failure, 5.0s ago: x ended with status 4; it said: no"],
        ),
    ],
)
def test_what_went_wrong_is_told_once(given: dict[str, Any], remarks: list[str]) -> None:
    assert [line.strip() for line in drawn([row(**given)])[4:]] == remarks


def test_nothing_to_show() -> None:
    assert drawn([]) == ["this node has no upstreams"]
    assert drawn([], "upstreams.log") == ["nothing was said yet"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.000421, "0.42ms"), (0.0123, "12.3ms"), (0.9, "900.0ms"), (61, "1m01s")],
)
def test_latencies(seconds: float | None, text: str) -> None:
    assert upstream_table.latency(seconds) == text


def test_hostile_words_are_shown_and_not_obeyed() -> None:
    hostile = "\x1b]0;owned\x07[red]not markup[/nor]"
    line = {"at": 0.0, "pid": 1, "kind": "said", "text": hostile}
    for output in (
        drawn([row(name=hostile, where=hostile, state=hostile, reason=hostile)]),
        drawn([line], "upstreams.log"),
    ):
        text = "\n".join(output)
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "[red]not markup[/nor]" in text
