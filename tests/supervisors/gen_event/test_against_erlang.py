"""The event and alarm scenarios side by side: Erlang's own run of each script and ours, now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from ..alarms.test_e04_alarms import e04
from ..alarms.test_e05_memory_alarm import e05
from ..scenarios.erlang import erlangs_own
from ..scenarios.harness import golden
from .recorder import EventScenario, play
from .test_e01_handler_order import e01
from .test_e02_supervised_handlers import e02
from .test_e03_swap_hands_over import e03

SCENARIOS: dict[str, Callable[[EventScenario], Awaitable[None]]] = {
    "e01_handler_order": e01,
    "e02_supervised_handlers": e02,
    "e03_swap_hands_over": e03,
    "e04_alarms": e04,
    "e05_memory_alarm": e05,
}

NEEDS = {"e04_alarms": "sasl", "e05_memory_alarm": "os_mon"}


def run_in_erlang(escript: str, name: str) -> list[str]:
    trace = erlangs_own(escript, f"own/{name}")
    if name in NEEDS and any("main scenario_crashed {undef" in line for line in trace):
        pytest.skip(f"this Erlang has no {NEEDS[name]}")
    return trace


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_trace_as_the_installed_erlang(escript: str, name: str) -> None:
    theirs = run_in_erlang(escript, name)
    ours = trio.run(play, SCENARIOS[name], clock=trio.testing.MockClock(autojump_threshold=0))
    assert ours == theirs
    assert theirs == golden(f"own/{name}")
