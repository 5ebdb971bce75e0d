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

    kind: "ratio" (at least `value` times the peer) or "ours" (at most `value`, in the
        row's unit, whatever the peer does).
    source: where the goal is written down.
    """

    kind: Literal["ratio", "ours"]
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report.

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
    """The rounds of a row: ours and the peer's, in the order taken, and the load average."""

    row: Row
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)

    def add(self, ours: float, peer: float) -> None:
        self.ours.append(ours)
        self.peer.append(peer)
        self.load.append(load_average())

    def ratios(self) -> list[float]:
        pairs = zip(self.ours, self.peer, strict=True)
        if self.row.better == "more":
            return [ours / peer for ours, peer in pairs]
        return [peer / ours for ours, peer in pairs]

    def reached(self, goal: Goal) -> bool:
        if goal.kind == "ratio":
            return median(self.ratios()) >= goal.value
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
            "ours_median": median(self.ours),
            "peer_median": median(self.peer),
            "ratio_median": median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "load_average": self.load,
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
