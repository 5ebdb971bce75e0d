"""``python -m tests.attack [--total N] [--seed S]``: attack a node; exit code 1 if it did wrong.

A request that did it is printed with its seed and number, which make it again.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import time
from collections import Counter

import trio

from tests.attack.faults.callers import WAYS
from tests.attack.faults.faults import FAULTS
from tests.attack.faults.play import play
from tests.attack.http import busy, campaign

CONNECTIONS = 1000
KILLS = 8  # fewer than make its supervisor give up
GROWTH = 16 * 1024
"""KiB that the process may grow by while it is attacked, once it is warm."""


def _span(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} s (at most {times[-1]:.2f} s)"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack")
    parser.add_argument("--total", type=int, default=100_000, help="damaged requests to send")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    begun = time.monotonic()

    def told(sent: int) -> None:
        print(f"\r{sent} in {time.monotonic() - begun:.0f} s", end="", flush=True)

    print(f"seed {seed}")
    result = campaign.run(options.total, seed, told)
    print(
        f"\n{result.sent} damaged requests; answers by status: {dict(sorted(result.statuses.items()))}"
    )
    for name, first, last in zip(campaign.Left._fields, result.first, result.last, strict=True):
        print(f"  {name}: {first} before, {last} after")
    took, calm = (sorted(times) for times in trio.run(busy.play, CONNECTIONS, KILLS))
    print(
        f"{KILLS} kills of a listener with {CONNECTIONS} busy connections: no request lost; a new "
        f"client was answered after {_span(took)}, without a kill after {_span(calm)}"
    )
    if result.last.resident - result.first.resident > GROWTH:
        print("memory leaks")
        return 1
    endings: Counter[str] = Counter()
    for name, fault in FAULTS.items():
        endings += play(seed, {name: fault}, ways=WAYS)
    print(
        f"{len(FAULTS)} faults of the network under {len(WAYS)} kinds of clients, nothing left: "
        f"{dict(endings.most_common())}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
