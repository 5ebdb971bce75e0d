"""What the README and the pages show can be typed, loaded and imported as it stands there.

The pages about MCP are run (`test_pages`); of all others this much is sure: a command exists and takes
these options, a configuration is one, a name can be imported, a target of make is there.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from erlmcp_py.cli import cli
from erlmcp_py.config import check

from .pages import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]
OURS = ("supervisors", "erlmcp_py", "chaos", "examples")

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def fenced(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def lines(page: Path) -> Iterator[str]:
    """Of all blocks, indented ones too, without prompts and with what is continued put together."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    for found in re.findall(r"^```\w*\n(.*?)^```$|^    (.*)$", text, re.MULTILINE | re.DOTALL):
        for line in "\n".join(found).splitlines():
            yield line.strip().removeprefix("$ ")


def commands(page: Path) -> Iterator[list[str]]:
    for line in lines(page):
        for part in re.split(r" && | \| |; ", line):
            words = re.match(
                r"(?:\w+=\S+ )*(?:\.venv/bin/|\S*/bin/)?erlmcp-node (.*)", part.strip()
            )
            if words and not re.search(r"…|[\[(|]", words[1]):
                yield shlex.split(words[1].split(" 2>")[0], comments=True)


@every_page
def test_a_command_exists_and_takes_these_options(page: Path) -> None:
    for words in commands(page):
        _parse(cli, words)


def _parse(command: click.Command, words: list[str], above: click.Context | None = None) -> None:
    try:
        context = command.make_context(command.name or "", list(words), parent=above)
        if isinstance(command, click.Group) and context._protected_args:
            name, below, rest = command.resolve_command(
                context, [*context._protected_args, *context.args]
            )
            assert below is not None, name
            _parse(below, rest, context)
    except click.exceptions.Exit:
        pass  # --help
    except click.UsageError as wrong:
        pytest.fail(f"{shlex.join(words)}: {wrong.message}")


def test_commands_are_found() -> None:
    """So that the test above cannot pass by finding none."""
    assert ["chaos", "kill", "registry"] in list(commands(ROOT / "README.md"))
    assert ["ps", "--sort", "messages"] in list(commands(ROOT / "docs" / "shell.md"))
    assert sum(1 for page in PAGES for _ in commands(page)) > 100


@every_page
def test_a_configuration_is_one(page: Path) -> None:
    for text in fenced(page, "toml"):
        check(tomllib.loads(text), page.name)


@every_page
def test_json_is_json(page: Path) -> None:
    for text in fenced(page, "json"):
        json.loads(text)


@every_page
def test_what_is_imported_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    indented = re.findall(r"(?:^    .*\n|^\n)+", text, re.MULTILINE)
    for block in [*fenced(page, "python"), *map(textwrap.dedent, indented)]:
        for line in re.findall(r"^(?:from|import) .*(?:\(\n(?:.*,\n)*\))?", block, re.MULTILINE):
            for node in ast.parse(line).body:
                _imported(node)


def _imported(node: ast.stmt) -> None:
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
        module: Any = import_module(node.module or "")
        for each in node.names:
            there = hasattr(module, each.name)
            assert there or import_module(f"{node.module}.{each.name}"), each.name
    elif isinstance(node, ast.Import):
        for each in node.names:
            if each.name.split(".")[0] in OURS:
                import_module(each.name)


@every_page
def test_a_target_of_make_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) <= targets


@every_page
def test_a_file_of_ours_that_is_named_is_there(page: Path) -> None:
    """``tests/…``, ``erlmcp_py/…`` and the like in the text; NAME and … stand for something."""
    named = re.findall(
        r"`((?:tests|erlmcp_py|supervisors|chaos|examples|bench|config|docs|mcp)/[\w./-]*)",
        page.read_text("utf-8"),
    )
    assert [
        each for each in named if "." in each or each.endswith("/") if not (ROOT / each).exists()
    ] == []
