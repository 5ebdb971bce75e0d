"""Erlang's own run of a scenario's script, now.

Our kernel plays scenarios under a virtual clock, Erlang by the machine's. A busy machine
wakes it late, and where a window of time is the subject that makes another scenario of it:
a crash meant for the second second comes in the third. So a script is played again while its
trace is not the recorded one. A rule that differs does so in every play.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from .harness import GOLDEN, golden

PATIENCE = 45
"""Seconds in which a play has to end; one that does not was no play."""
AGAIN = 60
"""Seconds in which another play may begin."""


async def _played(program: str, script: str) -> list[str]:
    with trio.move_on_after(PATIENCE):
        ran = await trio.run_process([program, script], capture_stdout=True, capture_stderr=True)
        return ran.stdout.decode().splitlines()
    return [f"{script} has not ended within {PATIENCE} s"]


def erlangs_own(
    program: str,
    name: str,
    *,
    suffix: str = "escript",
    told: Callable[[list[str]], list[str]] = list,
) -> list[str]:
    """The trace of ``{name}.{suffix}`` as `program` writes it; the last one, if none is as
    recorded. `told` is how a trace is read, where releases differ."""
    recorded, end = told(golden(name)), time.monotonic() + AGAIN
    while True:
        trace = told(trio.run(_played, program, f"{GOLDEN / name}.{suffix}"))
        if trace == recorded or time.monotonic() > end:
            return trace
