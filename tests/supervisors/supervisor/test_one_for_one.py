"""The rules all regular strategies share, shown on one_for_one: V2-V9, V11, V13, V15, V16."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors._supervisor.errors import SupervisorError
from supervisors._supervisor.plan import Halt

from .driver import Driver, spec


def booted(children: Any = "abc", **flags: Any) -> Driver:
    driver = Driver(children, **flags)
    assert driver.boot() is None
    driver.seen()
    return driver


@pytest.mark.otp("supervisor", "order_of_children")
def test_starts_left_to_right_and_stops_in_reverse() -> None:
    driver = Driver("abc")
    assert driver.boot() is None
    driver.run(driver.machine.stop_all())
    assert driver.seen() == ["start a", "start b", "start c", "stop c#1", "stop b#1", "stop a#1"]


def test_a_failing_boot_is_unwound() -> None:
    driver = Driver("abcd")
    driver.plans["c"] = ["no_disk"]
    assert driver.boot() == ("failed_to_start_child", "c", "no_disk")
    assert driver.seen() == [
        "start a",
        "start b",
        "start c",
        "start_error c no_disk",
        "stop b#1",
        "stop a#1",
    ]


@pytest.mark.otp("supervisor", "sup_start_ignore_child")
@pytest.mark.otp("supervisor", "sup_start_ignore_temporary_child")
def test_an_ignored_child_keeps_its_spec_unless_temporary() -> None:
    driver = Driver([spec("a"), spec("b", restart="temporary"), spec("c")])
    driver.plans = {"a": ["ignore"], "b": ["ignore"]}
    assert driver.boot() is None
    assert driver.pids() == {"a": None, "c": "c#1"}


@pytest.mark.otp("supervisor", "one_for_one")
def test_only_the_failed_child_is_restarted_and_keeps_its_place() -> None:
    driver = booted()
    assert driver.exited("a#1") is None
    assert driver.seen() == ["child_terminated a killed", "start a"]
    assert driver.pids() == {"a": "a#2", "b": "b#1", "c": "c#1"}


RESTARTED_AND_REPORTED = {
    "permanent": {"normal", "shutdown", ("shutdown", "planned"), "bad", "killed"},
    "transient": {"bad", "killed"},
    "temporary": set[object](),
}


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "planned"), "bad", "killed"])
@pytest.mark.otp("supervisor", "permanent_normal")
@pytest.mark.otp("supervisor", "permanent_shutdown")
@pytest.mark.otp("supervisor", "permanent_abnormal")
@pytest.mark.otp("supervisor", "transient_normal")
@pytest.mark.otp("supervisor", "transient_shutdown")
@pytest.mark.otp("supervisor", "transient_abnormal")
@pytest.mark.otp("supervisor", "temporary_normal")
@pytest.mark.otp("supervisor", "temporary_shutdown")
@pytest.mark.otp("supervisor", "temporary_abnormal")
def test_restart_types(restart: str, reason: object) -> None:
    driver = booted([spec("x", restart=restart)])
    assert driver.exited("x#1", reason) is None
    reported = [line for line in driver.seen() if line.startswith("child_terminated")]
    if reason in RESTARTED_AND_REPORTED[restart]:
        assert (driver.pids(), len(reported)) == ({"x": "x#2"}, 1)
    elif restart == "temporary":
        assert driver.pids() == {}
        assert len(reported) == (reason in ("bad", "killed"))
    else:
        assert (driver.pids(), reported) == ({"x": None}, [])


def test_strangers_are_ignored() -> None:
    driver = booted()
    assert driver.exited("z#1") is None
    assert driver.seen() == []


@pytest.mark.otp("supervisor", "one_for_one_escalation")
def test_too_many_restarts_end_it() -> None:
    driver = booted("ab", intensity=1, period=5)
    assert driver.exited("b#1") is None
    driver.now = 5.9
    assert driver.exited("b#2") == Halt("shutdown")
    assert driver.seen() == [
        "child_terminated b killed",
        "start b",
        "child_terminated b killed",
        "shutdown b reached_max_restart_intensity",
    ]
    driver.run(driver.machine.stop_all())
    assert driver.seen() == ["stop a#1"]


@pytest.mark.otp("supervisor", "multiple_restarts")
def test_the_window_forgets() -> None:
    driver = booted("a", intensity=1, period=5)
    assert driver.exited("a#1") is None
    driver.now = 6.0
    assert driver.exited("a#2") is None


def test_a_failed_restart_is_retried_and_counted() -> None:
    driver = booted("ab", intensity=2)
    driver.plans["a"] = ["busy", "busy"]
    assert driver.exited("a#1") is None
    assert driver.seen() == [
        "child_terminated a killed",
        "start a",
        "start_error a busy",
        "retry a",
    ]
    assert driver.pids() == {"a": "restarting", "b": "b#1"}
    assert driver.retry() is None
    assert driver.retry() == Halt("shutdown")
    assert driver.seen() == [
        "start a",
        "start_error a busy",
        "retry a",
        "shutdown a reached_max_restart_intensity",
    ]


def test_a_retry_is_void_once_the_child_was_terminated_or_deleted() -> None:
    for delete in (False, True):
        driver = booted("a")
        driver.plans["a"] = ["busy"]
        driver.exited("a#1")
        driver.run(driver.machine.terminate_child("a"))
        if delete:
            driver.machine.delete_child("a")
        driver.seen()
        assert driver.retry() is None
        assert driver.seen() == []


def test_a_restart_answered_ignore_is_no_error() -> None:
    driver = booted("ab")
    driver.plans["a"] = ["ignore"]
    assert driver.exited("a#1") is None
    assert driver.seen() == ["child_terminated a killed", "start a"]
    assert driver.pids() == {"a": None, "b": "b#1"}


@pytest.mark.parametrize(
    ("options", "reason", "reported"),
    [
        ({}, "shutdown", False),
        ({}, "normal", True),
        ({}, ("shutdown", "x"), True),
        ({}, "killed", True),
        ({"restart": "transient"}, "normal", False),
        ({"restart": "temporary"}, ("shutdown", "x"), False),
        ({"restart": "temporary"}, "oops", True),
        ({"shutdown": "brutal_kill"}, "killed", False),
        ({"shutdown": "brutal_kill"}, "shutdown", True),
        ({"shutdown": "brutal_kill", "restart": "transient"}, "shutdown", False),
        ({"shutdown": "brutal_kill", "restart": "transient"}, "normal", False),
    ],
)
@pytest.mark.otp("supervisor", "sup_stop_race")
def test_which_stops_are_reported(options: dict[str, Any], reason: object, reported: bool) -> None:
    driver = booted([spec("a", **options)])
    driver.stops["a#1"] = reason
    driver.run(driver.machine.stop_all())
    lines = driver.seen()
    assert lines[0] == "stop a#1"
    assert [line.startswith("shutdown_error a") for line in lines[1:]] == [True] * reported


def refusal(driver: Driver, plan: Any) -> object:
    with pytest.raises(SupervisorError) as caught:
        driver.run(plan)
    return caught.value.reason


@pytest.mark.otp("supervisor", "child_adm")
def test_start_child_answers() -> None:
    driver = booted("a")
    machine = driver.machine
    assert driver.run(machine.start_child(spec("b"))) == "b#1"
    assert refusal(driver, machine.start_child(spec("b"))) == ("already_started", "b#1")
    driver.run(machine.terminate_child("b"))
    assert refusal(driver, machine.start_child(spec("b"))) == "already_present"
    assert refusal(driver, machine.start_child({"id": "c"})) == "missing_start"
    driver.plans = {"c": ["nope"], "d": ["ignore"], "e": ["ignore"]}
    assert refusal(driver, machine.start_child(spec("c"))) == ("nope", spec("c"))
    assert driver.run(machine.start_child(spec("d"))) is None
    assert driver.run(machine.start_child(spec("e", restart="temporary"))) is None
    assert driver.pids() == {"a": "a#1", "b": None, "d": None}
    assert not [line for line in driver.seen() if "start_error" in line]


@pytest.mark.otp("supervisor", "child_adm")
@pytest.mark.otp("supervisor", "sup_start_restart_child_returns_error")
def test_restart_and_delete_child_answers() -> None:
    driver = booted("ab")
    machine = driver.machine
    for call in (machine.restart_child, machine.delete_child):
        for id, reason in (("z", "not_found"), (["a"], "not_found"), ("a", "running")):
            with pytest.raises(SupervisorError) as caught:
                driver.run(call(id))  # type: ignore[arg-type]
            assert caught.value.reason == reason
    driver.plans["a"] = ["busy", "busy"]
    driver.exited("a#1")
    assert refusal(driver, machine.restart_child("a")) == "restarting"
    with pytest.raises(SupervisorError, match="restarting"):
        machine.delete_child("a")
    driver.run(machine.terminate_child("a"))
    assert refusal(driver, machine.restart_child("a")) == "busy"
    assert driver.run(machine.restart_child("a")) == "a#2"
    driver.run(machine.terminate_child("a"))
    machine.delete_child("a")
    assert driver.run(machine.start_child(spec("a"))) == "a#3"
    assert list(driver.pids()) == ["b", "a"]  # deleted and started again: last


def test_terminate_child_keeps_the_spec_except_a_temporary_one() -> None:
    driver = booted([spec("a"), spec("t", restart="temporary")])
    driver.run(driver.machine.terminate_child("a"))
    driver.run(driver.machine.terminate_child("a"))
    driver.run(driver.machine.terminate_child("t"))
    assert driver.pids() == {"a": None}
    assert refusal(driver, driver.machine.terminate_child("t")) == "not_found"
    assert driver.seen() == ["stop a#1", "stop t#1"]


def test_listing_is_newest_first() -> None:
    driver = booted("abc")
    assert [child.id for child in driver.machine.which_children()] == ["c", "b", "a"]


def significant(id: str, restart: str = "transient") -> Any:
    return spec(id, restart=restart, significant=True)


def test_any_significant_ends_the_supervisor() -> None:
    children = [spec("a"), significant("s"), significant("t", "temporary")]
    for pid, reason in (("s#1", "normal"), ("t#1", "normal"), ("t#1", "bad")):
        driver = booted(children, auto_shutdown="any_significant")
        assert driver.exited("a#1") is None
        assert driver.exited(pid, reason) == Halt("shutdown")
    driver = booted(children, auto_shutdown="any_significant")
    assert driver.exited("s#1", "bad") is None  # restarted, so it has not ended
    assert driver.run(driver.machine.terminate_child("s")) is None


def test_all_significant_waits_for_the_last() -> None:
    children = [spec("a"), significant("s"), significant("t", "temporary")]
    driver = booted(children, auto_shutdown="all_significant")
    driver.plans["s"] = ["busy"]
    assert driver.exited("s#1", "bad") is None
    assert driver.pids()["s"] == "restarting"  # counts as there
    assert driver.exited("t#1", "normal") is None
    assert driver.retry() is None
    assert driver.exited("s#2", "normal") == Halt("shutdown")
