"""How the answers of the commands about upstreams are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from erlmcp_py.console import render
from erlmcp_py.console.draw import clean, dash, duration, size

Row = Mapping[str, Any]

_STYLES = {"up": "green", "asleep": "dim", "down": "red"}
_FIGURES = (
    "restarts",
    "failures",
    "in flight",
    "waiting",
    "requests",
    "errors",
    "p50",
    "p99",
    "memory",
)
_MARKS = {"began": "*** started", "ended": "***", "failed": "***", "said": ""}


@render.drawing("upstreams")
def table(rows: Sequence[Row]) -> RenderableType:
    """A line of figures for each, one for each of its instances if it has several; below, what they are."""
    if not rows:
        return Text("this node has no upstreams")
    figures = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("upstream", "state", "for", "pid", *_FIGURES):
        right = name in _FIGURES or name == "for"
        figures.add_column(name, justify="right" if right else "left", no_wrap=True)
    words = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    words.add_column(style="bold", no_wrap=True)
    words.add_column(overflow="fold")
    for row in rows:
        figures.add_row(
            clean(row["name"]), _state(row["state"]), duration(row["seconds"]), *_counts(row)
        )
        if len(row["instances"]) > 1:
            for one in row["instances"]:
                figures.add_row(f"  {one['number']}", _state(one["state"]), "", *_counts(one))
        words.add_row(clean(row["name"]), clean(row["where"]))
        for text, style in _remarks(row):
            words.add_row("", Text(clean(text), style=style))
    return Group(figures, Text(), words)


def _counts(row: Row) -> list[str]:
    return [
        dash(row["pid"]),
        *(str(row[key]) for key in ("restarts", "failures", "in_flight")),
        *(str(row[key]) if key in row else "" for key in ("waiting", "requests", "errors")),
        *(latency(row[key]) if key in row else "" for key in ("p50", "p99")),
        size(row["memory"]),
    ]


def _state(state: str) -> Text:
    return Text(clean(state), style=_STYLES.get(state, "yellow"))


def _remarks(row: Row) -> Iterator[tuple[str, str]]:
    """What went wrong, with its style: now, and the last time."""
    if row["reason"] is not None:
        yield f"{row['state']}: {row['reason']}", "red" if row["state"] == "down" else "yellow"
    elif row["state"] == "starting":
        yield "starting: it has not answered yet", "yellow"
    if row["breaker"] != "closed":
        yield f"breaker {row['breaker']}: {row['breaker_reason'] or 'no reason given'}", "red"
    failure, ended = row["last_failure"], row["last_exit"]
    if failure is not None and failure["text"] != row["reason"]:
        yield f"last failure, {duration(failure['ago'])} ago: {failure['text']}", "dim"
    if ended is not None and (failure is None or ended["text"] not in failure["text"]):
        yield f"last exit, {duration(ended['ago'])} ago: pid {ended['pid']} {ended['text']}", "dim"


def latency(seconds: float | None) -> str:
    """Finer than `duration`: ``"0.42ms"``, ``"12.3ms"``."""
    if seconds is None or seconds >= 1:
        return duration(seconds)
    return f"{seconds * 1000:.{2 if seconds < 0.01 else 1}f}ms"


@render.drawing("upstreams.restart")
def restarted(row: Row) -> RenderableType:
    """The upstream, once it is up again."""
    return table([row])


@render.drawing("upstreams.log")
def last_words(lines: Sequence[Row]) -> RenderableType:
    """Line by line: when, which program, what it said; what was done to it behind asterisks."""
    if not lines:
        return Text("nothing was said yet")
    return Group(*(Text(clean(_line(line))) for line in lines))


def _line(line: Row) -> str:
    at = datetime.fromtimestamp(line["at"]).astimezone().strftime("%H:%M:%S")
    words = f"{_MARKS[line['kind']]} {line['text']}".lstrip()
    return f"{at} {dash(line['pid'])} {words}"
