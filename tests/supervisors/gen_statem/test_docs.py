"""The example in the behaviour's docstring works."""

from __future__ import annotations

import doctest

from supervisors._gen_statem import behaviour


def test_the_docstring() -> None:
    result = doctest.testmod(behaviour)
    assert result.attempted == 5
    assert result.failed == 0
