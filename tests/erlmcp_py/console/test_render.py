from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.console import render
from erlmcp_py.console.draw import clean, duration, size


def drawn(command: str, result: Any) -> str:
    out = io.StringIO()
    render.show(render.screen(out), command, result, as_json=False)
    return out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.34, "340ms"),
        (12.34, "12.3s"),
        (245, "4m05s"),
        (11520, "3h12m"),
        (457200, "5d07h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "-"), (712, "712B"), (3480, "3.4K"), (47185920, "45.0M")]
)
def test_sizes(count: float | None, text: str) -> None:
    assert size(count) == text


@given(st.text())
def test_nothing_from_a_node_can_steer_a_terminal(text: str) -> None:
    shown = clean(text)
    assert not any(ord(char) < 32 and char not in "\t\n" for char in shown)
    assert not any(0x7F <= ord(char) < 0xA0 for char in shown)


HOSTILE = "\x1b]0;owned\x07[red]not markup[/nor] :smile:"


def place(**given: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "path": "x",
        "pid": "<n.1.0>",
        "name": None,
        "type": "worker",
        "state": "running",
        "restarts": 0,
        "mailbox": 0,
        "memory": 10,
        "uptime": 1.0,
        "children": [],
        "omitted": 0,
    } | given


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("tree", place(id=HOSTILE)),
        ("anything", {HOSTILE: [{"a": HOSTILE}], "b": {"c": {"d": HOSTILE}}}),
        ("state", {"name": HOSTILE, "pid": "", "module": "", "status": "", "state": HOSTILE, "truncated": True}),
        ("kill", {"pid": "p", "sent": "kill", "ended": True, "reason": HOSTILE}),
    ],
)  # fmt: skip
def test_hostile_words_are_shown_and_not_obeyed(command: str, result: Any) -> None:
    output = drawn(command, result)
    assert "\x1b" not in output
    assert "\x07" not in output
    assert "[red]not markup[/nor] :smile:" in output


def test_a_tree_keeps_its_shape() -> None:
    tree = place(
        id="top",
        type="supervisor",
        children=[
            place(id="a", type="supervisor", children=[place(id="a1"), place(id="a2")]),
            place(id="b", pid=None, state="restarting", mailbox=None, memory=None, uptime=None),
        ],
    )
    lines = drawn("tree", tree).splitlines()[1:]
    assert [re.split(" +(running|restarting)", line)[0] for line in lines] == [
        "top",
        "├── a",
        "│   ├── a1",
        "│   └── a2",
        "└── b",
    ]


def test_on_a_narrow_terminal_a_long_name_gives_way() -> None:
    out = io.StringIO()
    screen = render.screen(out)
    screen.width = 60
    render.show(screen, "tree", place(id="a-name-that-is-much-too-long-for-it"), as_json=False)
    row = out.getvalue().splitlines()[1]
    assert "…" in row
    assert "running <n.1.0>" in row
    assert len(row) <= 60


@pytest.mark.parametrize("width", [40, 50, 60, 70])
def test_on_a_narrow_terminal_figures_are_left_out_before_names_are(width: int) -> None:
    """The name is what a figure is about."""
    out = io.StringIO()
    screen = render.screen(out)
    screen.width = width
    child = place(id="http_connections")
    render.show(screen, "tree", place(id="top", children=[child]), as_json=False)
    head, _, row = out.getvalue().splitlines()
    assert "└── http_connections" in row
    assert "running" in row
    assert max(len(head), len(row)) <= width


def test_workers_are_told_in_the_units_of_everything_else() -> None:
    up = {"worker": "n-1", "restarts": 1, "uptime": 75.0, "memory": 2048, "cpu_seconds": 0.531}
    down = {"worker": "n-2", "restarts": 2}
    text = drawn("status", {"memory": 0, "uptime": 0, "cpu_seconds": 0, "workers": [up, down]})
    first, second = text.splitlines()[-2:]
    assert first.split() == ["n-1", "1", "1m15s", "2.0K", "0.53"]
    assert second.split() == ["n-2", "2", "-", "-", "-"]


def test_what_a_list_is_sorted_by_is_the_last_to_be_left_out() -> None:
    out = io.StringIO()
    screen = render.screen(out)
    screen.width = 45
    row = {
        "pid": "<n.1.0>", "name": "console_connections", "label": None, "initial_call": "x:y",
        "state": "waiting", "mailbox": 0, "messages": 0, "restarts": 0, "memory": 77.0, "uptime": 1.0,
    }  # fmt: skip
    listed = {"processes": [row], "total": 1, "sorted_by": "memory", "since": None}
    render.show(screen, "ps", listed, as_json=False)
    head, shown = out.getvalue().splitlines()[:2]
    assert head.split() == ["pid", "process", "state", "memory"]
    assert shown.split() == ["<n.1.0>", "console_connections", "waiting", "77B"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_answer_of_a_plug_in_can_be_drawn(result: Any) -> None:
    drawn("a plug-in's", result)


def test_lines_in_a_pipe_end_with_their_last_word() -> None:
    text = drawn("x", [{"a": "short", "b": "b"}, {"a": "x", "b": "much longer than the others"}])
    assert [line for line in text.splitlines() if line.endswith(" ")] == []
    assert len(text.splitlines()) == 3
