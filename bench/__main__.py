"""``python -m bench [GROUP …]``: measure, print the tables, keep the result of a whole run.

Exit codes: 0 measured (whether goals were met or not: the table says), 1 a measurement
failed, 2 something needed is not installed.
"""

import argparse
import sys
from time import perf_counter

from . import machine, peers, report
from .kernel import rounds as kernel
from .kernel import scale_rounds as scale
from .mcp import alone, calls, clients, endurance, gateway, ways
from .mcp.workers import workers
from .series import Measured
from .worker import ROOT, WorkerError

GROUPS = {
    "kernel": kernel.run,
    "scale": scale.run,
    "http": calls.http,
    "stdio": calls.stdio,
    "ways": ways.ways,
    "sustained": endurance.sustained,
    "idle": endurance.idle,
    "flat": endurance.flat,
    "workers": workers,
    "client": clients.clients,
    "gateway": gateway.gateway,
    "work": alone.work,
    "rest": alone.at_rest,
}


def say(line: str) -> None:
    """Progress, on standard error so that the tables can be redirected."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


def order(line: Measured) -> int:
    """Groups in the report's order; inside one, as measured."""
    return list(report.TITLES).index(line.row.group)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="GROUP",
        help=f"only these of {', '.join(GROUPS)}; the result is printed and not kept",
    )
    options = parser.parse_args()
    unknown = [group for group in options.groups if group not in GROUPS]
    if unknown:
        parser.error(f"no group {unknown[0]!r}; there are {', '.join(GROUPS)}")
    groups = options.groups or list(GROUPS)
    lacking = peers.missing(groups)
    if lacking:
        for line in lacking:
            print(f"error: {line}", file=sys.stderr)
        return 2

    start = perf_counter()
    where = machine.describe()
    lines: list[Measured] = []
    failed = False
    for group in groups:
        try:
            lines += GROUPS[group](say)
        except WorkerError as error:
            failed = True
            print(f"error: {group}: {error}", file=sys.stderr)
    lines.sort(key=order)
    seconds = perf_counter() - start
    print(report.markdown(where, lines, seconds))
    if not options.groups and not failed:
        say(f"kept as {report.write(ROOT / 'bench/results', where, lines, seconds).name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
