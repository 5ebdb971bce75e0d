"""rest_for_one: rules V8, V10, V12 for the tail of the group."""

from __future__ import annotations

import pytest

from supervisors._supervisor.plan import Halt

from .driver import Driver, spec


def booted(children: object = "abcd", **flags: object) -> Driver:
    driver = Driver(children, strategy="rest_for_one", **flags)  # type: ignore[arg-type]
    assert driver.boot() is None
    driver.seen()
    return driver


@pytest.mark.parametrize(
    ("pid", "actions"),
    [
        (
            "a#1",
            [
                *("stop d#1", "stop c#1", "stop b#1"),
                *("start a", "start b", "start c", "start d"),
            ],
        ),
        ("b#1", ["stop d#1", "stop c#1", "start b", "start c", "start d"]),
        ("d#1", ["start d"]),
    ],
)
@pytest.mark.otp("supervisor", "rest_for_one")
def test_those_after_go_down_in_reverse_and_up_in_order(pid: str, actions: list[str]) -> None:
    driver = booted()
    assert driver.exited(pid) is None
    assert driver.seen() == [f"child_terminated {pid[0]} killed", *actions]


@pytest.mark.otp("supervisor", "temporary_bystander")
@pytest.mark.otp("supervisor", "do_not_save_child_specs_for_temporary_children")
def test_temporary_ones_after_it_are_forgotten_those_before_stay() -> None:
    driver = booted(
        [spec("s", restart="temporary"), spec("b"), spec("t", restart="temporary"), spec("c")]
    )
    assert driver.exited("b#1") is None
    assert driver.pids() == {"s": "s#1", "b": "b#2", "c": "c#2"}


@pytest.mark.otp("supervisor", "rest_for_one_other_child_fails_restart")
def test_a_retry_resumes_at_the_failed_child() -> None:
    driver = booted()
    driver.plans["c"] = ["busy"]
    assert driver.exited("b#1") is None
    assert driver.seen()[-4:] == ["start b", "start c", "start_error c busy", "retry c"]
    assert driver.pids() == {"a": "a#1", "b": "b#2", "c": "restarting", "d": None}
    assert driver.retry() is None
    assert driver.seen() == ["start c", "start d"]
    assert driver.pids() == {"a": "a#1", "b": "b#2", "c": "c#2", "d": "d#2"}


def test_one_crash_is_one_restart() -> None:
    driver = booted(intensity=1)
    assert driver.exited("a#1") is None
    assert driver.exited("d#2") == Halt("shutdown")


def test_an_ended_sibling_takes_nobody_with_it() -> None:
    driver = booted([spec("a"), spec("n", restart="transient"), spec("c")])
    assert driver.exited("n#1", "normal") is None
    assert driver.seen() == []
    assert driver.exited("a#1") is None
    assert driver.pids() == {"a": "a#2", "n": "n#2", "c": "c#2"}
