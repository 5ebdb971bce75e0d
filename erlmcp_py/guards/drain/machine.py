"""What a draining node does next, decided from what its members have said and what time it is. Pure.

::

    serving --begin--> draining --nothing is left-------------> over
                          |                                      ^
                          +--deadline--> cutting --nothing left--+
                                            +------ GRACE -------+

While it is draining, requests end by themselves. At the deadline those that are still at work are
cancelled, and in `cutting` their clients are told so.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

import msgspec

Phase = Literal["serving", "draining", "cutting", "over"]
Step = Literal["wait", "cut", "end"]

LAST_WORDS: Final = 2.0
"""Seconds that clients have to take the errors of their cancelled calls."""


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """deadline: seconds that requests have to end. idle_grace: seconds that a client which asks for nothing
    keeps its connection; with the answer to its next request it is told to leave.
    """

    deadline: float = 25.0
    idle_grace: float = 2.0


class Going(msgspec.Struct, frozen=True):
    """What a member is told. since: when it began, on the runtime's clock. idle_grace: seconds.

    ends_at: the deadline. shared: somebody else accepts from the same listening sockets; who waits in their queues is theirs. last: the
    deadline is over, and connections that are open are to be ended as soon as they have been told.
    """

    since: float
    ends_at: float
    idle_grace: float
    shared: bool
    last: bool = False


class Left(msgspec.Struct, frozen=True):
    """What a member has left to do. listening: whether it still lets clients in. cut_off: requests that it
    has cut off itself.
    """

    listening: bool
    connections: int
    requests: int
    cut_off: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """How it ended. cut_off: requests that were cancelled. seconds: that it took."""

    why: str
    cut_off: int
    seconds: float

    @property
    def text(self) -> str:
        """For the log."""
        if not self.cut_off:
            return f"everything was finished in {self.seconds:.1f} s"
        what = "1 request was" if self.cut_off == 1 else f"{self.cut_off} requests were"
        return f"{what} cut off at the deadline, after {self.seconds:.1f} s"


class DrainStatus(msgspec.Struct, frozen=True):
    """For people, while it drains. requests: at work. remaining: seconds until the deadline."""

    phase: Phase
    why: str
    connections: int
    requests: int
    remaining: float


class Drain:
    """One node. members: names of the processes that serve clients. shared: see `Going`, unless who begins
    says otherwise. patience: seconds beyond the deadline for members that cut off by themselves.

    Plain data that outlives the process that works with it. Times are seconds on one clock.
    """

    def __init__(
        self,
        members: Collection[str],
        settings: DrainSettings,
        *,
        shared: bool = False,
        patience: float = 0.0,
    ) -> None:
        self.members = tuple(members)
        self.settings = settings
        self.phase: Phase = "serving"
        self.why = ""
        self.shared = shared
        self.patience = patience
        self.since = self.ends_at = 0.0
        self.cut_off = 0
        self.calls = 0
        """Calls at work, as of the last tick."""
        self._left: dict[str, Left] = {}

    def begin(
        self, now: float, why: str, deadline: float | None = None, shared: bool | None = None
    ) -> bool:
        """Start to drain; False if that was done before. deadline: seconds, None: as configured."""
        if self.phase != "serving":
            return False
        self.phase, self.why = "draining", why
        if shared is not None:
            self.shared = shared
        self.since = now
        self.ends_at = now + (self.settings.deadline if deadline is None else deadline)
        return True

    @property
    def going(self) -> Going:
        """What members are told now."""
        last = self.phase in ("cutting", "over")
        return Going(self.since, self.ends_at, self.settings.idle_grace, self.shared, last)

    def report(self, member: str, left: Left) -> None:
        """A member says what it has left."""
        if self.phase != "serving":
            self._left[member] = left

    def tick(self, now: float, calls: int, present: Collection[str]) -> Step:
        """What is to be done now. calls: at work on the node. present: members that run.

        "cut" is said once, and "end" as soon as everything is over.
        """
        self.calls = calls
        if self.phase == "over" or self._done(present):
            self.phase = "over"
            return "end"
        late = now - self.ends_at - self.patience
        if self.phase == "draining" and late >= 0:
            if not self.requests:
                self.phase = "over"  # only clients that ask for nothing are left
                return "end"
            self.phase, self.cut_off = "cutting", self.requests
            return "cut"
        if self.phase == "cutting" and late >= LAST_WORDS:
            self.phase = "over"
            return "end"
        return "wait"

    def _done(self, present: Collection[str]) -> bool:
        """Whether nothing is left. A member that does not run any more has nothing."""
        if self.calls:
            return False
        for member in self.members:
            if member in present:
                left = self._left.get(member)
                if left is None or left.listening or left.connections or left.requests:
                    return False
        return True

    @property
    def requests(self) -> int:
        """Requests at work: those that clients wait for, or calls that go on without their client."""
        return max(self.calls, sum(left.requests for left in self._left.values()))

    @property
    def connections(self) -> int:
        """Clients that are there."""
        return sum(left.connections for left in self._left.values())

    def status(self, now: float) -> DrainStatus | None:
        """None as long as the node serves."""
        if self.phase == "serving":
            return None
        remaining = max(0.0, self.ends_at - now)
        return DrainStatus(self.phase, self.why, self.connections, self.requests, remaining)

    def outcome(self, now: float) -> Outcome:
        """Once it is over."""
        cut_off = self.cut_off + sum(left.cut_off for left in self._left.values())
        return Outcome(self.why, cut_off, now - self.since)
