"""The gate lets nothing through that the suite would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .__main__ import LEGS
from .gate import FLOORS, Floors, problems, read_floors, read_results, side_of


def write(directory: Path, folder: str, *checks: tuple[str, str]) -> None:
    place = directory / folder
    place.mkdir(parents=True)
    rows = [{"id": id, "status": status, "errorMessage": "because"} for id, status in checks]
    (place / "checks.json").write_text(json.dumps(rows))


STAMP = "2026-11-21T05-23-41-153Z"


def verdict(directory: Path, distinct: dict[str, int], **rows: int) -> list[str]:
    return problems(read_results(directory, "server"), Floors(distinct, rows))


def test_a_clean_scenario_at_its_floor_passes(tmp_path: Path) -> None:
    write(tmp_path, f"server-ping-{STAMP}", ("a", "SUCCESS"), ("b", "SUCCESS"), ("c", "INFO"))
    assert verdict(tmp_path, {"ping": 2}) == []


@pytest.mark.parametrize("status", ["FAILURE", "WARNING"])
def test_a_failure_or_a_warning_anywhere_fails(tmp_path: Path, status: str) -> None:
    write(tmp_path, f"server-ping-{STAMP}", ("a", "SUCCESS"))
    write(tmp_path, f"server-other-{STAMP}", ("x", status), ("y", "SUCCESS"))
    assert verdict(tmp_path, {"ping": 1}) == [f"other: {status} x: because"]


def test_a_scenario_without_a_result_fails(tmp_path: Path) -> None:
    assert verdict(tmp_path, {"ping": 1}) == ["ping: no result"]


def test_the_same_check_many_times_is_one_check(tmp_path: Path) -> None:
    write(tmp_path, f"server-ping-{STAMP}", *[("a", "SUCCESS")] * 5)
    assert verdict(tmp_path, {"ping": 2}) == ["ping: 1 distinct checks succeeded; the floor is 2"]


def test_rows_are_counted_where_the_floor_is_of_rows(tmp_path: Path) -> None:
    write(tmp_path, f"server-ping-{STAMP}", *[("a", "SUCCESS")] * 5)
    assert verdict(tmp_path, {}, ping=5) == []
    assert verdict(tmp_path, {}, ping=6) == ["ping: 5 rows succeeded; the floor is 6"]


def test_skipped_and_informational_checks_are_no_successes(tmp_path: Path) -> None:
    write(tmp_path, f"server-ping-{STAMP}", ("a", "SKIPPED"), ("b", "INFO"))
    assert verdict(tmp_path, {"ping": 1}) == ["ping: 0 distinct checks succeeded; the floor is 1"]


def test_client_scenarios_may_lie_in_folders(tmp_path: Path) -> None:
    write(tmp_path, f"auth/basic-cimd-{STAMP}", ("a", "SUCCESS"))
    assert problems(read_results(tmp_path, "client"), Floors({"auth/basic-cimd": 1}, {})) == []


def test_every_leg_has_floors_above_zero() -> None:
    import tomllib

    for leg in tomllib.loads(FLOORS.read_text()):
        floors = read_floors(leg)
        numbers: list[Any] = [*floors.distinct.values(), *floors.rows.values()]
        assert numbers
        assert all(isinstance(number, int) and number > 0 for number in numbers)


def test_a_leg_may_have_the_floors_of_another_and_some_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "floors.toml"
    path.write_text(
        """
        [one]
        ping = 2
        tools = 3
        [one.rows]
        headers = 14
        [two]
        as = "one"
        tools = 4
        [two.apart]
        tools = "why"
        """
    )
    assert read_floors("two", path) == Floors(
        {"ping": 2, "tools": 4}, {"headers": 14}, {"tools": "why"}
    )


def test_what_stands_apart_does_not_count_as_long_as_it_fails(tmp_path: Path) -> None:
    write(tmp_path, f"server-ping-{STAMP}", ("a", "FAILURE"), ("b", "SUCCESS"))
    write(tmp_path, f"server-tasks-{STAMP}", ("x", "FAILURE"), ("y", "WARNING"))
    write(tmp_path, f"server-fine-{STAMP}", ("a", "SUCCESS"))
    found = read_results(tmp_path, "server")
    why = {"ping:a": "why", "tasks": "why"}
    assert problems(found, Floors({"ping": 1, "tasks": 2}, {}, why)) == []
    for key in ("ping:b", "fine", "fine:a", "nothing"):
        kept = problems(found, Floors({"ping": 1, "tasks": 2}, {}, {**why, key: "why"}))
        assert kept == [f"{key} does not fail; it need not stand apart"]


def test_what_stands_behind_a_gateway_is_a_server() -> None:
    sides = {leg: side_of(leg) for leg in LEGS}
    assert {leg for leg in sides if sides[leg] == "client"} == {
        "client-2025-11-25",
        "client-2026-07-28",
        "client-all",
    }
