"""What `--help` says of every command, and what a program is told whose output cannot be written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from erlmcp_py.cli import cli


def groups(group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    """Every group with the words it is called by."""
    yield words, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from groups(command, *words, name)


@pytest.mark.parametrize(("words", "group"), list(groups(cli)), ids=lambda each: str(each)[:30])
def test_a_list_of_commands_says_whole_sentences(
    words: tuple[str, ...], group: click.Group
) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80).output
    listed = shown.split("Commands:\n")[1].splitlines()
    assert len(listed) == len(group.list_commands(click.Context(group)))
    assert [line for line in listed if not line.endswith(".")] == []
    assert [line for line in listed if line.endswith("...")] == []


@pytest.mark.parametrize(
    "words", [["--help"], ["call", "examples.simple:server", "echo", "text=x"]]
)
def test_output_that_cannot_be_written_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "erlmcp_py", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=30,
        )  # fmt: skip
    assert ended.stderr == (
        "erlmcp-node: standard output cannot be written: No space left on device\n"
    )
    assert ended.returncode == 1


def test_a_name_that_is_no_command_is_told_with_the_nearest() -> None:
    result = CliRunner().invoke(cli, ["staus"])
    assert result.exit_code == 2
    assert "Error: No such command 'staus'" in result.stderr
    assert "status" in result.stderr
