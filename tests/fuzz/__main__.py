"""``python -m tests.fuzz [--total N] [--seed S]``: send N messages; exit code 1 if one went wrong.

What went wrong is printed as hypothesis shrank it, with the seed of its round, which repeats it:
``--seed S --total 1``.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from tests import schema_gate
from tests.fuzz import campaign


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--total", type=int, default=100_000, help="messages to send")
    parser.add_argument("--seed", type=int, default=None, help="of the first round")
    options = parser.parse_args()
    number = secrets.randbelow(10**9) if options.seed is None else options.seed
    gate = schema_gate.Gate()
    gate.install()
    begun = time.monotonic()

    def told(transport: str, seed: int, sent: int) -> None:
        seconds = time.monotonic() - begun
        print(f"\r{sent} messages in {seconds:.0f} s (seed {seed}, {transport})", end="")
        sys.stdout.flush()

    print(f"first seed {number}")
    sent = campaign.run(options.total, number, gate, told)
    print(f"\n{sent} messages, each answered as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
