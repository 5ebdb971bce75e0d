"""one_for_all: rules V8, V10, V12, V16 for the group."""

from __future__ import annotations

import pytest

from supervisors._supervisor.plan import Halt

from .driver import Driver, spec


def booted(children: object = "abc", **flags: object) -> Driver:
    driver = Driver(children, strategy="one_for_all", **flags)  # type: ignore[arg-type]
    assert driver.boot() is None
    driver.seen()
    return driver


@pytest.mark.otp("supervisor", "one_for_all")
def test_all_go_down_in_reverse_and_up_in_order() -> None:
    driver = booted()
    assert driver.exited("b#1") is None
    assert driver.seen() == [
        "child_terminated b killed",
        "stop c#1",
        "stop a#1",
        "start a",
        "start b",
        "start c",
    ]
    assert driver.pids() == {"a": "a#2", "b": "b#2", "c": "c#2"}


def test_one_crash_is_one_restart_whatever_the_size_of_the_group() -> None:
    driver = booted(intensity=1)
    assert driver.exited("b#1") is None
    assert driver.exited("c#2") == Halt("shutdown")


@pytest.mark.otp("supervisor", "temporary_bystander")
@pytest.mark.otp("supervisor", "do_not_save_child_specs_for_temporary_children")
def test_temporary_children_go_with_the_group_and_are_forgotten() -> None:
    driver = booted([spec("a"), spec("t", restart="temporary"), spec("c")])
    assert driver.exited("c#1") is None
    assert driver.seen()[1:] == ["stop t#1", "stop a#1", "start a", "start c"]
    assert driver.pids() == {"a": "a#2", "c": "c#2"}


def test_no_restart_no_effect_on_siblings() -> None:
    driver = booted([spec("a"), spec("t", restart="temporary"), spec("n", restart="transient")])
    assert driver.exited("t#1") is None
    assert driver.exited("n#1", "normal") is None
    assert driver.seen() == ["child_terminated t killed"]
    assert driver.pids() == {"a": "a#1", "n": None}


def test_children_that_had_ended_come_back_with_the_group() -> None:
    driver = booted([spec("a"), spec("n", restart="transient")])
    driver.exited("n#1", "normal")
    driver.exited("a#1")
    assert driver.pids() == {"a": "a#2", "n": "n#2"}


@pytest.mark.otp("supervisor", "one_for_all_other_child_fails_restart")
def test_a_retry_begins_again_at_the_first() -> None:
    driver = booted()
    driver.plans["b"] = ["busy"]
    assert driver.exited("c#1") is None
    assert driver.seen() == [
        "child_terminated c killed",
        "stop b#1",
        "stop a#1",
        "start a",
        "start b",
        "start_error b busy",
        "retry b",
    ]
    assert driver.pids() == {"a": "a#2", "b": "restarting", "c": None}
    assert driver.retry() is None
    assert driver.seen() == ["stop a#2", "start a", "start b", "start c"]


def test_a_crash_while_a_retry_is_pending_does_its_work() -> None:
    driver = booted()
    driver.plans["b"] = ["busy"]
    driver.exited("c#1")
    driver.seen()
    assert driver.exited("a#2") is None
    assert driver.seen() == ["child_terminated a killed", "start a", "start b", "start c"]
    assert driver.retry() is None
    assert driver.seen() == []


def test_a_child_that_ends_badly_during_the_stop_is_reported() -> None:
    driver = booted("ab")
    driver.stops["b#1"] = "killed"
    driver.exited("a#1")
    assert driver.seen()[1:3] == ["stop b#1", "shutdown_error b killed"]


@pytest.mark.otp("supervisor", "significant_bystander")
def test_a_stop_on_behalf_of_a_sibling_is_no_auto_shutdown() -> None:
    children = [spec("a"), spec("s", restart="transient", significant=True)]
    driver = booted(children, auto_shutdown="any_significant")
    assert driver.exited("a#1") is None
    assert driver.pids() == {"a": "a#2", "s": "s#2"}
