"""Answers of the node, drawn for people.

A command has a drawing of its own when there is something to see in it (a tree is a
tree); everything else, commands of plug-ins among it, is drawn by its shape: an object as
``key  value`` lines, a list of objects as a table. ``--json`` bypasses all of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any

import msgspec
from rich.console import Console as Screen
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from erlmcp_py.console.draw import clean, dash, duration, size
from erlmcp_py.console.figures import Figures

Drawing = Callable[[Any], RenderableType]

_WIDE = 400
"""Columns when the output is no terminal: whoever reads a pipe wants whole lines."""

STATE_STYLES = {
    "running": "green",
    "waiting": "green",
    "runnable": "green",
    "restarting": "yellow",
    "suspended": "yellow",
    "exiting": "yellow",
    "undefined": "red",
    "unresponsive": "red",
}


def screen(file: IO[str] | None = None) -> Screen:
    """A terminal to draw on that takes no word of a node for markup."""
    made = _Screen(file=file, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = _WIDE
    return made


class _Screen(Screen):
    """Without the blanks that fill tables, where there is no terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        if self.is_terminal:
            super().print(*objects, **options)
            return
        with self.capture() as drawn:
            super().print(*objects, **options)
        self.file.write("\n".join(line.rstrip(" ") for line in drawn.get().split("\n")))
        self.file.flush()


def drawing(command: str) -> Callable[[Drawing], Drawing]:
    """Decorate the function that draws the answers of `command`, for a plug-in's client side."""

    def keep(function: Drawing) -> Drawing:
        _DRAWINGS[command] = function
        return function

    return keep


def draw(command: str, result: Any) -> RenderableType:
    """The drawing of what `command` answered."""
    return _DRAWINGS.get(command, by_shape)(result)


def show(on: Screen, command: str, result: Any, *, as_json: bool) -> None:
    """Put an answer on a `screen`: drawn, or as one indented JSON value."""
    if as_json:
        on.file.write(json_text(result) + "\n")
        on.file.flush()
    else:
        on.print(draw(command, result))


def json_text(value: Any) -> str:
    """`value` as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def tree(root: Mapping[str, Any]) -> RenderableType:
    """The supervision tree, one line per place, the figures in columns."""
    columns = ("process", "state", "pid", "restarts", "mailbox", "memory", "uptime")
    spare = ("memory", "mailbox", "restarts", "uptime", "pid")
    figures = Figures(*columns, flexible="process", spare=spare)
    for prefix, node in _branches(root):
        name = _cut(prefix, "dim")
        name.append(clean(node["id"]), style="bold" if node["type"] == "supervisor" else "")
        label = node.get("label") or ""
        # It says more of what the place is named after: "http, 127.0.0.1:8080", "connection to …". Where
        # a connection goes is said by the program below it, if there is one.
        leads = label.startswith(f"{node['id']} to ") and not node.get("children")
        if label.startswith(f"{node['id']}, ") or leads:
            name.append(clean(label.removeprefix(node["id"])), style="dim")
        figures.add_row(
            name,
            _state(node["state"]),
            dash(node["pid"]),
            _count(node["restarts"]),
            dash(node["mailbox"]),
            size(node["memory"]),
            duration(node["uptime"]),
        )
        if node.get("omitted"):
            figures.add_row(Text(f"{prefix}  … {node['omitted']} more", style="dim"))
    return figures


def _branches(
    node: Mapping[str, Any], lead: str = "", joint: str = ""
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    yield lead + joint, node
    below = lead + {"": "", "├── ": "│   ", "└── ": "    "}[joint]
    children = node.get("children", [])
    for index, child in enumerate(children):
        yield from _branches(child, below, "└── " if index == len(children) - 1 else "├── ")


def processes(listed: Mapping[str, Any]) -> RenderableType:
    """The process list."""
    figures = ("mailbox", "messages", "restarts", "memory", "uptime")
    spare = [name for name in (*reversed(figures), "pid") if name != listed["sorted_by"]]
    table = Figures("pid", "process", "state", *figures, flexible="process", spare=spare)
    for row in listed["processes"]:
        table.add_row(
            clean(row["pid"]),
            _cut(row["name"] or row["label"] or row["initial_call"]),
            _state(row["state"]),
            str(row["mailbox"]),
            str(row["messages"]),
            _count(row["restarts"]),
            size(row["memory"]),
            duration(row["uptime"]),
        )
    since = listed["since"]
    when = "since they started" if since is None else f"in the last {duration(since)}"
    foot = (
        f"{len(listed['processes'])} of {listed['total']} processes by {listed['sorted_by']}; "
        f"messages {when}"
    )
    return Group(table, Text(foot, style="dim"))


def info(found: Mapping[str, Any]) -> RenderableType:
    """One process."""
    shown = dict(found)
    shown["memory"] = size(found["memory"])
    shown["uptime"] = duration(found["uptime"])
    return by_shape(shown)


def status(found: Mapping[str, Any]) -> RenderableType:
    """The node."""
    shown = dict(found)
    shown["memory"] = size(found["memory"])
    shown["uptime"] = duration(found["uptime"])
    shown["cpu_seconds"] = f"{found['cpu_seconds']:.2f}"
    if "workers" in found:
        shown["workers"] = [_worker(row) for row in found["workers"]]
    return by_shape(shown)


def _worker(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a node that has some; one that does not run has neither memory nor time."""
    if "memory" not in row:
        return row
    return {
        **row,
        "uptime": duration(row["uptime"]),
        "memory": size(row["memory"]),
        "cpu_seconds": f"{row['cpu_seconds']:.2f}",
    }


def state(found: Mapping[str, Any]) -> RenderableType:
    """The state of a server: a head line, then the state as indented JSON."""
    head = f"{found['name'] or found['pid']}  {found['module']}  {found['status']}"
    parts = [Text(clean(head), style="bold"), Text(clean(json_text(found["state"])))]
    if found["truncated"]:
        parts.append(Text("(shortened)", style="dim"))
    return Group(*parts)


def trace_event(event: Mapping[str, Any]) -> RenderableType:
    """One line of a trace."""
    arrow = {"in": "<-", "out": "->", "exit": "**"}.get(event["kind"], event["kind"])
    to = f" {event['to']}" if event.get("to") else ""
    message = msgspec.json.encode(event["message"]).decode()
    return Text(f"{event['at']:>10.6f} {arrow}{clean(to)} {clean(message)}")


def trace_end(end: Mapping[str, Any]) -> RenderableType:
    """How a trace ended."""
    why = {
        "events": "as many as asked for",
        "seconds": "time is up",
        "exit": "the process ended",
    }.get(end["ended"], end["ended"])
    lost = f", {end['dropped']} dropped" if end["dropped"] else ""
    return Text(f"{end['events']} events{lost}: {why}", style="dim")


def killed(result: Mapping[str, Any]) -> RenderableType:
    """What became of a kill."""
    if result["ended"]:
        return Text(clean(f"{result['pid']} ended: {result['reason']}"))
    return Text(
        clean(f"{result['pid']} did not end: it traps exits, or {result['sent']!r} is no reason to")
    )


def steered(result: Mapping[str, Any]) -> RenderableType:
    """After suspend and resume."""
    return Text(clean(f"{result['pid']} is {result['status']}"))


def pong(result: Mapping[str, Any]) -> RenderableType:
    """After ping."""
    return Text(clean(f"pong from {result['pong']} (pid {result['pid']})"))


def stopping(result: Mapping[str, Any]) -> RenderableType:
    """After stop."""
    return Text(clean(f"node {result['stopping']} is stopping"))


def breaker(row: Mapping[str, Any]) -> RenderableType:
    """A circuit breaker."""
    return by_shape(_timed(row))


def breakers(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The circuit breakers, a line each."""
    return by_shape([_timed(row) for row in rows])


def _timed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    shown = {"for" if key == "seconds" else key: value for key, value in row.items()}
    return {**shown, "for": duration(row["seconds"]), "retry_in": duration(row["retry_in"])}


def reloaded(result: Mapping[str, Any]) -> RenderableType:
    """After reload."""
    return Text(clean("\n".join(result["lines"])))


def by_shape(value: Any) -> RenderableType:
    """Any JSON value: objects as lines, lists of objects as tables, the rest as text."""
    if isinstance(value, Mapping):
        return _lines(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and all(isinstance(item, Mapping) for item in value):
            return _rows(value)
        return Text("\n".join(_inline(item) for item in value) or "(none)")
    return Text(_inline(value))


def _lines(value: Mapping[str, Any]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, item in value.items():
        nested = isinstance(item, Mapping | list) and item and not _flat(item)
        table.add_row(clean(key).replace("_", " "), by_shape(item) if nested else _inline(item))
    return table


def _rows(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        number = all(type(row.get(column)) in (int, float) for row in rows)
        table.add_column(clean(column).replace("_", " "), justify="right" if number else "left")
    for row in rows:
        table.add_row(*(_inline(row.get(column)) for column in columns))
    return table


def _flat(value: Mapping[str, Any] | list[Any]) -> bool:
    items = value.values() if isinstance(value, Mapping) else value
    return not any(isinstance(item, Mapping | list) for item in items)


def _inline(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3f}".rstrip("0").rstrip(".")
        case Mapping():
            return ", ".join(f"{clean(key)}: {_inline(item)}" for key, item in value.items()) or "-"
        case list():
            return ", ".join(_inline(item) for item in value) or "-"
    return clean(value)


def _cut(text: str, style: str = "") -> Text:
    """Text of one line that ends in an ellipsis where there is no room for it."""
    return Text(clean(text), style=style, no_wrap=True, overflow="ellipsis")


def _state(state: str) -> Text:
    return Text(clean(state), style=STATE_STYLES.get(state, ""))


def _count(restarts: int) -> Text:
    return Text(str(restarts), style="yellow" if restarts else "")


_DRAWINGS: dict[str, Drawing] = {
    "ping": pong,
    "status": status,
    "tree": tree,
    "ps": processes,
    "top": processes,
    "info": info,
    "state": state,
    "kill": killed,
    "suspend": steered,
    "resume": steered,
    "stop": stopping,
    "reload": reloaded,
    "breaker.list": breakers,
    **dict.fromkeys(("breaker.open", "breaker.close", "breaker.reset"), breaker),
    "trace": trace_end,
}
