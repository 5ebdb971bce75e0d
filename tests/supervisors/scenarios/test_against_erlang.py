"""The scenarios side by side: Erlang's own run of each script and ours, now.

Where releases of OTP differ, or a term of theirs is another one here, both of Erlang's
traces are read through the scenario's own account of the difference.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing

from ...conftest import require_program
from .erlang import erlangs_own
from .harness import golden, play
from .test_s01_start_order import s01
from .test_s02_init_failure import as_otp_26, s02
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
from .test_s19_sys import s19, with_pids
from .test_s23_timers_names import s23
from .test_s27_links import s27
from .test_s31_distribution import played as s31_played
from .test_s32_process_info import s32

SCENARIOS = {
    "s01_start_order_reverse_stop": s01,
    "s02_init_failure_unwinds": s02,
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
    "s19_sys": s19,
    "s23_timers_names": s23,
    "s27_links": s27,
    "s32_process_info": s32,
}


DIFFERENCES = {"s02_init_failure_unwinds": as_otp_26, "s19_sys": with_pids}


def theirs_and_recorded(escript: str, name: str) -> tuple[list[str], list[str]]:
    """Erlang's trace of the script, now and then, told in the terms of ours."""
    told = DIFFERENCES.get(name, list)
    return erlangs_own(escript, name, told=told), told(golden(name))


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_trace_as_the_installed_erlang(escript: str, name: str) -> None:
    theirs, recorded = theirs_and_recorded(escript, name)
    ours = trio.run(play, SCENARIOS[name], clock=trio.testing.MockClock(autojump_threshold=0))
    assert ours == theirs
    assert theirs == recorded


def test_a_node_goes_away_as_in_the_installed_erlang(escript: str, epmd: str) -> None:
    """S31 needs the port mapper and starts a second node."""
    theirs, recorded = theirs_and_recorded(escript, "s31_distribution")
    ours = trio.run(s31_played, clock=trio.testing.MockClock(autojump_threshold=0))
    assert ours == theirs
    assert theirs == recorded


@pytest.fixture
def epmd() -> str:
    return require_program("epmd", "install erlang-base to run two nodes of Erlang")
