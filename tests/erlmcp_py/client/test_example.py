"""The example of the package runs."""

from __future__ import annotations

import doctest

import erlmcp_py.client


def test_the_example() -> None:
    found = doctest.testmod(erlmcp_py.client)
    assert found.attempted > 0
    assert found.failed == 0
