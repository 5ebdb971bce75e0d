"""The simulator's command: ``python -m supervisors.testing.simulate``.

``--seed S --faults N`` plays the plan of one seed. ``--total N`` plays fresh seeds until N
faults have hit. A plan that breaks a rule is minimised and printed as a program; the exit
status is then 1.

    >>> from supervisors.testing import simulate
    >>> simulate.main(["--seed", "1", "--faults", "20"])  # doctest: +ELLIPSIS
    first seed 1
    ...
    all invariants held
    0
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

from .simulation.campaign import Tally, campaign
from .simulation.kinds import AnyPlan, as_program, play
from .simulation.shrink import shrink


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _summary(tally: Tally) -> str:
    rate = tally.faults / tally.seconds if tally.seconds else 0.0
    return (
        f"{tally.faults:,} faults in {tally.simulations:,} simulations, "
        f"{tally.checks:,} looks at every invariant, {tally.seconds:.1f} s, {rate:,.0f} faults/s"
    )


def explain(plan: AnyPlan, violation: str) -> str:
    """The text for a plan that failed: how to repeat it, and the smallest program."""
    small = shrink(plan)
    found = play(small).violation
    again = f"python -m supervisors.testing.simulate --seed {plan.seed} --faults {len(plan.faults)}"
    return (
        f"violation: {violation}\n"
        f"to repeat: {again}\n\n"
        f"# {found}\n"
        f"# {len(small.faults)} of {len(plan.faults)} faults are enough:\n{as_program(small)}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m supervisors.testing.simulate")
    parser.add_argument("--seed", type=int, help="of the (first) plan; fresh by default")
    parser.add_argument("--faults", type=int, default=200, help="in each plan (default 200)")
    parser.add_argument("--total", type=int, help="play seed after seed until so many have hit")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin none after that")
    options = parser.parse_args(arguments)
    if options.faults < 1 or (options.total is not None and options.total < 1):
        parser.error("--faults and --total take numbers from 1 up")
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    _say(f"first seed {seed}")
    tally = campaign(
        seed,
        options.total or 1,
        options.faults,
        seconds=options.seconds,
        progress=lambda tally: _say(_summary(tally)),
    )
    _say(_summary(tally))
    _say("  " + ", ".join(f"{kind} {count:,}" for kind, count in tally.injected.most_common()))
    if tally.failure is None:
        _say("all invariants held")
        return 0
    plan, violation = tally.failure
    _say(f"violation: {violation}" if plan is None else explain(plan, violation))
    return 1


if __name__ == "__main__":
    sys.exit(main())
