"""Every guarantee names its tests, and every test named exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = [
    line
    for line in (ROOT / "docs" / "guarantees.md").read_text("utf-8").splitlines()
    if line.startswith("- **")
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[4:8].strip("* "))
def test_a_guarantee_is_held_by_a_test(line: str) -> None:
    cited = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", line)
    assert cited, "a guarantee without a test"
    for path, name in cited:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        tests = {
            n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in tests if name else any(t.startswith("test_") for t in tests)


def test_the_numbers_are_used_once() -> None:
    numbers = [re.match(r"- \*\*(\w+)\*\*", line)[1] for line in LINES]
    assert len(numbers) == len(set(numbers))
