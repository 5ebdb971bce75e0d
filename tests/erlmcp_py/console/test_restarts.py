from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.console.restarts import Restarts
from supervisors import Pid, ProgressReport, SupervisorReport


class Reporter:
    """Reports as the kernel makes them: a supervisor's children before the supervisor."""

    def __init__(self, ledger: Restarts) -> None:
        self.ledger = ledger
        self.count = 0

    def pid(self) -> Pid:
        self.count += 1
        return Pid("n", self.count, 0)

    def start(self, supervisor: Pid, child: str, pid: Pid | None = None) -> Pid:
        pid = pid or self.pid()
        self.ledger.observe(ProgressReport(supervisor, supervisor, {"pid": pid, "id": child}))
        return pid

    def end(self, supervisor: Pid, child: str, pid: Pid, restart: str = "permanent") -> None:
        offender = {"pid": pid, "id": child, "restart_type": restart}
        self.ledger.observe(
            SupervisorReport(supervisor, supervisor, "child_terminated", "boom", offender)
        )


def test_a_first_start_is_no_restart() -> None:
    ledger = Restarts()
    report = Reporter(ledger)
    top = report.pid()
    child = report.start(top, "a")
    assert ledger.of(child) == 0
    assert ledger.total == 0


@given(st.integers(0, 10))
def test_each_further_start_counts(times: int) -> None:
    ledger = Restarts()
    report = Reporter(ledger)
    top = report.pid()
    child = report.start(top, "a")
    other = report.start(top, "b")
    for _ in range(times):
        report.end(top, "a", child)
        child = report.start(top, "a")
    assert ledger.of(child) == ledger.at(top, "a") == ledger.total == times
    assert ledger.of(other) == 0


def test_the_count_survives_the_restart_of_the_supervisor_above() -> None:
    ledger = Restarts()
    report = Reporter(ledger)
    top, first = report.pid(), report.pid()
    child = report.start(first, "leaf")
    report.start(top, "middle", first)
    report.end(first, "leaf", child)
    report.start(first, "leaf")
    assert ledger.total == 1

    report.end(top, "middle", first)
    second = report.pid()
    leaf = report.start(second, "leaf")
    report.start(top, "middle", second)

    assert ledger.of(leaf) == 2
    assert ledger.of(second) == 1
    assert ledger.total == 3


def test_three_levels_settle_from_the_inside_out() -> None:
    ledger = Restarts()
    report = Reporter(ledger)
    top = report.pid()

    def up() -> tuple[Pid, Pid, Pid]:
        outer, inner = report.pid(), report.pid()
        leaf = report.start(inner, "leaf")
        report.start(outer, "inner", inner)
        report.start(top, "outer", outer)
        return outer, inner, leaf

    outer, _, _ = up()
    report.end(top, "outer", outer)
    again = up()
    assert [ledger.of(pid) for pid in again] == [1, 1, 1]
    assert ledger.total == 3


def test_children_without_a_place_are_in_the_total_only() -> None:
    ledger = Restarts()
    report = Reporter(ledger)
    pool = report.pid()
    report.end(pool, "session", report.pid(), "transient")
    report.end(pool, "connection", report.pid(), "temporary")
    assert ledger.total == 1


def test_the_ledger_does_not_grow_with_the_dead() -> None:
    ledger = Restarts(capacity=50)
    report = Reporter(ledger)
    top = report.pid()
    for number in range(1000):
        report.start(top, f"child {number}")
    sizes: dict[str, Any] = {
        name: len(held) for name, held in vars(ledger).items() if hasattr(held, "__len__")
    }
    assert max(sizes.values()) <= 51
