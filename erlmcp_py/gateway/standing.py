"""How an upstream or one of its instances stands, and what is said when it is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

State = Literal["asleep", "starting", "up", "restarting", "down"]


class Standing(msgspec.Struct, frozen=True):
    """How an upstream, or one of its instances, stands. since: seconds since the epoch. reason: why it is
    not up. failures: how often it was lost or could not be started, in all. restarts: connections made
    after one was lost. pid: of its program.
    """

    state: State
    since: float
    reason: str | None
    failures: int
    restarts: int
    in_flight: int
    pid: int | None

    @property
    def since_text(self) -> str:
        """As people read it."""
        return _shown(self.since)


class Outdated(msgspec.Struct, frozen=True):
    """A list that is shown as it was, although it has changed. since, reason: as in `Standing`."""

    since: float
    reason: str

    @property
    def since_text(self) -> str:
        """As people read it."""
        return _shown(self.since)


class News(msgspec.Struct, frozen=True):
    """up: there is a new connection. failures: so many were lost or did not come to be. wanted: of these,
    somebody has ordered so many.
    """

    up: bool
    failures: int
    wanted: int = 0


def unavailable_text(name: str, standing: Standing, waited: float | None = None) -> str:
    """Since when the upstream of this name is not there, and why. waited: seconds that somebody has, in vain."""
    reason = standing.reason
    if reason is None and standing.state == "up":
        reason = "it has not said yet what it offers"
    elif reason is None:
        reason = "it has not answered yet" if waited is None else f"no answer within {waited:g} s"
    return f"the upstream {name!r} is {standing.state} since {standing.since_text}: {reason}"


def _shown(since: float) -> str:
    return datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
