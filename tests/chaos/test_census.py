"""When a tree counts as whole, as pure logic."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.census import Census, Place, missing, owed
from supervisors import Pid

SUP, OLD, NEW = Pid("n", 1, 0), Pid("n", 2, 0), Pid("n", 3, 0)


def place(pid: Pid | None = OLD, **given: Any) -> Place:
    fields: dict[str, Any] = {
        "path": "node/a",
        "supervisor": SUP,
        "by": "node",
        "pid": pid,
        "name": None,
        "state": "running" if pid else "undefined",
        "restart": "permanent",
        "dynamic": False,
    }
    return Place(**(fields | given))


@pytest.mark.parametrize(
    ("restart", "reason", "expected"),
    [
        ("permanent", "normal", True),
        ("permanent", "killed", True),
        ("transient", "normal", False),
        ("transient", "shutdown", False),
        ("transient", ("shutdown", "idle"), False),
        ("transient", "killed", True),
        ("temporary", "killed", False),
    ],
)
def test_what_a_supervisor_owes(restart: str, reason: Any, expected: bool) -> None:
    assert owed(place(restart=restart), {OLD: reason}) is expected


def test_a_transient_child_that_did_not_end_is_owed() -> None:
    assert owed(place(restart="transient"), {})


def why(before: Place, *after: Place, ended: Any = None, names: Any = ()) -> list[str]:
    ended = {OLD: "killed"} if ended is None else ended
    found = missing(Census([before]), Census(list(after)), ended, names)
    return [entry.why for entry in found]


def test_whole_and_not_whole() -> None:
    assert why(place(), place(NEW)) == []
    assert why(place()) == ["gone with its supervisor"]
    assert why(place(), place(None)) == ["undefined"]
    assert why(place(), place(None, state="restarting")) == ["restarting"]
    assert why(place(None), place(None)) == []
    assert why(place(restart="temporary")) == []


def test_a_name_must_be_registered_again() -> None:
    assert why(place(name="a"), place(NEW)) == ["the name 'a' is not registered"]
    assert why(place(name="a"), place(NEW), names=["a"]) == []


def test_a_supervisor_that_does_not_answer_is_not_whole() -> None:
    census = Census([place(NEW)], ["node/b"])
    (found,) = missing(Census([place()]), census, {}, ())
    assert (found.place, found.why) == ("node/b", "its supervisor does not answer")
