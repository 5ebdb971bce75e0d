"""Seeding the order in which trio runs the tasks that are ready.

WHY: trio deals the tasks of one round in random order, so that nobody comes to rely on it.
A test that fails in one order out of fifty can only be repeated if that order comes from a
seed. trio has the means, for Hypothesis, but no public name for them: a `random.Random`
and a flag that makes the dealing depend on it alone. Both are touched here and nowhere
else; `AVAILABLE` is False where trio has them no more, and a seed then still decides
everything but the order of tasks. Refused alternative: an own scheduler through trio's
guest mode, which orders whole rounds, not the tasks in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from trio._core import _run

_trio: Any = _run

AVAILABLE: Final = hasattr(_trio, "_r") and hasattr(_trio, "_ALLOW_DETERMINISTIC_SCHEDULING")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """While open, trio's order of tasks follows from `seed`; afterwards it is as before."""
    if not AVAILABLE:
        yield
        return
    before = _trio._r.getstate()
    flag = _trio._ALLOW_DETERMINISTIC_SCHEDULING
    _trio._r.seed(seed)
    _trio._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        _trio._ALLOW_DETERMINISTIC_SCHEDULING = flag
        _trio._r.setstate(before)
