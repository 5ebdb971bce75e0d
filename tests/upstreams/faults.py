"""What is done to upstreams, and the plan of a campaign: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

Effect = Literal["replaced", "away", "one call", "none"]
"""What a fault may cost. replaced: calls until the program that follows has answered. away: calls until the
program is back. one call: that which brings it about. none: nothing at all.
"""


class Kind(NamedTuple):
    """often: how often it lies in the deck. crash: the program ends at once, and its successor starts
    without having to be waited for: what the time to the next good answer is judged by.
    """

    effect: Effect
    often: int
    crash: bool = False


PIPES: Final[Mapping[str, Kind]] = {
    "kill": Kind("replaced", 7, crash=True),  # kill -9
    "term": Kind("replaced", 1, crash=True),
    "torn": Kind("replaced", 2, crash=True),  # ends in the middle of a line
    "exits": Kind("replaced", 3),  # kill -9, and the next starts end at once
    "slow": Kind("replaced", 1),  # kill -9, and the next start takes its time
    "stop": Kind("replaced", 1),  # SIGSTOP
    "hang": Kind("replaced", 1),
    "orphan": Kind("replaced", 1),  # ends, while a process it has started keeps its pipes open
    "close": Kind("replaced", 1),  # its output
    "garbage": Kind("replaced", 3),  # 200 lines that are no messages
    "huge": Kind("replaced", 1),  # a line without an end
    "some_garbage": Kind("none", 1),  # and then the answer
    "flood": Kind("none", 1),  # on standard error
    "twice": Kind("none", 2),  # answers twice, and what nobody has asked
    "long": Kind("none", 1),  # an answer of a megabyte
}
"""Of a program on pipes."""

WEB: Final[Mapping[str, Kind]] = {
    "kill": Kind("away", 2),  # and somebody else starts it again
    "stop": Kind("away", 1),  # SIGSTOP, and later SIGCONT
    "garbage": Kind("one call", 1),
    "reset": Kind("one call", 1),  # the connection ends without an answer
}
"""Of a server at an address, which is not ours to start."""

RESTED: Final = 1.2
"""Seconds in peace after which an upstream is started again at once when it fails (see `node`)."""


class Fault(NamedTuple):
    """pause: seconds of peace before it. amount: starts that fail, or seconds, as the kind has it."""

    kind: str
    pause: float
    amount: float

    @property
    def rested(self) -> bool:
        """Whether its upstream had worked long enough for the first of the growing pauses."""
        return self.pause >= RESTED


def plan(
    seed: int, total: int, victims: Mapping[str, Mapping[str, Kind]]
) -> dict[str, Sequence[Fault]]:
    """What is done to each victim, one after the other. victims: what can be done to whom."""
    chance = random.Random(seed)
    names = sorted(victims)
    shares = {name: total // len(names) + (n < total % len(names)) for n, name in enumerate(names)}
    decks: dict[int, list[str]] = {}
    dealt: dict[str, Sequence[Fault]] = {}
    for name in names:
        # Those to whom the same can be done draw from one deck, so that every kind has its turn.
        kinds = victims[name]
        deck = decks.setdefault(id(kinds), [])
        drawn = []
        for _ in range(shares[name]):
            if not deck:
                deck += [kind for kind in kinds for _ in range(kinds[kind].often)]
                chance.shuffle(deck)
            drawn.append(_fault(deck.pop(), chance))
        dealt[name] = drawn
    return dealt


def _fault(kind: str, chance: random.Random) -> Fault:
    amount = float(chance.randint(1, 3)) if kind == "exits" else chance.uniform(0.2, 1.0)
    return Fault(kind, chance.uniform(0.0, 2 * RESTED), amount)
