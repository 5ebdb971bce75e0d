"""simple_one_for_one: the right column of the table of answers in SEMANTICS 1.5."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors._supervisor.errors import SupervisorError
from supervisors._supervisor.plan import Halt
from supervisors._supervisor.spec import ChildSpec

from .driver import Driver, spec, start_function


def driver_of(count: int = 0, *, flags: dict[str, Any] | None = None, **options: Any) -> Driver:
    driver = Driver([spec("k", **options)], strategy="simple_one_for_one", **(flags or {}))
    assert driver.boot() is None
    for number in range(count):
        driver.run(driver.machine.start_child([number]))
    driver.seen()
    return driver


def refusal(driver: Driver, plan: Any) -> object:
    with pytest.raises(SupervisorError) as caught:
        driver.run(plan)
    return caught.value.reason


def pids(driver: Driver) -> list[object]:
    return [child.pid for child in driver.machine.which_children()]


def test_nothing_starts_at_first_and_arguments_are_appended() -> None:
    spec_ = ChildSpec("k", (start_function, ("own",)))
    driver = Driver([spec_], strategy="simple_one_for_one")
    assert driver.boot() is None
    assert driver.seen() == []
    assert driver.run(driver.machine.start_child(["x", 1])) == "k#1"
    assert driver.seen() == ["start k ('own', 'x', 1)"]


@pytest.mark.otp("supervisor", "sup_start_child_returns_error_simple")
def test_start_child_answers() -> None:
    driver = driver_of()
    driver.plans["k"] = ["ignore", "nope"]
    assert driver.run(driver.machine.start_child([])) is None
    assert refusal(driver, driver.machine.start_child([])) == "nope"
    assert refusal(driver, driver.machine.start_child("args")) == ("invalid_args", "args")
    assert pids(driver) == []


@pytest.mark.otp("supervisor", "simple_one_for_one")
def test_a_restart_reuses_the_arguments_of_that_child() -> None:
    driver = driver_of(2)
    assert driver.exited("k#1") is None
    assert driver.seen() == ["child_terminated k killed", "start k (0,)"]
    assert sorted(map(str, pids(driver))) == ["k#2", "k#3"]


def test_a_temporary_child_leaves_nothing() -> None:
    driver = driver_of(2, restart="temporary")
    assert driver.exited("k#1", "normal") is None
    assert driver.exited("k#2") is None
    assert driver.exited("k#2") is None
    assert driver.seen() == ["child_terminated k killed"]
    assert pids(driver) == []


@pytest.mark.otp("supervisor", "simple_one_for_one_escalation")
def test_failed_restarts_are_retried_until_the_limit() -> None:
    driver = driver_of(1, flags={"intensity": 2})
    driver.plans["k"] = ["busy", "busy"]
    assert driver.exited("k#1") is None
    assert pids(driver) == ["restarting"]
    assert driver.retry() is None
    assert driver.retry() == Halt("shutdown")
    assert driver.seen() == [
        "child_terminated k killed",
        "start k (0,)",
        "start_error k busy",
        "retry k#1",
        "start k (0,)",
        "start_error k busy",
        "retry k#1",
        "shutdown k reached_max_restart_intensity",
    ]
    driver.run(driver.machine.stop_all())
    assert driver.seen() == []


def test_ignore_at_a_restart_keeps_nothing() -> None:
    driver = driver_of(1)
    driver.plans["k"] = ["ignore"]
    assert driver.exited("k#1") is None
    assert pids(driver) == []


def test_terminate_child_by_pid() -> None:
    driver = driver_of(2)
    driver.stops["k#2"] = "oops"
    driver.run(driver.machine.terminate_child("k#1"))
    driver.run(driver.machine.terminate_child("k#2"))
    assert driver.seen() == ["stop k#1", "stop k#2", "shutdown_error k oops"]
    assert refusal(driver, driver.machine.terminate_child("k#1")) == "not_found"


def test_terminating_a_child_gives_its_retry_up() -> None:
    driver = driver_of(1)
    driver.plans["k"] = ["busy"]
    driver.exited("k#1")
    assert driver.machine.get_childspec("k#1").id == "k"
    driver.run(driver.machine.terminate_child("k#1"))
    driver.seen()
    assert driver.retry() is None
    assert driver.seen() == []


def test_the_administration_of_named_children_is_refused() -> None:
    driver = driver_of(1)
    for refused in (driver.machine.restart_child, driver.machine.delete_child):
        with pytest.raises(SupervisorError) as caught:
            refused("k#1")
        assert caught.value.reason == "simple_one_for_one"
    assert driver.machine.get_childspec("k#1").id == "k"
    with pytest.raises(SupervisorError, match="not_found"):
        driver.machine.get_childspec("z#1")


@pytest.mark.otp("supervisor", "sup_stop_non_shutdown_exit_dynamic")
def test_all_stop_at_once_and_errors_are_counted_per_reason() -> None:
    driver = driver_of(4)
    driver.stops = {"k#1": "killed", "k#2": "oops", "k#4": "killed"}
    driver.run(driver.machine.stop_all())
    assert driver.seen() == [
        "stop k#1 k#2 k#3 k#4",
        "shutdown_error k x2 killed",
        "shutdown_error k x1 oops",
    ]
    assert pids(driver) == []


@pytest.mark.otp("supervisor", "significant_simple")
def test_auto_shutdown() -> None:
    options = {"restart": "transient", "significant": True}
    any_of = driver_of(2, flags={"auto_shutdown": "any_significant"}, **options)
    assert any_of.exited("k#1", "normal") == Halt("shutdown")
    all_of = driver_of(3, flags={"auto_shutdown": "all_significant"}, **options)
    all_of.plans["k"] = ["busy"]
    assert all_of.exited("k#1", "bad") is None
    assert all_of.exited("k#2", "normal") is None
    assert all_of.exited("k#3", "normal") is None  # k#1 is still to be restarted
    assert all_of.retry() is None
    assert all_of.exited("k#4", "normal") == Halt("shutdown")
