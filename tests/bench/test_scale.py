"""What the rows of the kernel at scale measure: the work they name, not the checks between."""

import pytest

import supervisors
from bench.kernel import scale


class Clock:
    """A clock that moves by a second a look, and by much more while the steps check themselves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def checks_take_long(monkeypatch):
    clock = Clock()
    counted = scale._alive

    def alive() -> int:
        clock.now += 1_000_000.0
        return counted()

    monkeypatch.setattr(scale, "perf_counter", clock)
    monkeypatch.setattr(scale, "_alive", alive)
    monkeypatch.setattr(scale, "OPERATIONS", 1_000)
    monkeypatch.setattr(scale, "STARTED", 10)


@pytest.mark.parametrize(("step", "n"), [("alive", 100), ("children", 100), ("cost", 1_000)])
def test_counting_processes_is_no_part_of_what_is_measured(checks_take_long, step, n):
    # With 100,000 alive it was a third of the time of a stop.
    rates = supervisors.run(scale.STEPS[step], n, log=False)
    done = {"start": scale.TIMES * 10, "stop": scale.TIMES * 10} if step == "cost" else {}
    seconds = {name: done.get(name, n) / rate for name, rate in rates.items()}
    # Each was between two looks at the clock, or between two of each lap.
    assert seconds == {name: scale.TIMES if name in done else 1.0 for name in rates}
