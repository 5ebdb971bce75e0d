"""``chaos kill`` as an operator types it, against a node in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result

from chaos.commands import commands
from erlmcp_py.console.place import DIRECTORY_VARIABLE


async def chaos(node: Any, *words: str) -> Result:
    env = {DIRECTORY_VARIABLE: str(node.directory)}

    def invoke() -> Result:
        return CliRunner().invoke(commands, [*words, "--name", "demo"], env=env)

    return await trio.to_thread.run_sync(invoke)


async def test_exit_code_0_only_when_the_tree_is_whole(node: Any) -> None:
    whole = await chaos(node, "kill", "alone")
    broken = await chaos(node, "kill", "once", "--within", "0.5")
    trapped = await chaos(node, "kill", "trapper", "--reason", "boom")

    assert whole.exit_code == 0, whole.output
    assert "node/singles/alone" in whole.stdout
    assert "the tree was whole again after" in whole.stdout
    assert broken.exit_code == 1
    assert "node/singles/once  undefined" in broken.stdout
    assert trapped.exit_code == 1
    assert "nothing was killed" in trapped.stdout


async def test_json_is_the_report(node: Any) -> None:
    result = await chaos(node, "kill", "group/b", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["whole"] is True
    assert {entry["place"] for entry in report["restarted"]} == {"node/group/a", "node/group/b"}


@pytest.mark.parametrize("target", ["control", "console_connections", "console"])
async def test_the_report_survives_the_console_it_was_asked_through(node: Any, target: str) -> None:
    result = await chaos(node, "kill", target, "--json")

    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert target in report["process"]
    assert report["whole"] is True


async def test_what_goes_wrong_is_one_line(node: Any) -> None:
    unknown = await chaos(node, "kill", "nobody")
    env = {DIRECTORY_VARIABLE: str(node.directory)}
    missing = await trio.to_thread.run_sync(
        lambda: CliRunner().invoke(commands, ["kill", "alone", "--name", "other"], env=env)
    )

    assert unknown.exit_code == 1
    assert unknown.stderr.count("\n") == 1
    assert "nobody" in unknown.stderr
    assert missing.exit_code == 2
    assert "no node named 'other'" in missing.stderr
    assert "demo" in missing.stderr
