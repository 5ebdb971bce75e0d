from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.console.client import CommandFailed
from supervisors import Pid, is_alive, registered, whereis, which_children


async def kill(node: Any, target: str, **args: Any) -> Any:
    return await node.ask("chaos.kill", target=target, **args)


def places(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["place"] for entry in entries]


async def test_a_lone_worker_is_restarted_and_nobody_else_is_touched(node: Any) -> None:
    before = registered()

    report = await kill(node, "alone")

    assert report["died"] and report["whole"], report
    assert [(end["process"], end["reason"]) for end in report["ended"]] == [
        ("node/singles/alone", "killed")
    ]
    (restarted,) = report["restarted"]
    assert restarted["place"] == "node/singles/alone"
    assert restarted["by"] == "node/singles"
    assert restarted["was"] == str(before["alone"])
    assert restarted["pid"] == str(whereis("alone"))
    assert 0 <= restarted["ms"] <= report["whole_after_ms"]
    after = registered()
    assert {name for name in before if before[name] is not after[name]} == {"alone"}
    assert "node/singles/trapper" in report["kept"]
    assert report["kept_total"] == len(report["kept"])


async def test_a_group_goes_down_and_comes_back_together(node: Any) -> None:
    report = await kill(node, "group/a")

    assert report["whole"], report
    assert {(end["process"], end["reason"]) for end in report["ended"]} == {
        ("node/group/a", "killed"),
        ("node/group/b", "shutdown"),
        ("node/group/c", "shutdown"),
    }
    assert sorted(places(report["restarted"])) == ["node/group/a", "node/group/b"]
    assert report["missing"] == []


async def test_a_supervisor_takes_its_children_and_brings_them_back(node: Any) -> None:
    report = await kill(node, "singles")

    assert report["whole"], report
    assert set(places(report["restarted"])) == {
        "node/singles",
        "node/singles/alone",
        "node/singles/trapper",
        "node/singles/once",
        "node/singles/brief",
        "node/singles/steady",
        "node/singles/passing",
    }
    assert any("1 children of node/singles/steady" in remark for remark in report["remarks"])


async def test_a_temporary_process_is_owed_to_nobody(node: Any) -> None:
    report = await kill(node, "brief")

    assert report["whole"], report
    assert report["restarted"] == []
    assert report["remarks"] == ["node/singles/brief is temporary: nobody has to restart it"]


async def test_a_permanent_dynamic_child_is_replaced(node: Any) -> None:
    (child,) = await which_children("steady")

    report = await kill(node, str(child.pid))

    assert report["whole"], report
    (now,) = await which_children("steady")
    assert isinstance(now.pid, Pid) and now.pid is not child.pid


async def test_a_process_that_does_not_come_back_leaves_the_tree_broken(node: Any) -> None:
    report = await kill(node, "once", within=1.0)

    assert report["died"]
    assert not report["whole"]
    assert report["missing"] == [{"place": "node/singles/once", "why": "undefined"}]


async def test_a_trapped_signal_is_no_kill(node: Any) -> None:
    before = whereis("trapper")

    report = await kill(node, "trapper", reason="boom")

    assert not report["died"]
    assert not report["whole"]
    assert report["remarks"] == ["trapper did not end: the signal 'boom' was trapped or ignored"]
    assert whereis("trapper") is before


async def test_the_top_supervisor_is_not_for_experiments(node: Any) -> None:
    with pytest.raises(CommandFailed, match="top supervisor"):
        await kill(node, "node")
    assert is_alive(whereis("node"))


async def test_an_unknown_target_is_named(node: Any) -> None:
    with pytest.raises(CommandFailed, match="'aloan'; did you mean 'alone'"):
        await kill(node, "aloan")


async def test_the_report_stays_on_the_shelf(node: Any) -> None:
    report = await kill(node, "alone", id="mine")

    assert await node.ask("chaos.report", id="mine") == report
    with pytest.raises(CommandFailed, match="no report of experiment 'other'"):
        await node.ask("chaos.report", id="other")


async def test_the_console_leaves_with_its_commands_and_they_come_back(node: Any) -> None:
    names = [command["name"] for command in await node.ask("commands")]
    assert {"chaos.kill", "chaos.report"} <= set(names)

    await kill(node, "commands")

    names = [command["name"] for command in await node.ask("commands")]
    assert {"chaos.kill", "chaos.report"} <= set(names)
