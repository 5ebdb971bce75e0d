"""Every command of the console, asked over a real socket of a real tree."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import pytest
import trio

from erlmcp_py.console.client import CommandFailed, NodeGone
from supervisors import (
    Pid,
    ProgressReport,
    call,
    cast,
    is_alive,
    process_info,
    send,
    start_child,
    sys,
    whereis,
)
from supervisors.testing import events


async def fails(node: Any, code: str, words: str, command: str, **args: Any) -> None:
    with pytest.raises(CommandFailed, match=words) as error:
        await node.ask(command, **args)
    assert error.value.code == code


def find(tree: dict[str, Any], path: str) -> dict[str, Any]:
    if tree["path"] == path:
        return tree
    for child in tree["children"]:
        if path == child["path"] or path.startswith(child["path"] + "/"):
            return find(child, path)
    raise KeyError(path)


async def test_ping_and_status(node: Any) -> None:
    def talk() -> Any:
        # One client for both: that of an earlier question may not be gone when the next one comes.
        with node.connect() as client:
            return client.request("ping"), client.request("status"), len(node.runtime.processes())

    pong, status, processes = await trio.to_thread.run_sync(talk)
    assert pong == {"pong": "demo", "pid": os.getpid()}
    assert status["node"] == "demo"
    assert status["processes"] == processes
    assert status["console_clients"] == 1
    assert status["memory"] > 1_000_000


async def test_tree_shows_every_place_with_its_figures(node: Any) -> None:
    await start_child("pool", [1, "first"])
    await start_child("pool", [2])
    await sys.suspend("second")
    send("second", "wait for me")

    tree = await node.ask("tree")

    assert [child["id"] for child in tree["children"]] == ["core", "secret", "task", "console"]
    registry = find(tree, "node/core/registry")
    assert registry["pid"] == str(whereis("registry"))
    assert (registry["type"], registry["state"], registry["restarts"]) == ("worker", "running", 0)
    assert registry["memory"] > 0
    assert registry["uptime"] > 0
    second = find(tree, "node/core/second")
    assert (second["state"], second["mailbox"]) == ("suspended", 1)
    pool = find(tree, "node/core/pool")
    assert pool["type"] == "supervisor"
    assert sorted(child["id"] for child in pool["children"])[1] == "first"


async def test_tree_counts_restarts_by_place(node: Any) -> None:
    for _ in range(2):
        with events() as seen:
            await node.ask("kill", target="registry")
            await seen.wait(ProgressReport, lambda report: report.started["id"] == "pool")

    tree = await node.ask("tree")

    assert find(tree, "node/core/registry")["restarts"] == 2
    assert find(tree, "node/core/second")["restarts"] == 2  # one_for_all
    assert find(tree, "node/core")["restarts"] == 0
    assert find(tree, "node/secret")["restarts"] == 0


async def test_restart_counts_survive_the_console(node: Any) -> None:
    await node.ask("kill", target="secret")
    with events() as seen:
        with contextlib.suppress(NodeGone):  # the answer races with the end of its connection
            await node.ask("kill", target="console")
        await seen.wait(ProgressReport, lambda report: report.started["id"] == "console")

    tree = await node.ask("tree")

    assert find(tree, "node/secret")["restarts"] == 1
    assert find(tree, "node/console")["restarts"] == 1


async def test_tree_of_a_part_and_with_a_limit(node: Any) -> None:
    for _ in range(3):
        await start_child("pool", [])
    tree = await node.ask("tree", target="core/pool", limit=2)
    assert len(tree["children"]) == 2
    assert tree["omitted"] == 1
    await fails(node, "not_a_server", "registry is no supervisor", "tree", target="registry")
    await fails(node, "not_a_server", "task is no supervisor", "tree", target="task")
    assert is_alive(whereis("registry"))


async def test_a_suspended_supervisor_does_not_hide_the_rest(node: Any) -> None:
    await sys.suspend("core")
    tree = await node.ask("tree")
    assert find(tree, "node/core")["state"] in ("suspended", "unresponsive")
    assert find(tree, "node/console/control")["state"] == "running"
    await sys.resume("core")


async def test_ps_sorts_and_counts_since_the_last_look(node: Any) -> None:
    await sys.suspend("second")
    for _ in range(5):
        send("second", "x")
    first = await node.ask("ps")
    assert first["since"] is None
    assert (first["processes"][0]["name"], first["processes"][0]["mailbox"]) == ("second", 5)

    for _ in range(300):
        cast("registry", {"rows": []})
    second = await node.ask("ps", sort="messages", limit=1)
    (row,) = second["processes"]
    assert row["name"] == "registry"
    assert row["messages"] == 300
    assert second["since"] > 0
    assert second["total"] == first["total"]

    other = await node.ask("ps", session="another", sort="messages", limit=1)
    assert other["since"] is None


async def test_ps_by_restarts(node: Any) -> None:
    before = whereis("secret")
    await node.ask("kill", target="secret")
    await node.until(lambda old=before: whereis("secret") not in (None, old))
    listed = await node.ask("ps", sort="restarts", limit=1)
    assert (listed["processes"][0]["name"], listed["processes"][0]["restarts"]) == ("secret", 1)


async def test_info(node: Any) -> None:
    info = await node.ask("info", target="core/registry")
    assert info["name"] == "registry"
    assert info["pid"] == str(whereis("registry"))
    assert info["parent"] == f"core {whereis('core')}"
    assert info["links"] == [f"core {whereis('core')}"]
    assert info["kind"] == "callback"


@pytest.mark.parametrize("form", ["pid", "bare", "zero", "brackets", "name", "path", "rooted"])
async def test_each_form_of_a_target(node: Any, form: str) -> None:
    pid = whereis("registry")
    assert isinstance(pid, Pid)
    target = {
        "pid": str(pid),
        "bare": str(pid).strip("<>"),
        "zero": f"0.{pid.id}.0",
        "brackets": f"<0.{pid.id}.0>",
        "name": "registry",
        "path": "core/registry",
        "rooted": "node/core/registry",
    }[form]
    assert (await node.ask("info", target=target))["pid"] == str(pid)


async def test_a_child_without_an_id_goes_by_its_label(node: Any) -> None:
    pid = await start_child("pool", [1, "red box"])
    assert (await node.ask("info", target="core/pool/red box"))["pid"] == str(pid)
    await start_child("pool", [2, "red box"])
    await fails(
        node, "ambiguous_target", "2 children of node/core/pool", "info", target="core/pool/red box"
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("<demo.999.0>", "no process <demo.999.0> is alive on node demo"),
        ("0.999.0", "no process 0.999.0 is alive"),
        ("other.1.0", "no process other.1.0 is alive"),
        ("regstry", "'regstry'; did you mean 'registry'"),
        ("core/regstry", "node/core has no child 'regstry'; did you mean 'registry'"),
        ("core/registry/x", "node/core/registry is no supervisor"),
        ("", "no process is called ''"),
    ],
)
async def test_an_unknown_target_is_explained(node: Any, target: str, words: str) -> None:
    await fails(node, "unknown_target", words, "info", target=target)


async def test_state_is_shown_and_kept_small(node: Any) -> None:
    state = await node.ask("state", target="registry")
    assert state["state"] == {"rows": [1, 2, 3]}
    assert not state["truncated"]

    cast("registry", list(range(10_000)))
    state = await node.ask("state", target="registry", items=5)
    assert state["state"] == [0, 1, 2, 3, 4, "… (+9995 more)"]
    assert state["truncated"]


async def test_state_hides_what_format_status_hides(node: Any) -> None:
    assert (await node.ask("state", target="secret"))["state"] == "(hidden)"


async def test_state_of_what_is_no_server(node: Any) -> None:
    await fails(node, "not_a_server", "answers no system messages", "state", target="task")


async def test_kill_says_what_became_of_it(node: Any) -> None:
    pid = whereis("registry")
    result = await node.ask("kill", target="registry", reason="boom")
    assert result == {"pid": str(pid), "sent": "boom", "ended": True, "reason": "boom"}
    result = await node.ask("kill", target="core", reason="normal")
    assert result["ended"] is False


async def test_suspend_and_resume(node: Any) -> None:
    assert (await node.ask("suspend", target="registry"))["status"] == "suspended"
    cast("registry", "new")
    assert (await node.ask("info", target="registry"))["mailbox"] == 1
    assert (await node.ask("resume", target="registry"))["status"] == "running"
    assert await call("registry", "read") == "new"


async def test_stop_answers_first(node: Any) -> None:
    assert await node.ask("stop") == {"stopping": "demo"}
    with trio.fail_after(5):
        await node.stopped.wait()


async def test_trace_shows_messages_and_ends_by_count(node: Any) -> None:
    events: list[Any] = []

    async def work() -> None:
        while True:
            await call("registry", "read")
            await trio.sleep(0.005)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        end = await node.ask("trace", events.append, target="registry", events=4, seconds=20)
        nursery.cancel_scope.cancel()

    assert end == {"events": 4, "dropped": 0, "ended": "events"}
    assert {event["kind"] for event in events} == {"in", "out"}
    assert any("read" in str(event["message"]) for event in events)
    assert len(node.console.traces) == 0


async def test_trace_ends_by_time_and_with_the_process(node: Any) -> None:
    end = await node.ask("trace", target="registry", seconds=0.1)
    assert end == {"events": 0, "dropped": 0, "ended": "seconds"}

    async with trio.open_nursery() as nursery:

        async def break_it() -> None:
            await node.until(lambda: len(node.console.traces))
            await node.ask("kill", target="registry")

        nursery.start_soon(break_it)
        end = await node.ask("trace", target="registry", seconds=20)
    assert end["ended"] == "exit"


async def test_two_traces_of_one_process_see_the_same(node: Any) -> None:
    seen: list[list[Any]] = [[], []]

    async with trio.open_nursery() as nursery:
        for events in seen:
            nursery.start_soon(
                lambda events=events: node.ask(
                    "trace", events.append, target="registry", events=2, seconds=20
                )
            )
        await node.until(lambda: len(node.console.traces) == 2)
        await call("registry", "read")
    assert [event["kind"] for event in seen[0]] == [event["kind"] for event in seen[1]]
    assert len(node.console.traces) == 0


async def test_a_trace_stops_when_its_client_goes(node: Any) -> None:
    client = node.connect()

    def watch() -> None:
        with pytest.raises(Exception, match="does not answer"):
            client.request("trace", {"target": "registry", "seconds": 300}, patience=0.1)
        client.close()

    await trio.to_thread.run_sync(watch)
    await node.until(lambda: not len(node.console.traces))
    assert process_info(whereis("registry")) is not None


async def test_top_sends_frames(node: Any) -> None:
    frames: list[Any] = []
    end = await node.ask("top", frames.append, frames=2, interval=0.1, limit=3)
    assert end == {"frames": 2}
    assert [len(frame["processes"]) for frame in frames] == [3, 3]
    assert frames[0]["since"] is None
    assert frames[1]["since"] > 0


async def test_names_for_completion(node: Any) -> None:
    names = await node.ask("names")
    assert "registry" in names["names"]
    assert "core/registry" in names["paths"]
    assert str(whereis("registry")) in names["pids"]
    for path in names["paths"]:
        assert (await node.ask("info", target=path))["pid"] if "console-" not in path else True


async def test_what_changes_the_node_is_in_the_log_with_who_did_it(
    node: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    await node.ask("kill", target="registry", reason="boom")
    await node.ask("suspend", target="second")
    await node.ask("ping")
    with pytest.raises(CommandFailed):
        await node.ask("resume", target="nobody")
    lines = await written(capfd, "console resume")
    assert f"uid {os.getuid()} pid {os.getpid()}" in lines
    assert "console kill target='registry' reason='boom' outcome='ok'" in lines
    assert "console suspend target='second' outcome='ok'" in lines
    assert "console resume target='nobody' outcome=" in lines
    assert "unknown_target: no process is called" in lines
    assert "console ping" not in lines


async def written(capfd: pytest.CaptureFixture[str], last: str) -> str:
    """What is on stderr once `last` is; lines are written by a thread."""
    text = ""
    deadline = time.monotonic() + 5
    while last not in text and time.monotonic() < deadline:
        text += capfd.readouterr().err
        await trio.sleep(0.01)
    return text
