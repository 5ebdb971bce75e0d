"""The examples in the chapter on tasks and registries work."""

from __future__ import annotations

import doctest
from pathlib import Path

CHAPTER = Path(__file__).parents[3] / "docs" / "tasks-and-registry.md"


def test_the_chapter() -> None:
    result = doctest.testfile(str(CHAPTER), module_relative=False, encoding="utf-8")
    assert result.attempted > 15
    assert result.failed == 0
