"""The restart window in whole seconds (rule V9)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors._supervisor.intensity import RestartWindow


@pytest.mark.parametrize(
    ("intensity", "period", "times", "verdicts"),
    [
        (0, 5, [0.0], [False]),
        (1, 1, [0.0, 0.9], [True, False]),
        (1, 1, [0.05, 1.85], [True, False]),  # S06: 1.8 s apart, still within the window
        (1, 1, [0.50, 2.30], [True, True]),  # S06: the same distance, another phase
        (1, 1, [0.0, 2.1, 4.2, 6.3], [True, True, True, True]),
        (2, 3, [0.0, 1.0, 3.9, 4.1, 8.0], [True, True, False, False, True]),
        (1, 5, [-3.5, -0.1, 2.0], [True, False, False]),
    ],
)
def test_table(intensity: int, period: int, times: list[float], verdicts: list[bool]) -> None:
    window = RestartWindow(intensity, period)
    assert [window.attempt(now) for now in times] == verdicts


@given(
    st.integers(0, 5),
    st.integers(1, 10),
    st.lists(st.floats(0, 3, allow_nan=False), max_size=60),
)
def test_same_as_counting_by_the_rule(intensity: int, period: int, gaps: list[float]) -> None:
    window = RestartWindow(intensity, period)
    now, kept = 0.0, []
    for gap in gaps:
        now += gap
        second = math.floor(now)
        kept = [restart for restart in kept if restart >= second - period] + [second]
        assert window.attempt(now) is (len(kept) <= intensity)
        assert len(window) == len(kept)
