"""A node that looks at its own stack while it works: `python -m bench.profile.sampled FILE run …`.

The words after FILE are those of `erlmcp-node`. The signal `TOGGLE` begins the sampling, and ends it: the
stacks are then in FILE, as JSON, [[count, [[file, function], …]], …] with the innermost function first.

WHY samples of processor time (ITIMER_PROF, one for each tick of the system's clock) and no instrumented
functions: a stack that is looked at 250 times a second costs nothing, while a wrapper costs as much as
the small functions that it measures. A function of C, a system call too, counts for the Python function
that called it.
"""

import collections
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from erlmcp_py.cli import main

TOGGLE = signal.SIGRTMIN + 5
DEPTH = 40
"""Frames of a stack that are kept: more than from the loop to any handler."""

_TICK = 0.001
_seen: collections.Counter[tuple[tuple[str, str], ...]] = collections.Counter()
_target = Path()
_on = False


def _sample(_signal: int, frame: FrameType | None) -> None:
    stack: list[tuple[str, str]] = []
    while frame is not None and len(stack) < DEPTH:
        code = frame.f_code
        stack.append((code.co_filename, code.co_qualname))
        frame = frame.f_back
    _seen[tuple(stack)] += 1


def _toggle(_signal: int, _frame: FrameType | None) -> None:
    global _on
    _on = not _on
    signal.setitimer(signal.ITIMER_PROF, _TICK if _on else 0.0, _TICK if _on else 0.0)
    if not _on:
        whole = _target.with_suffix(".part")
        whole.write_text(json.dumps([[count, stack] for stack, count in _seen.items()]))
        whole.rename(_target)


if __name__ == "__main__":
    _target = Path(sys.argv.pop(1))
    signal.signal(signal.SIGPROF, _sample)
    signal.signal(TOGGLE, _toggle)
    sys.argv[0] = "erlmcp-node"
    main()
