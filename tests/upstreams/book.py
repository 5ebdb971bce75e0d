"""What is known of each upstream: what is being done to it, who answers, how its calls ended.

The rule it holds: a call of an upstream fails only while something is being done to that upstream. From a
fault until the first good answer behind it is one such time.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import trio

from tests.upstreams.world import Violation

_SHORT: Final = 160


class Said(NamedTuple):
    """What the program of an upstream says of itself with an answer. startup: seconds."""

    name: str
    pid: int
    startup: float
    token: str


class Good(NamedTuple):
    """The first good answer behind a fault. at: seconds on trio's clock."""

    at: float
    said: Said


def read(result: Any) -> Said:
    """Raises Violation for what no tool of an upstream says."""
    try:
        told = json.loads(result.content[0].text)
        return Said(told["name"], told["pid"], told["startup"], told["token"])
    except (AttributeError, LookupError, ValueError, TypeError) as problem:
        raise Violation(f"no answer of an upstream: {result!r}"[:500]) from problem


class Patient:
    """One upstream. pid: of the program that answered last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 0
        self.answered = 0
        self.refusals: Counter[str] = Counter()
        self._troubles: list[tuple[float, float | None]] = []
        self._begun = 0.0
        self._wanted: Callable[[Said], bool] | None = None
        self._good: Good | None = None
        self._well = trio.Event()

    # --- for those who do it wrong ------------------------------------------------------

    def trouble(self, over: Callable[[Said], bool]) -> None:
        """From now on calls may fail, until an answer is `over`."""
        assert self._wanted is None, f"two faults of {self.name} at once"
        self._wanted, self._begun, self._good = over, trio.current_time(), None
        self._well = trio.Event()
        self._troubles.append((self._begun, None))

    def over_from(self, over: Callable[[Said], bool]) -> None:
        """Change what an answer must be for it to be over."""
        self._wanted = over

    async def well(self, seconds: float) -> Good:
        """Wait for that answer. Raises Violation if it takes longer."""
        with trio.move_on_after(seconds):
            await self._well.wait()
        if self._good is None:
            raise Violation(f"{self.name} is not back after {seconds:g} s")
        return self._good

    # --- for those who call -------------------------------------------------------------

    def good(self, said: Said, token: str) -> None:
        """An answer came. Raises Violation if it is not the one that belongs there."""
        if (said.name, said.token) != (self.name, token):
            raise Violation(f"asked {self.name} for {token!r}, and this came: {said}")
        self.answered += 1
        self.pid = said.pid
        wanted = self._wanted
        if wanted is not None and wanted(said):
            now = trio.current_time()
            self._wanted, self._good = None, Good(now, said)
            self._troubles[-1] = (self._begun, now)
            self._well.set()

    def refused(self, error: Exception, asked_at: float, *, meant_to: bool) -> None:
        """A call failed. Raises Violation if it may not, or does not say whose fault it is."""
        text = str(error)
        if self.name not in text:
            raise Violation(
                f"a call of {self.name} ends with an error that does not name it: {text}"
            )
        now = trio.current_time()
        if not meant_to and not any(end is None or asked_at <= end for _, end in self._troubles):
            raise Violation(
                f"a call of {self.name} failed after {now - asked_at:.3f} s, and nothing was done to "
                f"{self.name}: {text}"
            )
        self.refusals[kind_of(text)] += 1


def kind_of(text: str) -> str:
    """The error without what is different each time."""
    short = re.sub(r"'[a-z]+'|/\S+|\d[\d.:-]*( UTC)?|\(\S*\)", "…", text)
    return short[:_SHORT]
