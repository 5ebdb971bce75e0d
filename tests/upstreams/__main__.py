"""``python -m tests.upstreams [--total N] [--seed S]``: a campaign; exit status 1 if a rule is broken.

The seed is printed: it does the same to the same upstreams again, in the same order.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tests.upstreams.play import Outcome, play
from tests.upstreams.world import Violation


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


def _ms(values: list[float]) -> str:
    ordered = sorted(values)
    middle, most = statistics.median(ordered), ordered[-1]
    return f"{middle * 1e3:,.0f} ms (90 %: {ordered[int(0.9 * len(ordered))] * 1e3:,.0f}, at most {most * 1e3:,.0f})"


def report(outcome: Outcome, seconds: float) -> None:
    """What came of it, in words."""
    times = outcome.times
    _say(
        f"{outcome.done.total()} faults in {seconds:.0f} s; {times.calls:,} calls, each ended within "
        f"{times.slowest:.1f} s: {outcome.answered:,} answered, the rest refused:"
    )
    for text, count in outcome.refusals.most_common():
        _say(f"  {count:7,} {text}")
    _say("to the next good answer, the start of the program aside:")
    by_kind = defaultdict(list)
    for each in outcome.recoveries:
        by_kind[each.fault.kind].append(each.seconds)
    for kind, found in sorted(by_kind.items()):
        _say(f"  {kind:8} {len(found):4} times, {_ms(found)}")
    crashes = outcome.after_crashes()
    if crashes:
        _say(
            f"after a crash of one that had been well: {_ms(crashes)}; {len(crashes)} times, with more "
            'clients than processors. For one client alone: make bench ARGS="gateway"'
        )
    _say(f"and without costing more than a call: {_harmless(outcome)}")
    first, last = outcome.resident
    _say(
        f"no zombie, no program too many; {outcome.descriptors} descriptors before and after; "
        f"memory {first:.0f} MiB after a part of it, {last:.0f} MiB at the end"
    )


def _harmless(outcome: Outcome) -> str:
    recovered = {each.fault.kind for each in outcome.recoveries}
    rest = [
        f"{kind} {count}" for kind, count in sorted(outcome.done.items()) if kind not in recovered
    ]
    return ", ".join(rest) or "nothing"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstreams", description=__doc__)
    parser.add_argument("--total", type=int, default=500, help="faults")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    begun = time.monotonic()

    def told(done: int) -> None:
        if sys.stdout.isatty():
            _say(f"\r{done} of {options.total}", end="")

    _say(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="upstreams-") as directory:
        try:
            outcome = play(seed, options.total, Path(directory), told)
        except Violation as problem:
            _say(f"\nviolation: {problem}")
            _say(f"to repeat: python -m tests.upstreams --seed {seed} --total {options.total}")
            return 1
    report(outcome, time.monotonic() - begun)
    return 0


if __name__ == "__main__":
    sys.exit(main())
