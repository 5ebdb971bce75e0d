"""The examples in the docstrings of alarm_handler and os_mon work."""

from __future__ import annotations

import doctest

from supervisors import alarm_handler, os_mon


def test_alarm_handler() -> None:
    result = doctest.testmod(alarm_handler)
    assert result.attempted > 3
    assert result.failed == 0


def test_os_mon() -> None:
    result = doctest.testmod(os_mon)
    assert result.attempted > 3
    assert result.failed == 0
