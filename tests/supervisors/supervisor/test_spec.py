"""Child specs and flags: defaults, and OTP's term for every fault (SEMANTICS 1.5, V17)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from supervisors._supervisor.errors import SupervisorError
from supervisors._supervisor.machine import machine_for
from supervisors._supervisor.spec import (
    ChildSpec,
    SupFlags,
    as_child_spec,
    check_child_spec,
    check_childspecs,
    check_flags,
)


async def start(*_args: object) -> None:
    """A start function nobody calls."""


class Server:
    @classmethod
    async def start_link(cls) -> None:
        """A start function nobody calls."""


GOOD: dict[str, Any] = {"id": "a", "start": (start, ())}


def fault_of(term: object, auto_shutdown: Any = None) -> object:
    with pytest.raises(SupervisorError) as caught:
        check_child_spec(term, auto_shutdown)
    return caught.value.reason


@pytest.mark.otp("supervisor", "sup_start_map")
def test_defaults_are_those_of_otp() -> None:
    worker = ChildSpec("w", (start, ()))
    assert (worker.restart, worker.shutdown, worker.type) == ("permanent", 5.0, "worker")
    assert worker.significant is False
    assert worker.modules == (__name__,)
    assert ChildSpec("s", (start, ()), type="supervisor").shutdown == math.inf
    assert SupFlags() == SupFlags("one_for_one", 1, 5, "never")


def test_modules_default_to_the_class_of_a_class_method() -> None:
    assert ChildSpec("w", (Server.start_link, ())).modules == (f"{__name__}.Server",)


@pytest.mark.otp("supervisor", "sup_start_map")
@pytest.mark.otp("supervisor", "sup_start_map_simple")
@pytest.mark.otp("supervisor", "sup_start_map_faulty_specs")
def test_a_mapping_is_a_spec_and_unknown_keys_are_ignored() -> None:
    spec = as_child_spec({**GOOD, "shutdown": "brutal_kill", "colour": "red"})
    assert spec == ChildSpec("a", (start, ()), shutdown="brutal_kill")


@pytest.mark.parametrize(
    ("change", "term"),
    [
        ({"restart": "maybe"}, ("invalid_restart_type", "maybe")),
        ({"shutdown": -1}, ("invalid_shutdown", -1)),
        ({"shutdown": True}, ("invalid_shutdown", True)),
        ({"shutdown": "soon"}, ("invalid_shutdown", "soon")),
        ({"type": "robot"}, ("invalid_child_type", "robot")),
        ({"start": "here"}, ("invalid_mfa", "here")),
        ({"start": (start,)}, ("invalid_mfa", (start,))),
        ({"start": (start, "ab")}, ("invalid_mfa", (start, "ab"))),
        ({"start": ("start", ())}, ("invalid_mfa", ("start", ()))),
        ({"modules": "Mod"}, ("invalid_modules", "Mod")),
        ({"modules": ("Mod", 3)}, ("invalid_module", 3)),
        ({"significant": "yes"}, ("invalid_significant", "yes")),
        ({"id": ([],)}, ("invalid_id", ([],))),
    ],
)
@pytest.mark.otp("supervisor", "child_specs")
@pytest.mark.otp("supervisor", "child_specs_map")
def test_each_fault_has_its_term(change: dict[str, Any], term: object) -> None:
    assert fault_of({**GOOD, **change}) == term


def test_not_a_number_is_no_shutdown_time() -> None:
    reason = fault_of({**GOOD, "shutdown": math.nan})
    assert isinstance(reason, tuple)
    assert reason[0] == "invalid_shutdown"


@pytest.mark.otp("supervisor", "sup_start_map_faulty_specs")
def test_missing_keys_and_odd_terms() -> None:
    assert fault_of({"start": (start, ())}) == "missing_id"
    assert fault_of({"id": "a"}) == "missing_start"
    assert fault_of(17) == ("invalid_child_spec", 17)


@pytest.mark.parametrize("shutdown", [0, 0.25, 5, math.inf, "brutal_kill"])
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("type", ["worker", "supervisor"])
@pytest.mark.otp("supervisor", "child_specs")
@pytest.mark.otp("supervisor", "child_specs_map")
def test_every_valid_combination(shutdown: Any, restart: Any, type: Any) -> None:
    spec = ChildSpec("a", (start, ()), restart, shutdown, type)
    assert check_child_spec(spec, "never") is spec


@pytest.mark.otp("supervisor", "child_specs")
def test_significant_combinations() -> None:
    transient = {**GOOD, "restart": "transient", "significant": True}
    permanent = {**GOOD, "significant": True}
    assert fault_of(transient, "never") == (
        "bad_combination",
        [("auto_shutdown", "never"), ("significant", True)],
    )
    assert fault_of(permanent, "any_significant") == (
        "bad_combination",
        [("restart", "permanent"), ("significant", True)],
    )
    assert fault_of(permanent) == (
        "bad_combination",
        [("restart", "permanent"), ("significant", True)],
    )
    assert check_child_spec(transient).significant
    assert check_child_spec(transient, "all_significant").significant


@pytest.mark.parametrize("specs", ["x", b"x", 3, None, {"id": "a"}])
def test_specs_must_be_a_list(specs: object) -> None:
    with pytest.raises(SupervisorError) as caught:
        check_childspecs(specs)
    assert caught.value.reason == ("badarg", specs)


def test_ids_are_unique_and_order_is_kept() -> None:
    b = {**GOOD, "id": "b"}
    assert [spec.id for spec in check_childspecs([b, GOOD])] == ["b", "a"]
    with pytest.raises(SupervisorError) as caught:
        check_childspecs([GOOD, b, GOOD])
    assert caught.value.reason == ("duplicate_child_name", "a")


@pytest.mark.parametrize(
    ("flags", "term"),
    [
        (SupFlags(strategy="two_for_one"), ("invalid_strategy", "two_for_one")),  # type: ignore[arg-type]
        (SupFlags(intensity=-1), ("invalid_intensity", -1)),
        (SupFlags(intensity=True), ("invalid_intensity", True)),
        (SupFlags(period=0), ("invalid_period", 0)),
        (SupFlags(period=1.5), ("invalid_period", 1.5)),  # type: ignore[arg-type]
        (SupFlags(auto_shutdown="some"), ("invalid_auto_shutdown", "some")),  # type: ignore[arg-type]
        ("one_for_one", ("invalid_type", "one_for_one")),
    ],
)
@pytest.mark.otp("supervisor", "sup_flags")
def test_each_flag_has_its_term(flags: object, term: object) -> None:
    with pytest.raises(SupervisorError) as caught:
        check_flags(flags)
    assert caught.value.reason == term
    with pytest.raises(SupervisorError) as caught:
        machine_for(flags, [])
    assert caught.value.reason == ("supervisor_data", term)


def test_start_link_reasons_for_bad_specs() -> None:
    with pytest.raises(SupervisorError) as caught:
        machine_for(SupFlags(), [GOOD, GOOD])
    assert caught.value.reason == ("start_spec", ("duplicate_child_name", "a"))
    two = [GOOD, {**GOOD, "id": "b"}]
    for specs in (two, [], None):
        with pytest.raises(SupervisorError) as caught:
            machine_for(SupFlags("simple_one_for_one"), specs)
        assert caught.value.reason == ("bad_start_spec", specs)


def test_an_error_says_what_would_be_right() -> None:
    assert str(SupervisorError(("invalid_shutdown", -1))) == (
        "(invalid_shutdown, -1): shutdown must be seconds >= 0, math.inf or 'brutal_kill'"
    )
    assert str(SupervisorError("not_found")) == "not_found: the supervisor has no such child"
    failed = SupervisorError((("EXIT", OSError("no disk")), ChildSpec("a", (start, ()))))
    assert str(failed) == "child 'a' did not start: (EXIT, OSError: no disk)"
