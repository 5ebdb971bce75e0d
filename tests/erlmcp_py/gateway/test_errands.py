"""Tasks for which an upstream is kept awake."""

from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.gateway import errands
from erlmcp_py.gateway.errands import LONGEST, Errands
from erlmcp_py.protocol.jsonrpc import raw

MODERN = raw({"resultType": "task", "taskId": "a", "status": "working", "ttlMs": 5000})
LEGACY = raw({"task": {"taskId": "a", "status": "working", "ttl": 5000}})


@pytest.mark.parametrize("result", [MODERN, LEGACY])
def test_a_task_counts_for_its_time(result: Any) -> None:
    of = Errands()
    of.begun(1, "a", result, 100.0)
    assert of.are_left(104.9)
    assert not of.are_left(105.0)


@pytest.mark.parametrize("limit", [{}, {"ttlMs": None}, {"task": {"ttl": None}}, {"ttlMs": 10**12}])
def test_and_never_for_ever(limit: dict[str, Any]) -> None:
    of = Errands()
    of.begun(1, "a", raw(limit), 0.0)
    assert of.are_left(LONGEST - 1)
    assert not of.are_left(LONGEST)


@pytest.mark.parametrize(
    ("method", "result", "is_left"),
    [
        ("tasks/get", {"status": "working", "ttlMs": 5000}, True),
        ("tasks/get", {"status": "completed", "ttlMs": 5000, "result": {}}, False),
        ("tasks/get", {"status": "failed", "error": {"code": 1}}, False),
        ("tasks/get", {"status": "completed", "ttl": 5000}, True),
        ("tasks/get", {"status": "failed", "ttl": 5000}, True),
        ("tasks/get", {"status": 7}, True),
        ("tasks/get", None, True),
        ("tasks/cancel", {"status": "cancelled", "ttl": 5000}, False),
        ("tasks/cancel", {}, True),
        ("tasks/result", {"content": []}, False),
        ("tasks/result", None, False),
    ],
)
def test_until_its_result_was_fetched_or_it_was_cancelled(
    method: str, result: Any, is_left: bool
) -> None:
    of = Errands()
    of.begun(1, "a", MODERN, 0.0)
    of.told(1, "other", method, None if result is None else raw(result))
    assert of.are_left(1.0)
    of.told(1, "a", method, None if result is None else raw(result))
    assert of.are_left(1.0) is is_left


def test_with_the_instance_its_tasks_are_lost_and_no_others() -> None:
    of = Errands()
    of.begun(1, "a", MODERN, 0.0)
    of.begun(2, "a", MODERN, 0.0)
    of.lost(1)
    assert of.are_left(1.0)
    of.lost(2)
    assert not of.are_left(1.0)


def test_there_is_an_end_to_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "LIMIT", 1)
    of = Errands()
    of.begun(1, "a", MODERN, 0.0)
    of.begun(1, "b", MODERN, 0.0)
    of.told(1, "b", "tasks/result", None)
    assert not of.are_left(1.0)
