"""The examples in the behaviour's docstring and in the chapter on events work."""

from __future__ import annotations

import doctest
from pathlib import Path

from supervisors._gen_event import behaviour

CHAPTER = Path(__file__).parents[3] / "docs" / "events.md"


def test_the_docstring() -> None:
    result = doctest.testmod(behaviour)
    assert result.attempted > 3
    assert result.failed == 0


def test_the_chapter() -> None:
    result = doctest.testfile(str(CHAPTER), module_relative=False, encoding="utf-8")
    assert result.attempted > 10
    assert result.failed == 0
