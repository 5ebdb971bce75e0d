"""T1-T5, T7 as Erlang has them: our own scenarios, recorded and live."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp

from ..scenarios.erlang import erlangs_own
from ..scenarios.harness import Scenario, golden, play
from .machines import AsyncTold, Slow, Stage, Told
from .plays import PLAYS

CASES = {
    "t01_time_outs": ["state_timeout", "generic_timers", "timeout_cancel_and_update"],
    "t02_postponed": ["event_order"],
    "t03_next_events": ["next_events", "event_order", "event_types"],
    "t04_enter_calls": ["state_enter"],
    "t05_stopping": ["stop_and_reply"],
    "t06_misuse": ["abnormal2", "abnormal3", "abnormal4", "pop_too_many"],
}
BOTH = [
    pytest.param(name, kind, marks=[pytest.mark.otp("gen_statem_SUITE", c) for c in CASES[name]])
    for name in PLAYS
    for kind in ((Slow,) if name == "t05_stopping" else (Told, AsyncTold))
]


async def ours(name: str, kind: type[Told]) -> list[str]:
    """The trace without reports, which the Erlang side leaves out too."""

    async def run(scenario: Scenario) -> None:
        otp.trap_exit()
        await PLAYS[name](Stage(scenario, kind))

    return [line for line in await play(run) if not line.startswith("~ ")]


@pytest.mark.parametrize(("name", "kind"), BOTH)
async def test_as_erlang_does(autojump_clock: Any, name: str, kind: type[Told]) -> None:
    assert await ours(name, kind) == golden(f"own/{name}")


@pytest.mark.parametrize("name", PLAYS)
def test_same_trace_as_the_installed_erlang(escript: str, name: str) -> None:
    assert erlangs_own(escript, f"own/{name}") == golden(f"own/{name}")
