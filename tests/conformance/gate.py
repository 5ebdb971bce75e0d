"""The verdict on a run of the suite, from the checks it wrote.

The suite's exit code is no gate: a server that is down passes some scenarios, and warnings never
fail. Here a leg passes if every scenario that its floors name has a result, nothing FAILED or
WARNED in any scenario, and in each as many distinct checks succeeded as its floor says.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FLOORS = Path(__file__).with_name("floors.toml")
EXPECTED_FAILURES: frozenset[str] = frozenset()
"""Nothing is expected to fail."""

_STAMP = re.compile(r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$")


@dataclass
class Scenario:
    """What one scenario came to. bad: (check, status, message) of all that failed or warned."""

    name: str
    ids: set[str] = field(default_factory=set)
    rows: int = 0
    skipped: int = 0
    bad: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Floors:
    """Least distinct checks, and least rows, by scenario. apart: what cannot succeed by the nature of what
    is tested, and why, by "scenario:check", or "scenario" if nothing of it can be judged.
    """

    distinct: Mapping[str, int]
    rows: Mapping[str, int]
    apart: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.distinct or name in self.rows

    def sets_apart(self, scenario: str, check: str) -> bool:
        """Whether it does not count that this check failed."""
        return scenario in self.apart or f"{scenario}:{check}" in self.apart


def side_of(leg: str) -> str:
    """What the suite tests in a leg, "server" or "client": behind a gateway there is a server."""
    return "client" if leg.startswith("client") else "server"


def read_floors(leg: str, path: Path = FLOORS) -> Floors:
    """The floors of a leg; its own go before those of the leg it is said to be `as`. KeyError if there is
    no such leg.
    """
    table: dict[str, Any] = dict(tomllib.loads(path.read_text())[leg])
    like = table.pop("as", None)
    base = Floors({}, {}) if like is None else read_floors(like, path)
    rows, apart = table.pop("rows", {}), table.pop("apart", {})
    return Floors({**base.distinct, **table}, {**base.rows, **rows}, {**base.apart, **apart})


def read_results(directory: Path, side: str) -> dict[str, Scenario]:
    """The scenarios a run of the suite has left in `directory`. side: "server" or "client"."""
    found: dict[str, Scenario] = {}
    for path in sorted(directory.rglob("checks.json")):
        folder = path.parent.relative_to(directory).as_posix()
        name = _STAMP.sub("", folder)
        if side == "server":
            name = name.removeprefix("server-")
        found[name] = judge_checks(name, json.loads(path.read_text()))
    return found


def judge_checks(name: str, checks: Iterable[Mapping[str, Any]]) -> Scenario:
    """Count the checks of one scenario."""
    scenario = Scenario(name)
    for check in checks:
        status = check["status"]
        if status == "SUCCESS":
            scenario.ids.add(check["id"])
            scenario.rows += 1
        elif status in ("FAILURE", "WARNING"):
            scenario.bad.append((check["id"], status, check.get("errorMessage") or ""))
        elif status == "SKIPPED":
            scenario.skipped += 1
    return scenario


def problems(found: Mapping[str, Scenario], floors: Floors) -> list[str]:
    """Everything that keeps the leg from passing, one line each; empty if it passes."""
    lines = [
        f"{name}: {status} {check}: {message}"
        for name, scenario in found.items()
        for check, status, message in scenario.bad
        if f"{name}:{check}" not in EXPECTED_FAILURES and not floors.sets_apart(name, check)
    ]
    for key in floors.apart:
        name, _, check = key.partition(":")
        failed = [id for id, _, _ in found[name].bad] if name in found else []
        if not failed or (check and check not in failed):
            lines.append(f"{key} does not fail; it need not stand apart")
    for name, floor in {**floors.distinct, **floors.rows}.items():
        if name in floors.apart:
            continue
        scenario = found.get(name)
        if scenario is None:
            lines.append(f"{name}: no result")
            continue
        in_rows = name in floors.rows
        count = scenario.rows if in_rows else len(scenario.ids)
        if count < floor:
            what = "rows" if in_rows else "distinct checks"
            lines.append(f"{name}: {count} {what} succeeded; the floor is {floor}")
    return lines
