"""The result of a run as a Markdown document and as JSON."""

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from statistics import median

from .machine import Machine
from .series import Goal, Measured, Row

TITLES = {
    "kernel": "Kernel",
    "scale": "Kernel at scale",
    "mcp rate": "MCP: tools/call, requests per second",
    "mcp cpu": "MCP: tools/call, CPU time of the server per request",
    "mcp latency": "MCP: tools/call, latency seen by the client",
    "ways rate": "MCP: other ways to call, requests per second",
    "ways cpu": "MCP: other ways to call, CPU time of the server per request",
    "endurance": "MCP: under load for long, and with many connections",
    "workers": "MCP: two workers",
    "client": "The client: tools/call of our server",
    "gateway": "The gateway",
    "mcp work": "MCP: the node's own work",
    "node at rest": "Node at rest",
}

INTRODUCTION = (
    "Medians of the rounds, with the lowest and highest in parentheses. *Times better* is the "
    "median of the rounds' own ratios, above 1 where erlmcp-py is ahead. What each row does: "
    "[docs/benchmarks.md](../../docs/benchmarks.md)."
)


def number(value: float) -> str:
    """Three significant figures, or whole thousands separated: what a reader can compare."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _with_spread(values: list[float]) -> str:
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"


def _plain(value: float) -> str:
    return f"{value:g}" if value < 1000 else f"{value:,.0f}"


def _goal(goal: Goal, row: Row) -> str:
    if goal.kind == "ratio":
        return f"≥ {goal.value:g} ×"
    sign = "≥" if row.better == "more" else "≤"
    return f"{sign} {_plain(goal.value)} {row.unit}"


def _beside(line: Measured) -> tuple[str, str]:
    """The cells of the peer and of the ratio."""
    ratios = line.ratios()
    if not ratios:
        return line.row.peer or "-", "-"
    spread = f"({number(min(ratios))}-{number(max(ratios))})"
    return f"{_with_spread(line.peer)} {line.row.peer}", f"**{number(median(ratios))}** {spread}"


def _judged(line: Measured) -> tuple[str, str]:
    goals = line.row.goals
    return (
        ", ".join(f"{_goal(goal, line.row)} ({goal.source})" for goal in goals) or "-",
        ", ".join("pass" if line.reached(goal) else "**miss**" for goal in goals) or "-",
    )


def table(lines: Iterable[Measured]) -> str:
    """One group's Markdown table; lines of one title are one row, a peer below the other."""
    out = [
        "| what | unit | ours | peer | times better | goal | met | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, same in groupby(lines, key=lambda line: line.row.title):
        members = list(same)
        first = members[0]
        beside = [(*_beside(line), *_judged(line)) for line in members]
        cells = (
            title,
            first.row.unit,
            _with_spread(first.ours) if first.ours else f"not available: {first.absent}",
            *("<br>".join(column) for column in zip(*beside, strict=True)),
            f"{max(max(line.load) for line in members):.1f}" if first.load else "-",
        )
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out)


def _machine(machine: Machine) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    load = " ".join(f"{value:.2f}" for value in machine.load_average)
    calibration = (
        f"- calibration: {machine.loop_ns:.1f} ns for a turn of an empty Python loop, "
        f"{machine.socket_us:.2f} µs to send 250 bytes through a socket pair and receive them, "
        f"{machine.wake_us:.1f} µs when they come back from a process on another core"
    )
    return "\n".join(
        (
            f"- {machine.date}, commit {machine.commit}",
            f"- {machine.cores} cores of {machine.cpu}, {machine.memory_mib:,} MiB, {machine.kernel}",
            f"- {machine.python}; {machine.erlang}; Node.js {machine.node}; {packages}",
            calibration,
            f"- load average at the start {load}; column `load`: the highest while measured",
        )
    )


def verdict(lines: list[Measured]) -> str:
    """One sentence: how many goals are met, and which are not."""
    judged = [(line, goal) for line in lines for goal in line.row.goals]
    missed = [
        f"{line.row.title} {_goal(goal, line.row)} ({goal.source})"
        for line, goal in judged
        if not line.reached(goal)
    ]
    met = f"{len(judged) - len(missed)} of {len(judged)} goals met"
    return f"{met}. Missed: {'; '.join(missed)}." if missed else f"{met}."


def markdown(machine: Machine, lines: list[Measured], seconds: float) -> str:
    """The whole document."""
    parts = [
        "# Benchmark result",
        "",
        INTRODUCTION,
        "",
        _machine(machine),
        f"- the run took {seconds:.0f} s",
        "",
        f"**{verdict(lines)}**",
    ]
    for group, members in groupby(lines, key=lambda line: line.row.group):
        parts += ["", f"## {TITLES[group]}", "", table(members)]
    return "\n".join(parts) + "\n"


def write(directory: Path, machine: Machine, lines: list[Measured], seconds: float) -> Path:
    """Keep the run as DATE.json and DATE.md; answers the path of the latter."""
    directory.mkdir(exist_ok=True)
    stem = directory / machine.date[:16].replace(":", "")
    data = {
        "machine": machine.as_json(),
        "seconds": seconds,
        "rows": [line.as_json() for line in lines],
    }
    stem.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    document = stem.with_suffix(".md")
    document.write_text(markdown(machine, lines, seconds))
    return document
