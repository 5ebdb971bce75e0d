"""The same load on ours and on every peer: a row for each pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..series import Goal, Measured, Row
from ..worker import WorkerError

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a load's result.

    entry: where it stands in the result. goals: by the name of the peer they compare with; those of ""
    are ours alone and stand in the row of the first peer.
    """

    key: str
    group: str
    title: str
    unit: str
    better: Literal["more", "less"]
    entry: str
    goals: Mapping[str, tuple[Goal, ...]] = field(default_factory=dict)


class Beside:
    """The rows of some figures. peers: names; none for a figure that stands alone."""

    def __init__(self, figures: Sequence[Figure], peers: Sequence[str]) -> None:
        self._lines = [
            (figure, peer, Measured(self._row(figure, peer, first=n == 0)))
            for figure in figures
            for n, peer in enumerate(peers or ("",))
        ]

    @staticmethod
    def _row(figure: Figure, peer: str, *, first: bool) -> Row:
        goals = figure.goals.get("", ()) if first else ()
        if peer:
            goals += figure.goals.get(peer, ())
        key = f"{figure.key}.{peer}" if peer else figure.key
        return Row(key, figure.group, figure.title, figure.unit, peer, figure.better, goals)

    def add(self, ours: Result, peers: Mapping[str, Result] | None = None) -> None:
        """One round. peers: by name."""
        for figure, peer, line in self._lines:
            beside = None if peers is None else peers[peer][figure.entry]
            line.add(ours[figure.entry], beside)

    def absent(self, reason: str) -> None:
        """Nothing can be measured."""
        for _, _, line in self._lines:
            line.absent = reason

    def lines(self) -> list[Measured]:
        return [line for _, _, line in self._lines]


def checked(result: dict[str, Any], name: str) -> dict[str, Any]:
    """The result of a load in which every answer was right. Raises WorkerError."""
    if result["errors"]:
        raise WorkerError(
            f"{name}: {result['errors']} of {result['requests']} calls were answered wrongly, "
            f"the first with {result['first_error']}"
        )
    return result
