"""The faults, and how a call may end under each."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

import msgspec

from chaos.proxy import (
    Bandwidth,
    Corruption,
    HalfOpen,
    Latency,
    LimitData,
    Loss,
    Reset,
    Slicer,
    SlowClose,
    Toxic,
)

ANSWERED: Final = frozenset({"answered"})
CUT: Final = ANSWERED | {"lost"}
SILENT: Final = CUT | {"late"}
UNFINISHED: Final = SILENT | {"refused"}
"""Half a request is answered 408."""
ANYHOW: Final = UNFINISHED | {"garbled"}


class Fault(NamedTuple):
    """A toxic, and the endings that are right under it."""

    toxic: Toxic
    endings: frozenset[str]


# What only slows down is not so slow, two of a kind together either, that a request takes longer than
# the node waits for one.
FAULTS: Final[dict[str, Fault]] = {
    "latency": Fault(Latency(delay=1.0, jitter=1.0), ANSWERED),
    "bandwidth": Fault(Bandwidth(rate=2000), ANSWERED),
    "loss": Fault(Loss(share=0.05), ANSWERED),
    "single bytes": Fault(Slicer(size=1), ANSWERED),
    "slices": Fault(Slicer(size=40, variation=40, delay=0.01), ANSWERED),
    "slow close": Fault(SlowClose(delay=20.0), ANSWERED),
    "reset at once": Fault(Reset(), CUT),
    "reset of requests": Fault(Reset(spread=4000, direction="upstream"), CUT),
    "reset of answers": Fault(Reset(spread=4000, direction="downstream"), CUT),
    "limit of requests": Fault(LimitData(after=1500, direction="upstream"), CUT),
    "limit of answers": Fault(LimitData(after=1500, direction="downstream"), CUT),
    "accepted and then nothing": Fault(HalfOpen(), SILENT),
    "client gone": Fault(HalfOpen(after=1500, direction="upstream"), UNFINISHED),
    "node gone": Fault(HalfOpen(after=1500, direction="downstream"), SILENT),
    "corrupted requests": Fault(Corruption(share=0.002, direction="upstream"), ANYHOW),
    "corrupted answers": Fault(Corruption(share=0.002, direction="downstream"), ANYHOW),
}


def pair(seed: int) -> dict[str, Fault]:
    """Two of them, each on a random share of the connections."""
    chance = random.Random(seed)
    return {
        name: FAULTS[name]._replace(
            toxic=msgspec.structs.replace(FAULTS[name].toxic, toxicity=chance.uniform(0.4, 1.0))
        )
        for name in chance.sample(sorted(FAULTS), 2)
    }
