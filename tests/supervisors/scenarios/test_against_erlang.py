"""The scenarios side by side: Erlang's own run of each script and ours, now."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from .harness import GOLDEN, golden, play
from .test_s01_start_order import s01
from .test_s03_one_for_all import s03
from .test_s04_rest_for_one import s04
from .test_s06_intensity_window import s06
from .test_s07_restart_types import s07
from .test_s09_exit_signals import s09
from .test_s10_monitors_aliases import s10
from .test_s11_call_failures import s11
from .test_s12_timeouts_continue import s12
from .test_s14_child_administration import s14
from .test_s15_simple_one_for_one import s15
from .test_s23_timers_names import s23
from .test_s27_links import s27

SCENARIOS = {
    "s01_start_order_reverse_stop": s01,
    "s03_one_for_all": s03,
    "s04_rest_for_one": s04,
    "s06_intensity_window": s06,
    "s07_restart_type_matrix": s07,
    "s09_exit_signals": s09,
    "s10_monitors_aliases": s10,
    "s11_call_failures": s11,
    "s12_timeouts_continue": s12,
    "s14_child_admin": s14,
    "s15_simple_one_for_one": s15,
    "s23_timers_names": s23,
    "s27_links": s27,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_trace_as_the_installed_erlang(escript: str, name: str) -> None:
    async def both() -> tuple[list[str], list[str]]:
        script = str(GOLDEN / f"{name}.escript")
        with trio.fail_after(60):
            erlang = await trio.run_process([escript, script], capture_stdout=True)
        return erlang.stdout.decode().splitlines(), golden(name)

    theirs, recorded = trio.run(both)
    ours = trio.run(play, SCENARIOS[name], clock=trio.testing.MockClock(autojump_threshold=0))
    assert ours == theirs
    assert theirs == recorded
