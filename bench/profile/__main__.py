"""``python -m bench.profile``: microseconds of one HTTP `tools/call`, stage by stage.

Loads a node with small modern calls, samples its stacks (`sampled`), and shares the processor time of a
request out among the stages. Prints a table; `--write` puts it into docs/performance.md.
"""

import argparse
import collections
import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path
from threading import Timer
from time import monotonic, sleep
from typing import Any

from .. import machine
from ..mcp import loads
from ..mcp.process import TICK
from ..mcp.servers import OURS, running
from ..worker import ROOT
from .sampled import TOGGLE
from .stages import STAGES, UNKNOWN, Frame, stage_of

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- profile: begin -->", "<!-- profile: end -->"
_STARTING = 1.0
"""Seconds in which the load generator has begun."""
_TOP = 12

Samples = list[tuple[int, list[Frame]]]


def _times(pid: int) -> tuple[float, float]:
    """User and system time, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) * TICK, int(fields[12]) * TICK


def measure(connections: int, seconds: float) -> tuple[dict[str, Any], Samples, float]:
    """The result of the load, the samples, and the share of processor time spent in the system."""
    with tempfile.TemporaryDirectory(prefix="erlmcp-profile-") as directory:
        file = Path(directory) / "samples.json"
        command = (sys.executable, "-m", "bench.profile.sampled", str(file), *OURS.http[1:])
        with running(dataclasses.replace(OURS, http=command)) as server:
            loads.http(server, "modern", connections)
            Timer(_STARTING, os.kill, (server.pid, TOGGLE)).start()
            before = _times(server.pid)
            result = loads.http(server, "modern", connections, seconds=_STARTING + seconds)
            user, system = (now - was for now, was in zip(_times(server.pid), before, strict=True))
            os.kill(server.pid, TOGGLE)
            deadline = monotonic() + 10
            while not file.exists():
                if monotonic() > deadline:
                    raise RuntimeError("the node did not write its samples within 10 s")
                sleep(0.05)
            samples = [
                (count, [(path, function) for path, function in stack])
                for count, stack in json.loads(file.read_text())
            ]
    return result, samples, system / (user + system)


def _short(frame: Frame) -> str:
    file, function = frame
    for root in (f"{ROOT}/", "site-packages/", "lib/python"):
        file = file.rpartition(root)[2]
    return f"`{file}` `{function}`" if not file.startswith("<") else f"generated `{function}`"


def table(connections: int, result: dict[str, Any], samples: Samples, system: float) -> str:
    """The Markdown of the profile."""
    whole = result["cpu_us"]
    total = sum(count for count, _ in samples)
    stages: collections.Counter[str] = collections.Counter()
    functions: collections.Counter[Frame] = collections.Counter()
    for count, stack in samples:
        stages[stage_of(stack)] += count
        functions[stack[0]] += count
    unit = whole / total
    where = machine.describe()
    head = (
        f"{where.date}, commit {where.commit}; {where.cores} cores of {where.cpu}, {where.python}, "
        f"trio {where.packages['trio']}; calibration {where.loop_ns:.1f} ns for a turn of an empty "
        f"loop, {where.socket_us:.2f} µs for a send and a receive through a socket pair; load average "
        f"{where.load_average[0]:.2f} at the end."
    )
    found = (
        f"{connections} connections, {result['per_second']:,.0f} calls per second, **{whole:.1f} µs** of "
        f"processor time for a call, {whole * system:.1f} µs of them in the system; {total:,} samples."
    )
    lines = [
        head,
        "",
        found,
        "",
        "| stage | what | µs | share |",
        "|---|---|---|---|",
    ]
    rows = [(name, what) for name, what, _ in STAGES]
    if stages[UNKNOWN]:
        rows.append((UNKNOWN, "what no stage claims"))
    for name, what in rows:
        count = stages[name]
        lines.append(f"| {name} | {what} | {count * unit:.1f} | {count / total:.0%} |")
    lines += [
        "",
        "The functions in which most of it is spent, calls into C and the system included:",
        "",
        "| function | µs |",
        "|---|---|",
        *(f"| {_short(f)} | {count * unit:.1f} |" for f, count in functions.most_common(_TOP)),
    ]
    return "\n".join(lines)


def write(text: str) -> None:
    """Put `text` into the page, in place of what stands between the marks."""
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RuntimeError(f"{PAGE.name} has no {BEGIN} and {END} to write between")
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    text = table(options.connections, *measure(options.connections, options.seconds))
    print(text)
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
