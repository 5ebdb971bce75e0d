"""`erlmcp-node` as typed by somebody, at a terminal or not."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from erlmcp_py.cli import cli
from erlmcp_py.cli.client import keyboard

ASKING = "tests.interop.servers.asking:server"
SIMPLE = "examples.simple:server"


def run(*words: str, answers: str = "") -> Result:
    return CliRunner().invoke(cli, list(words), input=answers, catch_exceptions=False)


def as_json(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    sit_down(monkeypatch)


def sit_down(monkeypatch: pytest.MonkeyPatch, *, there: bool = True) -> None:
    """Somebody types what `run` is given as answers."""
    monkeypatch.setattr(keyboard, "at_terminal", lambda: there)
    monkeypatch.setattr(keyboard, "read_line", _typed)


async def _typed() -> str:
    line = sys.stdin.readline()
    if not line:
        raise keyboard.NothingTyped
    click.echo(line, nl=False, err=True)  # a terminal shows what is typed
    return line.rstrip("\n")
