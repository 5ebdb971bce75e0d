"""The page of conformance is complete, true and up to date."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .otp_conformance import ROOT, Case, faults

TEST = ["tests/test_it.py::test_it"]


def test_every_case_has_a_test_or_a_reason_and_the_page_says_so() -> None:
    check = [sys.executable, "-m", "tests.otp_conformance", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        (Case("sys", "log", "it"), "has lost its test"),
        (Case("sys", "log", "it", pending=True), None),
        (Case("sys", "log", "it", reason="no"), None),
        (Case("sys", "log", "it", tests=TEST), None),
        (Case("sys", "log", "it", pending=True, tests=TEST), "take it out of `pending`"),
        (Case("sys", "log", "it", pending=True, reason="no"), "take it out of `pending`"),
        (Case("sys", "log", "it", reason="no", tests=TEST), "a reason to have none"),
    ],
)
def test_what_a_row_must_be(case: Case, fault: str | None) -> None:
    found = list(faults([case], {}))
    if fault is None:
        assert found == []
    else:
        assert len(found) == 1
        assert fault in found[0]


def test_a_marker_of_no_case_is_a_fault() -> None:
    [fault] = faults([], {("sys", "nonsense"): {"tests/test_it.py::test_it"}})
    assert "otp('sys', 'nonsense') is no case" in fault
    assert TEST[0] in fault
