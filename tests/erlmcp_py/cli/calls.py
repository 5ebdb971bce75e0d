"""`erlmcp-node` as typed by somebody, at a terminal or not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from erlmcp_py.cli import cli
from erlmcp_py.cli.calling import person

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
    monkeypatch.setattr(person, "at_terminal", lambda: True)
