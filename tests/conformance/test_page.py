"""The page about conformance is made of results, and says of every scenario we are held to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from . import gate, page
from .__main__ import LEGS


def result(directory: Path, scenario: str, *checks: tuple[str, str]) -> None:
    folder = directory / f"server-{scenario}-2026-11-21T06-14-52-220Z"
    folder.mkdir(parents=True)
    made = [{"id": id, "status": status, "errorMessage": "why"} for id, status in checks]
    (folder / "checks.json").write_text(json.dumps(made))


@pytest.fixture
def leg(tmp_path: Path) -> page.Leg:
    directory = tmp_path / "server-2025-11-25"
    result(directory, "ping", ("a", "SUCCESS"), ("b", "SUCCESS"), ("b", "SUCCESS"))
    result(directory, "tools-list", ("a", "SUCCESS"), ("b", "FAILURE"))
    result(directory, "server-sse-polling", ("a", "SUCCESS"))
    result(directory, "later", ("a", "SKIPPED"))
    summary = "Not scored:\n  ✓ server-sse-polling (pending)\n  ✓ later (extension)\n"
    (tmp_path / "server-2025-11-25.txt").write_text(summary, "utf-8")
    return page.read_leg("server-2025-11-25", tmp_path)


def test_the_tables_say_what_came(leg: page.Leg) -> None:
    lines = page.render([leg], "suite@1").splitlines()
    assert lines[0] == "`suite@1`, run on 2026-11-21."
    assert "| server-2025-11-25 | 1 of 2 | 1 of 1 | 5 | 1 |" in lines
    assert "| ping | 2 / 2 |" in lines
    assert "| tools-list | 1 / 3, 1 FAILED |" in lines
    assert "| server-sse-polling | *1 / 3* |" in lines
    assert "| later | *skipped by the suite* |" in lines


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    assert page.replace(text, "new") == f"before\n{page.BEGIN}\nnew\n{page.END}\nafter\n"
    with pytest.raises(ValueError, match="the page needs"):
        page.replace("nothing here", "new")


def test_without_a_run_there_is_no_leg(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        page.read_leg("server-2025-11-25", tmp_path)


@pytest.mark.parametrize("name", LEGS)
def test_the_page_has_every_scenario_at_its_floor_or_above(name: str) -> None:
    text = page.PAGE.read_text("utf-8")
    side = name.partition("-")[0]
    table = text.partition(f"| scenario of the {side} | ")[2].partition("\n\n")[0]
    column = table.partition(" |\n")[0].split(" | ").index(name.removeprefix(f"{side}-"))
    floors = gate.read_floors(name)
    for scenario, floor in {**floors.distinct, **floors.rows}.items():
        if scenario in floors.apart:
            continue
        row = re.search(rf"^\| {re.escape(scenario)} \|(.*)\|$", table, re.MULTILINE)
        assert row is not None, scenario
        shown = re.match(r"\*?(\d+)", row[1].split("|")[column].strip())
        assert shown is not None, scenario
        assert int(shown[1]) >= floor, scenario
    assert not re.search(r"\d FAILED", text)
    assert all(f"- {name}, `{what}`: {why}" in text for what, why in floors.apart.items())
