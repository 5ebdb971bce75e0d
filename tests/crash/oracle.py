"""What became of every request, and who may have noticed which kill.

A request ends in one of four ways: answered, refused (an error of the node's), closed (the connection
ended before the answer was complete), or let go by its own client. All but the first and the last
need an excuse: a kill, in its time, of something the request depends on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Literal

import trio

Ending = Literal["answered", "refused", "closed", "let go"]

AFTERMATH: Final = 1.0
"""Virtual seconds in which what was killed may still be missed: restarts take none, but whoever found
nobody tries again a little later."""


class Violation(AssertionError):
    """Something that must not happen did."""


@dataclass(slots=True, eq=False)
class Request:
    """One request. on: everything it depends on, such as its connection and its server."""

    token: str
    what: str
    on: frozenset[Hashable]
    began: float
    """Or earlier: when its connection was last known to be whole."""
    ended: float | None = None
    ending: Ending | None = None
    detail: str = ""

    def __str__(self) -> str:
        span = f"{self.began:.3f} to {'…' if self.ended is None else f'{self.ended:.3f}'}"
        return f"{self.what} {self.token} on {sorted(map(str, self.on))}, {span}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Kill:
    """kind: of the victim. hit: the things that may notice; None for all."""

    kind: str
    at: float
    hit: frozenset[Hashable] | None
    details: str


@dataclass(slots=True)
class Oracle:
    """Keeps the books of one simulation."""

    open: dict[str, Request] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    """Of processes that nobody killed."""
    serial: int = 0

    def begin(self, what: str, *on: Hashable, since: float | None = None) -> Request:
        """A request is about to be sent. since: when its connection was last known to be whole."""
        self.serial += 1
        token = f"t{self.serial}"
        now = trio.current_time()
        request = Request(token, what, frozenset((token, *on)), now if since is None else since)
        self.open[token] = request
        return request

    def end(self, request: Request, ending: Ending, detail: str = "") -> None:
        """It has ended, which happens once, and not for the worse without a reason."""
        if request.ending is not None:
            raise Violation(
                f"{request} ended as {request.ending}, and now again: {ending} {detail}"
            )
        request.ending, request.ended, request.detail = ending, trio.current_time(), detail
        del self.open[request.token]
        self.endings[ending] += 1
        if ending in ("refused", "closed") and not self.excused(request.on, request.began):
            raise Violation(f"nothing that was killed excuses {ending}: {request}; {self.recent()}")

    def kill(self, kind: str, hit: frozenset[Hashable] | None, details: str = "") -> None:
        """Something is about to be killed."""
        self.kills.append(Kill(kind, trio.current_time(), hit, details))
        self.injected[kind] += 1

    def excused(self, on: frozenset[Hashable], since: float) -> bool:
        """Whether something of `on` was killed since then, or a moment before."""
        for kill in reversed(self.kills):
            if kill.at < since - AFTERMATH:
                return False
            if kill.hit is None or kill.hit & on:
                return True
        return False

    def recent(self) -> str:
        """The last kills, for a message."""
        last = [f"{kill.kind} {kill.details} at {kill.at:.3f}" for kill in self.kills[-6:]]
        return f"now {trio.current_time():.3f}; killed: {'; '.join(last) or 'nobody'}; crashed: {self.crashes}"


async def within(seconds: float, what: str, condition: Callable[[], object]) -> None:
    """Wait for what must become true in virtual time."""
    with trio.move_on_after(seconds):
        while not condition():
            await trio.sleep(0.5)
        return
    raise Violation(f"{what}: not within {seconds:g} s")
