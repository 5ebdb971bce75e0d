"""``python -m tests.conformance.page``: write what the last run of the suite came to into its page.

`python -m tests.conformance` runs the suite and leaves its results in `.venv/conformance`; this reads
them and replaces what stands between the two marks of `docs/mcp-conformance.md`. Exit code 1 if a leg
has not been run.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import gate
from .__main__ import LEGS, RESULTS, ROOT

PAGE = ROOT / "docs" / "mcp-conformance.md"
BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"

_UNSCORED = re.compile(r"^  \S ([\w/.-]+) \([\w-]+\)$", re.M)
_LEGEND = (
    "Distinct checks that succeeded in each scenario, and behind the stroke the least that our gate "
    "takes; where a scenario counts rows of a table, rows. Those in italics are not scored."
)
_STAMP = re.compile(r"-(\d{4}-\d\d-\d\d)T")


@dataclass(frozen=True)
class Leg:
    """One leg of a run. unscored: scenarios that do not count for its requirement set; in the leg
    that runs everything, none counts. day: when it was run.
    """

    name: str
    found: Mapping[str, gate.Scenario]
    unscored: frozenset[str]
    floors: gate.Floors
    day: str


def read_leg(name: str, results: Path = RESULTS) -> Leg:
    """What a run has left. FileNotFoundError if there was none."""
    directory = results / name
    text = (results / f"{name}.txt").read_text("utf-8")
    found = gate.read_results(directory, gate.side_of(name))
    if not found:
        raise FileNotFoundError(directory)
    days = [match[1] for path in directory.iterdir() if (match := _STAMP.search(path.name))]
    scored = LEGS[name][0] == "--requirements"
    unscored = frozenset(_UNSCORED.findall(text)) if scored else frozenset(found)
    return Leg(name, found, unscored, gate.read_floors(name), max(days))


def render(legs: Iterable[Leg], suite: str) -> str:
    """The tables. suite: name and version."""
    legs = list(legs)
    lines = [
        f"`{suite}`, run on {max(leg.day for leg in legs)}.",
        "",
        "| leg | scored scenarios passed | others passed | checks succeeded | failed or warned |",
        "| --- | --- | --- | --- | --- |",
        *map(_summary, legs),
        "",
        _LEGEND,
    ]
    for side in ("server", "gateway", "client"):
        lines += _scenarios(side, [leg for leg in legs if leg.name.startswith(side)])
    return "\n".join([*lines, *_apart(legs)])


def _apart(legs: list[Leg]) -> list[str]:
    """What cannot be, leg by leg."""
    reasons = [
        f"- {leg.name}, `{what}`: {why}" for leg in legs for what, why in leg.floors.apart.items()
    ]
    return ["", "What fails apart cannot be otherwise:", "", *reasons] if reasons else []


def _scenarios(side: str, legs: list[Leg]) -> list[str]:
    """The table of one side."""
    names = list(dict.fromkeys(name for leg in legs for name in leg.found))
    revisions = (leg.name.removeprefix(f"{side}-") for leg in legs)
    return [
        "",
        f"| scenario of the {side} | " + " | ".join(revisions) + " |",
        "| --- |" + " --- |" * len(legs),
        *(f"| {name} | " + " | ".join(_cell(leg, name) for leg in legs) + " |" for name in names),
    ]


def _summary(leg: Leg) -> str:
    def passed(names: Iterable[str]) -> str:
        judged = [leg.found[name] for name in names if leg.found[name].rows or leg.found[name].bad]
        clean = sum(not scenario.bad for scenario in judged)
        return f"{clean} of {len(judged)}" if judged else "-"

    scored = [name for name in leg.found if name not in leg.unscored]
    others = [name for name in leg.found if name in leg.unscored]
    rows = sum(scenario.rows for scenario in leg.found.values())
    bad = sum(len(scenario.bad) for scenario in leg.found.values())
    return f"| {leg.name} | {passed(scored)} | {passed(others)} | {rows} | {bad} |"


def _cell(leg: Leg, name: str) -> str:
    scenario = leg.found.get(name)
    if scenario is None:
        return ""
    in_rows = name in leg.floors.rows
    count = scenario.rows if in_rows else len(scenario.ids)
    floor = (leg.floors.rows if in_rows else leg.floors.distinct).get(name)
    text = f"{count}" if floor is None else f"{count} / {floor}"
    if not scenario.rows and not scenario.bad:
        text = "skipped by the suite"
    apart = sum(leg.floors.sets_apart(name, check) for check, _, _ in scenario.bad)
    if apart:
        text += f", {apart} apart"
    if len(scenario.bad) > apart:
        text += f", {len(scenario.bad) - apart} FAILED"
    return f"*{text}*" if name in leg.unscored else text


def replace(page: str, tables: str) -> str:
    """The page with other tables. ValueError if its marks are missing."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs {BEGIN} and {END}")
    return f"{head}{BEGIN}\n{tables}\n{END}{tail}"


def suite_name() -> str:
    """Name and version of the suite, as `package.json` pins it."""
    package = json.loads((Path(__file__).with_name("package.json")).read_text("utf-8"))
    name = "@modelcontextprotocol/conformance"
    return f"{name}@{package['dependencies'][name]}"


def main() -> None:
    """The command."""
    try:
        legs = [read_leg(name) for name in LEGS]
    except FileNotFoundError as missing:
        sys.exit(f"run `make conformance` first: there is no {missing}")
    PAGE.write_text(replace(PAGE.read_text("utf-8"), render(legs, suite_name())), "utf-8")


if __name__ == "__main__":
    main()
