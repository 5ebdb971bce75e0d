"""docs/otp-conformance.md: every case of OTP's own test suites, and which of our tests covers it.

Tests say what they cover with the marker ``otp(suite, case)``, the suite with or without
its ``_SUITE``; the cases and what each
asserts stand in tests/data/otp/cases.toml. A case is covered by a test, or has a reason
why it means nothing here, or is openly listed as pending; `faults` says which is none of
these. Run ``python -m tests.otp_conformance`` to write the page anew and to take what is
covered out of `pending`; with ``--check`` both are only compared. Tests are found by letting pytest collect them, so that a marker on a
test that is no longer collected counts for nothing.
"""

from __future__ import annotations

import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "data" / "otp" / "cases.toml"
PAGE = ROOT / "docs" / "otp-conformance.md"
INTRODUCTION = (
    "Every case of the suites that Erlang/OTP tests these behaviours with: covered by which of "
    "our tests, or why it has no meaning here. Made by `python -m tests.otp_conformance` from "
    "the markers on the tests; CI fails when a row loses its test."
)
SUITES = ("supervisor", "gen_server", "gen_statem", "gen_event", "proc_lib", "sys")


@dataclass(frozen=True)
class Case:
    """One case of one suite; `reason` if it has no meaning here."""

    suite: str
    name: str
    asserts: str
    reason: str | None = None
    pending: bool = False
    tests: list[str] = field(default_factory=list)


class Collector:
    """A pytest plug-in that notes which collected test carries which markers."""

    def __init__(self) -> None:
        self.marked: dict[tuple[str, str], set[str]] = defaultdict(set)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        functions: dict[str, int] = defaultdict(int)
        variants: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for item in session.items:
            function = item.nodeid.partition("[")[0]
            functions[function] += 1
            for key in {_key(*mark.args) for mark in item.iter_markers("otp")}:
                variants[key][function].append(item.nodeid)
        for key, of_function in variants.items():
            for function, nodeids in of_function.items():
                whole = len(nodeids) == functions[function]
                self.marked[key].update([function] if whole else nodeids)


def _key(suite: str, case: str) -> tuple[str, str]:
    return suite.removesuffix("_SUITE"), case


def collect() -> dict[tuple[str, str], set[str]]:
    """(suite, case) -> ids of the tests that carry its marker; collects all tests anew."""
    collector = Collector()
    said = StringIO()
    with redirect_stdout(said):
        arguments = ["--collect-only", "-q", "-p", "no:cacheprovider"]
        # A module that cannot be imported fails the run by itself; here its markers are missing.
        arguments += ["--continue-on-collection-errors", str(ROOT / "tests")]
        pytest.main(arguments, plugins=[collector])
    if not collector.marked:
        raise SystemExit(f"pytest found no marked test:\n{said.getvalue()[-2000:]}")
    return collector.marked


def read_cases(marked: dict[tuple[str, str], set[str]]) -> list[Case]:
    """The table of cases, each with its tests."""
    table = tomllib.loads(CASES.read_text("utf-8"))
    for suite, names in table["pending"].items():
        strangers = set(names) - {row["case"] for row in table[suite]}
        if strangers:
            raise SystemExit(f"{CASES.name}: pending.{suite} has no cases {sorted(strangers)}")
    return [
        Case(
            suite,
            row["case"],
            row["asserts"],
            row.get("reason"),
            row["case"] in table["pending"][suite],
            sorted(marked.get((suite, row["case"]), ())),
        )
        for suite in SUITES
        for row in table[suite]
    ]


def faults(cases: list[Case], marked: dict[tuple[str, str], set[str]]) -> Iterator[str]:
    """What is wrong with the table, one sentence each."""
    for case in cases:
        name = f"{case.suite} {case.name}"
        if case.pending and (case.tests or case.reason):
            yield f"{name} is covered: take it out of `pending` in {CASES.name}"
        elif case.tests and case.reason:
            yield f"{name} has a test and a reason to have none"
        elif not (case.tests or case.reason or case.pending):
            yield f"{name} has lost its test: mark one with otp({case.suite!r}, {case.name!r})"
    known = {(case.suite, case.name) for case in cases}
    for suite, name in sorted(marked.keys() - known):
        tests = ", ".join(sorted(marked[suite, name]))
        yield f"otp({suite!r}, {name!r}) is no case of {CASES.name}; it marks {tests}"


def render(cases: list[Case]) -> str:
    """The page."""
    lines = [
        "# Conformance with OTP's own test suites",
        "",
        INTRODUCTION,
        "",
        "| suite | cases | covered | no meaning here | not yet covered |",
        "| --- | --- | --- | --- | --- |",
    ]
    for suite in SUITES:
        of_suite = [case for case in cases if case.suite == suite]
        covered = sum(bool(case.tests) for case in of_suite)
        without = sum(case.reason is not None for case in of_suite)
        pending = sum(case.pending for case in of_suite)
        lines.append(f"| {suite} | {len(of_suite)} | {covered} | {without} | {pending} |")
    for suite in SUITES:
        lines += ["", f"## {suite}_SUITE", "", "| case | asserts | here |", "| --- | --- | --- |"]
        for case in cases:
            if case.suite == suite:
                lines.append(f"| {case.name} | {case.asserts} | {_here(case)} |")
    return "\n".join(lines) + "\n"


def _here(case: Case) -> str:
    if case.tests:
        return "<br>".join(_link(test) for test in case.tests)
    return case.reason or "not yet covered"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    shown = name.removeprefix("test_").replace("_", " ").replace("[", ": ").removesuffix("]")
    return f"[{shown}](../{path})"


def settle(cases: list[Case]) -> None:
    """Take the cases that are covered by now out of `pending` in the table."""
    text = CASES.read_text("utf-8")
    head, _, rest = text.partition("[pending]\n")
    table = rest[rest.index("\n[[") :]
    lines = ["[pending]"]
    for suite in SUITES:
        names = [
            c.name for c in cases if c.suite == suite and c.pending and not (c.tests or c.reason)
        ]
        lines += [f"{suite} = [", *(f'    "{name}",' for name in names), "]"]
    CASES.write_text(head + "\n".join(lines) + "\n" + table, "utf-8")


def main(arguments: list[str]) -> int:
    marked = collect()
    cases = read_cases(marked)
    if "--check" not in arguments:
        settle(cases)
        cases = read_cases(marked)
    wrong = list(faults(cases, marked))
    page = render(cases)
    if "--check" not in arguments:
        PAGE.write_text(page, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != page:
        wrong.append(f"{PAGE.name} is out of date: run python -m tests.otp_conformance")
    sys.stderr.writelines(f"{fault}\n" for fault in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
