"""What is measured, and how rounds become one judgement.

A `Row` is one line of the report; a `Measured` holds its rounds. The two sides of a round
are taken right after each other, so the ratio is formed per round and the median of the
ratios is judged: a slow minute of the machine touches both sides of its round alike.
"""

import os
from dataclasses import dataclass, field
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row has to reach.

    kind: "ratio" (at least `value` times the peer) or "ours" (whatever the peer does:
        where more is better at least `value`, where less is better at most, in the row's
        unit).
    source: where the goal is written down.
    """

    kind: Literal["ratio", "ours"]
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report.

    peer: who it is measured beside; "" for a row that stands alone and has no ratio.
    better: "more" for rates, "less" for times and sizes. The ratio of both is "how many
        times better than the peer".
    """

    key: str
    group: str
    title: str
    unit: str
    peer: str
    better: Literal["more", "less"]
    goals: tuple[Goal, ...] = ()


@dataclass(slots=True)
class Measured:
    """The rounds of a row: ours and the peer's, in the order taken, and the load average.

    absent: why nothing could be measured; "" where rounds were taken. A row without rounds misses
    its goals.
    """

    row: Row
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    absent: str = ""

    def add(self, ours: float, peer: float | None = None) -> None:
        """One round. peer: None exactly where the row stands alone."""
        if (peer is None) != (self.row.peer == ""):
            raise ValueError(f"{self.row.key}: peer figure {peer} beside peer {self.row.peer!r}")
        self.ours.append(ours)
        if peer is not None:
            self.peer.append(peer)
        self.load.append(load_average())

    def ratios(self) -> list[float]:
        """How many times better, round by round; empty where the row stands alone."""
        if not self.peer:
            return []
        pairs = zip(self.ours, self.peer, strict=True)
        if self.row.better == "more":
            return [ours / peer for ours, peer in pairs]
        return [peer / ours for ours, peer in pairs]

    def reached(self, goal: Goal) -> bool:
        if not self.ours:
            return False
        if goal.kind == "ratio":
            return median(self.ratios()) >= goal.value
        if self.row.better == "more":
            return median(self.ours) >= goal.value
        return median(self.ours) <= goal.value

    def as_json(self) -> dict[str, object]:
        ratios = self.ratios()
        return {
            "key": self.row.key,
            "group": self.row.group,
            "title": self.row.title,
            "unit": self.row.unit,
            "peer_name": self.row.peer,
            "better": self.row.better,
            "ours": self.ours,
            "peer": self.peer,
            "ours_median": median(self.ours) if self.ours else None,
            "peer_median": median(self.peer) if self.peer else None,
            "ratio_median": median(ratios) if ratios else None,
            "ratio_min": min(ratios, default=None),
            "ratio_max": max(ratios, default=None),
            "load_average": self.load,
            "absent": self.absent,
            "goals": [
                {
                    "kind": goal.kind,
                    "value": goal.value,
                    "source": goal.source,
                    "reached": self.reached(goal),
                }
                for goal in self.row.goals
            ],
        }


def load_average() -> float:
    """The machine's one-minute load average."""
    return os.getloadavg()[0]
