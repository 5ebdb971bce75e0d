from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.console.builtin import BUILT_IN
from erlmcp_py.console.line import LineError, command_of, parse, split

KNOWN = {command.name: command.describe() for command in BUILT_IN} | {
    "chaos.kill": {"name": "chaos.kill", "usage": "chaos kill TARGET", "args": []},
}


def typed(line: str) -> tuple[str, dict[str, Any]]:
    name, rest = command_of(split(line), KNOWN)
    return name, parse(rest, KNOWN[name])


@pytest.mark.parametrize(
    ("line", "name", "args"),
    [
        ("ping", "ping", {}),
        ("kill core/a boom", "kill", {"target": "core/a", "reason": "boom"}),
        ("ps --sort restarts --limit=3", "ps", {"sort": "restarts", "limit": 3}),
        ("ps mailbox 9", "ps", {"sort": "mailbox", "limit": 9}),
        ("trace --seconds 2.5 registry", "trace", {"target": "registry", "seconds": 2.5}),
        ('info "http 127.0.0.1:80"  # why', "info", {"target": "http 127.0.0.1:80"}),
        ("state '<n.4.0>'", "state", {"target": "<n.4.0>"}),
    ],
)
def test_a_line_becomes_a_request(line: str, name: str, args: dict[str, Any]) -> None:
    assert typed(line) == (name, args)


def test_the_longest_command_is_meant() -> None:
    assert command_of(["chaos", "kill", "x"], KNOWN) == ("chaos.kill", ["x"])


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fly", "no command 'fly'"),
        ("chaos", "chaos needs another word: chaos kill"),
        ("info", "TARGET is missing; usage: info TARGET"),
        ("info a b", "'b' is one word too many"),
        ("ps --limit many", "limit must be a whole number, not 'many'"),
        ("ps --limit", "--limit needs a value"),
        ("ps --colour red", "there is no option --colour"),
        ('info "a', "cannot read the line"),
    ],
)
def test_a_line_that_is_no_command_says_what_is_wrong(line: str, complaint: str) -> None:
    with pytest.raises(LineError, match=complaint):
        typed(line)


@given(st.text())
def test_no_line_does_worse_than_a_line_error(line: str) -> None:
    try:
        if words := split(line):
            typed(line)
            assert words
    except LineError:
        pass
