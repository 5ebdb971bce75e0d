"""The example in the package's docstring runs as it stands."""

from __future__ import annotations

import doctest

from supervisors import distribution


def test_the_example_runs() -> None:
    failed, tried = doctest.testmod(distribution)
    assert tried > 0
    assert failed == 0
