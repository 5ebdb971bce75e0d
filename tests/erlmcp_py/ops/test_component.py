from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.config import HealthConfig
from erlmcp_py.ops.component import ComponentHealth, Failed, Limping, Passed, summarise

fresh = ComponentHealth(id="registry")
outcomes = st.sampled_from(
    [Passed(), Limping("slow"), Failed("down"), Failed("full", at_once=True)]
)


def after(*sequence, limit: int = 3) -> ComponentHealth:
    record = fresh
    for at, outcome in enumerate(sequence):
        record = record.after(outcome, float(at), limit)
    return record


def test_a_component_is_unknown_until_it_was_checked() -> None:
    assert fresh.status == "unknown"
    assert (fresh.consecutive_failures, fresh.circuit_breaker_active, fresh.degraded) == (
        0,
        False,
        False,
    )
    assert fresh.last_error is None and fresh.last_check is None


def test_the_third_failure_in_a_row_makes_it_unhealthy() -> None:
    down = Failed("down")
    assert [after(*[down] * n).status for n in (1, 2, 3, 4)] == [
        "degraded",
        "degraded",
        "unhealthy",
        "unhealthy",
    ]
    assert after(down, down, Passed(), down, down).status == "degraded"
    assert after(down, down, down).circuit_breaker_active


def test_one_success_makes_it_healthy_again_and_keeps_what_was_wrong() -> None:
    record = after(*[Failed("down")] * 5, Passed())
    assert record.status == "healthy" and not record.circuit_breaker_active
    assert (record.consecutive_failures, record.last_error) == (0, "down")
    assert (record.total_checks, record.successful_checks, record.last_check) == (6, 1, 5.0)


def test_a_limping_component_is_degraded_however_long() -> None:
    record = after(*[Limping("slow")] * 10)
    assert record.status == "degraded" and record.degraded
    assert (record.consecutive_failures, record.successful_checks) == (0, 10)


def test_a_component_that_failed_is_checked_sooner() -> None:
    settings = HealthConfig()
    assert fresh.next_check(settings) == 30.0
    assert after(Failed("down")).next_check(settings) == 10.0
    assert after(Failed("down"), Passed()).next_check(settings) == 30.0
    slow = HealthConfig(check_interval=1.0, recovery_interval=60.0)
    assert after(Failed("down")).next_check(slow) == 1.0


@given(st.lists(outcomes, max_size=30), st.integers(1, 5))
def test_a_record_is_what_its_history_says(history, limit) -> None:
    record = after(*history, limit=limit)
    tail = 0
    while tail < len(history) and isinstance(history[-1 - tail], Failed):
        tail += 1
    assert record.consecutive_failures == tail
    assert record.total_checks == len(history)
    assert record.successful_checks == sum(not isinstance(o, Failed) for o in history)
    if history and isinstance(history[-1], Failed):
        expected = "unhealthy" if tail >= limit or history[-1].at_once else "degraded"
        assert record.status == expected
    assert record.degraded == (record.status == "degraded")
    assert record.circuit_breaker_active == (record.status == "unhealthy")


def test_the_node_is_as_well_as_its_worst_component() -> None:
    healthy, limping = after(Passed()), after(Limping("slow"))
    unhealthy = after(*[Failed("down")] * 3)
    assert summarise([healthy, limping]).status == "degraded"
    assert summarise([healthy, limping]).ready
    assert (summarise([healthy, fresh]).status, summarise([healthy, fresh]).ready) == (
        "unknown",
        False,
    )
    assert (summarise([fresh, unhealthy]).status, summarise([unhealthy]).ready) == (
        "unhealthy",
        False,
    )
    assert not summarise([]).ready
