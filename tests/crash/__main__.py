"""``python -m tests.crash [--total N] [--kills K] [--seed S]``: simulation after simulation.

Exit status 1 with the seed when a rule is broken; ``--seed S --kills K`` plays that one again.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from collections import Counter

from tests.crash.oracle import Violation
from tests.crash.play import play

WARM_UP = 3
GROWTH = 20_000
"""Blocks of memory above the floor that are not yet a leak."""


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--total", type=int, help="kills altogether; without it, one simulation")
    parser.add_argument("--kills", type=int, default=100, help="in each simulation")
    parser.add_argument("--seed", type=int, help="of the first simulation; fresh by default")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    _say(f"first seed {seed}")
    begun, injected, endings = time.perf_counter(), Counter[str](), Counter[str]()
    virtual, simulations, floor = 0.0, 0, 0
    while True:
        try:
            outcome = play(seed + simulations, options.kills)
        except Violation as found:
            _say(f"violation: {found}")
            _say(
                f"to repeat: python -m tests.crash --seed {seed + simulations} "
                f"--kills {options.kills}"
            )
            return 1
        simulations += 1
        injected += outcome.oracle.injected
        endings += outcome.oracle.endings
        virtual += outcome.seconds
        del outcome
        gc.collect()
        blocks = sys.getallocatedblocks()
        if simulations <= WARM_UP:
            floor = blocks
        elif blocks > floor + GROWTH:
            _say(f"violation: memory grew from {floor} to {blocks} blocks")
            return 1
        if injected.total() >= (options.total or 1):
            break
    _say(
        f"{injected.total():,} kills in {simulations} simulations, {endings.total():,} requests, "
        f"{virtual / 3600:.1f} h of virtual time, {time.perf_counter() - begun:.1f} s"
    )
    _say(f"killed: {dict(injected.most_common())}")
    _say(f"requests: {dict(endings.most_common())}")
    return 0


sys.exit(main())
