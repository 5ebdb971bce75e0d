"""The figures of an upstream: what is counted, and that they take no more room with time."""

from __future__ import annotations

from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.gateway import latency
from erlmcp_py.gateway.latency import Figures, Meter

TIMES = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)


def of(*times: float) -> Meter:
    meter = Meter()
    for seconds in times:
        meter.answered(seconds, refused=False)
    return meter


def test_before_the_first_answer_there_is_no_latency() -> None:
    assert Meter().figures() == Figures(0, 0, 0, None, None)


def test_refusals_are_answers_and_what_is_lost_is_none() -> None:
    meter = of(0.25)
    meter.requests = 4
    meter.answered(0.75, refused=True)
    meter.lost += 1
    assert meter.figures() == Figures(requests=4, errors=2, lost=1, p50=0.25, p99=0.75)


@given(TIMES, st.floats(0, 1))
def test_a_quantile_is_a_time_within_which_that_part_has_come(
    times: list[float], part: float
) -> None:
    found = of(*times).quantile(part)
    assert found in times
    within = sum(each <= found for each in times)
    assert within >= part * len(times) - 1e-9
    sooner = sum(each < found for each in times)
    assert sooner < part * len(times) or found == min(times)


def test_the_last_ones_count_and_no_more_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "KEPT", 100)
    meter = of(*[1000.0] * 250, *map(float, range(100)))
    assert meter.quantile(1.0) == 99.0
    assert meter.quantile(0.0) == 0.0
    assert meter.quantile(0.5) == pytest.approx(quantiles(range(100))[1], abs=1)
    assert len(meter._times) == 100
    meter.answered(7000.0, refused=False)  # in the place of the oldest
    assert (meter.quantile(0.0), meter.quantile(1.0)) == (1.0, 7000.0)
