"""Tasks, skills and extensions of upstreams, where both sides speak the same flavour of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from erlmcp_py.client import Client, TaskFailed
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import overview
from erlmcp_py.gateway import upstream as upstream_of_ours
from erlmcp_py.gateway.tasks import TaskNames, begun, named
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.extensions.skills import SKILLS
from erlmcp_py.protocol.extensions.tasks import TASKS
from erlmcp_py.protocol.jsonrpc import Notification, raw
from erlmcp_py.protocol.meta import RELATED_TASK
from erlmcp_py.protocol.notifications import TASK_STATUS
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.scope import Scope
from supervisors import Pid, exit_signal, whereis

from .upstreams import HEAD, gateway, program, said

ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])
Upstream = Callable[[Any], UpstreamConfig]


@ERAS
async def test_a_task_from_its_beginning_to_its_end(era: Any, upstream: Upstream) -> None:
    async with (
        gateway({"web": upstream(era)}) as node,
        node.at("web", mode=era, tasks=True) as client,
    ):
        task = await client.tasks.start("work", {"text": "done"})
        assert task.id is not None
        assert said(await task.result()) == "done"
        assert (await task.status()).status == "completed"
        assert (await task.status()).id == task.id
        assert (await (await client.tasks.start("fails")).result()).is_error
        long = await client.tasks.start("work", {"text": "x", "seconds": 3600})
        assert (await long.status()).status == "working"
        await long.cancel()
        with trio.fail_after(20):
            while not (await long.status()).ended:
                await trio.sleep(0.01)
        with pytest.raises((TaskFailed, McpError)):
            await long.result()


@ERAS
async def test_a_task_asks_whoever_waits_for_it(era: Any, upstream: Upstream) -> None:
    async with (
        gateway({"web": upstream(era)}) as node,
        node.at("web", mode=era, tasks=True, elicit=lambda _: {"n": "Ada"}) as client,
        node.at("web", mode=era, tasks=True, elicit=lambda _: {"n": "Bob"}) as other,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(other.call_tool, "wait")  # so that several are served
        task = await client.tasks.start("asks")
        assert said(await task.result()) == "hello Ada"
        nursery.cancel_scope.cancel()


@ERAS
async def test_together_each_task_is_that_of_its_upstream(era: Any, upstream: Upstream) -> None:
    upstreams = {"one": upstream(era), "two": upstream(era)}
    async with (
        gateway(upstreams) as node,
        node.at(mode=era, tasks=True) as client,
    ):
        first = await client.tasks.start("one_work", {"text": "1"})
        second = await client.tasks.start("two_work", {"text": "2"})
        assert str(first.id).startswith("one.")
        assert str(second.id).startswith("two.")
        assert said(await second.result()) == "2"
        assert said(await first.result()) == "1"
        # The name in front says nothing by itself.
        for id in (f"two.{str(first.id)[4:]}", "one.", "three.x", "x", ""):
            with pytest.raises(McpError) as refused:
                await client.tasks.resume(id).status()
            assert refused.value.code == -32602


@ERAS
async def test_a_task_is_of_use_for_its_client_only(era: Any, upstream: Upstream) -> None:
    async with (
        gateway({"web": upstream(era)}) as node,
        node.at("web", mode=era, tasks=True) as client,
        node.at("web", mode=era, tasks=True) as other,
        node.at(mode=era, tasks=True) as elsewhere,
    ):
        task = await client.tasks.start("work", {"text": "done"})
        assert said(await task.result()) == "done"
        strangers = [elsewhere, other] if era == "legacy" else [elsewhere]
        for stranger in strangers:
            with pytest.raises(McpError, match="Unknown task") as refused:
                await stranger.tasks.resume(task.id).status()
            assert refused.value.code == -32602


async def test_a_task_of_2026_07_28_outlives_its_connection(upstream: Upstream) -> None:
    async with gateway({"web": upstream("modern")}) as node:
        async with node.at("web", tasks=True) as client:
            id = (await client.tasks.start("work", {"text": "later"})).id
        async with node.at("web", tasks=True) as client:
            assert said(await client.tasks.resume(id).result()) == "later"


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_client_of_2026_07_28_has_to_declare_the_extension(
    method: str, upstream: Upstream
) -> None:
    params: dict[str, Any] = {"taskId": "web.x", "inputResponses": {}}
    async with gateway({"web": upstream("modern")}) as node, node.at("web") as client:
        answer, _ = await client.forward(method, params)
        assert (answer.error.code, "tasks" in str(answer.error.data)) == (-32021, True)
    async with gateway({"web": upstream("legacy")}) as node, node.at("web") as client:
        answer, _ = await client.forward(method, params)
        assert answer.error.code == -32601


async def test_what_nobody_can_keep_apart_is_not_offered(upstream: Upstream) -> None:
    async with (
        gateway({"web": upstream("legacy")}) as node,
        node.at("web", mode="legacy") as client,
    ):
        offered = client.hello.capabilities.tasks
        assert offered is not None
        assert offered.list is None
        assert offered.cancel is not None
        answer, _ = await client.forward("tasks/list", {})
        assert answer.error.code == -32601


@ERAS
async def test_between_the_eras_there_are_no_tasks(era: Any, upstream: Upstream) -> None:
    theirs = "modern" if era == "legacy" else "legacy"
    async with (
        gateway({"web": upstream(theirs)}) as node,
        node.at("web", mode=era, tasks=True) as client,
    ):
        offered = client.hello.capabilities
        assert offered.tasks is None
        assert TASKS not in (offered.extensions or {})
        task = await client.tasks.start("work", {"text": "done"})
        assert task.id is None
        assert said(await task.result()) == "done"
        with pytest.raises(McpError) as refused:
            await client.tasks.resume("web.x").status()
        assert refused.value.code == -32601


@ERAS
async def test_what_runs_as_a_task_only_is_a_plain_call_for_the_other_era(
    era: Any, upstream: Upstream
) -> None:
    theirs = "modern" if era == "legacy" else "legacy"
    async with (
        gateway({"web": upstream(theirs)}) as node,
        node.at("web", mode=era, elicit=lambda _: {"n": "Ada"}) as client,
    ):
        assert said(await client.call_tool("must", {"text": "done"})) == "done"
        assert said(await client.call_tool("must_ask")) == "hello Ada"
        assert (await client.call_tool("must_fail")).is_error
        before = json.loads(said(await client.call_tool("ends")))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "must_wait")
            with trio.fail_after(20):
                while json.loads(said(await client.call_tool("ends"))) != [*before, "began"]:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        with trio.fail_after(20):
            while json.loads(said(await client.call_tool("ends"))) != [*before, "began", "ended"]:
                await trio.sleep(0.01)


TELLER = (
    HEAD
    + """
def task(status):
    return {"taskId": "t1", "status": status, "createdAt": "2026-01-01T00:00:00Z",
        "lastUpdatedAt": "2026-01-01T00:00:00Z", "ttl": None}
ABLE = {"tools": {}, "tasks": {"requests": {"tools": {"call": {}}}, "list": {}, "cancel": {}}}
for line in sys.stdin:
    asked = json.loads(line)
    method, params = asked.get("method"), asked.get("params", {})
    if method == "initialize":
        answer(asked, {"protocolVersion": "2025-11-25", "capabilities": ABLE,
            "serverInfo": {"name": "teller", "version": "3"}})
    elif method == "ping":
        answer(asked, {})
    elif method == "tools/list":
        answer(asked, {"tools": [{"name": "any", "inputSchema": {"type": "object"}}]})
    elif method == "tools/call" and params["name"] == "end":
        tell("notifications/tasks/status", **task("completed"))
        tell("notifications/tasks/status", **task("completed"))
        tell("notifications/tasks/status", nonsense=1)
        answer(asked, text("told"))
    elif method == "tools/call":
        assert params["task"] == {"ttl": 5000}
        answer(asked, {"task": task("working")})
    elif "id" in asked:
        refuse(asked, -32601)
"""
)


async def test_an_upstream_that_tells_how_a_task_is_tells_its_client() -> None:
    heard: list[Notification] = []
    others: list[Notification] = []
    async with (
        gateway({"old": program(TELLER)}) as node,
        node.at("old", mode="legacy", on_notification=heard.append) as client,
        node.at("old", mode="legacy", on_notification=others.append) as other,
    ):
        task = await client.tasks.start("work", ttl=5.0)
        await other.call_tool("end")
        with trio.fail_after(20):
            while not heard:
                await trio.sleep(0.01)
        await client.list_tools()
        await other.list_tools()
    (message,) = heard
    assert message.method == "notifications/tasks/status"
    assert f'"taskId":"{task.id}"'.encode() in bytes(message.params)
    assert others == []


async def test_a_task_ends_with_its_program_also_if_the_next_one_uses_its_id_again() -> None:
    again = TELLER.replace(
        'elif "id" in asked',
        'elif method == "tasks/get":\n        answer(asked, task("working"))\n    elif "id" in asked',
    )
    heard: list[Notification] = []
    async with (
        gateway({"old": program(again)}) as node,
        node.at("old", mode="legacy", on_notification=heard.append) as client,
        node.at("old", mode="legacy") as other,
    ):
        task = await client.tasks.start("work", ttl=5.0)
        assert (await task.status()).status == "working"
        upstream = (await overview.served())["old"]
        assert await upstream.instances[0].begin_anew("somebody has said so", 0.0)
        its = await other.tasks.start("work", ttl=5.0)
        assert (await its.status()).status == "working"
        with pytest.raises(McpError, match="Unknown task"):
            await task.status()
        await other.call_tool("end")
        await client.ping()
    assert TASK_STATUS not in [one.method for one in heard]


PLAIN = TELLER.replace(
    ', "tasks": {"requests": {"tools": {"call": {}}}, "list": {}, "cancel": {}}', ""
)
assert PLAIN != TELLER


async def call_as_task(client: Client, tool: str) -> Any:
    answer, _ = await client.forward("tools/call", {"name": tool, "task": {"ttl": 5000}})
    return answer


@pytest.mark.parametrize("has_tasks", [True, False])
async def test_together_a_task_at_one_that_is_not_known_yet_waits_until_it_is(
    has_tasks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_of_ours, "PATIENCE", 0.05)
    go = str(tmp_path / "go")
    waits = f"import os, time\nwhile not os.path.exists({go!r}): time.sleep(0.02)\n"
    late = program(waits + (TELLER if has_tasks else PLAIN))
    answers = []
    async with (
        gateway({"late": late, "old": program(TELLER)}) as node,
        node.at(mode="legacy") as client,
        trio.open_nursery() as nursery,
    ):

        async def call() -> None:
            answers.append(await call_as_task(client, "late_any"))

        nursery.start_soon(call)
        late_one = (await overview.served())["late"]
        with trio.fail_after(20):
            while not late_one.sleep.users:
                await trio.sleep(0.01)
        assert late_one.hello is None
        (tmp_path / "go").touch()
    (answer,) = answers
    if has_tasks:
        assert json.loads(bytes(answer.result))["task"]["taskId"].startswith("late.")
    else:
        assert answer.error.code == -32601
        assert "'any' of the upstream 'late' cannot run as a task" in answer.error.message


async def test_together_a_task_at_one_that_has_none_is_refused_and_alone_a_plain_call() -> None:
    code = PLAIN.replace('assert params["task"] == {"ttl": 5000}', 'assert "task" not in params')
    code = code.replace('answer(asked, {"task": task("working")})', 'answer(asked, text("done"))')
    upstreams = {"plain": program(code), "old": program(TELLER)}
    async with (
        gateway(upstreams) as node,
        node.at(mode="legacy") as client,
        node.at("plain", mode="legacy") as alone,
    ):
        await client.list_tools()
        assert (await call_as_task(client, "plain_any")).error.code == -32601
        assert b"done" in bytes((await call_as_task(alone, "any")).result)
        assert said(await client.call_tool("plain_any")) == "done"


def names() -> TaskNames:
    scope = Scope(
        era="modern", version="2026-07-28", key=(Pid.__new__(Pid), 1), notify=lambda _: None
    )
    return TaskNames("web", StateSealer(), "web", scope)


@pytest.mark.parametrize(
    "result",
    [
        {"task": 7, "x": {"taskId": "t"}},
        {"task": {"x": {"taskId": "t"}}},
        {"task": {"taskId": 7}},
        {"resultType": "task", "x": {"taskId": "t"}},
        {"resultType": "task", "taskId": None},
    ],
)
def test_a_task_that_cannot_be_read_is_a_clear_error(result: dict[str, Any]) -> None:
    with pytest.raises(McpError, match="tools/call: its task cannot be read"):
        begun(raw(result), names(), 1)


@pytest.mark.parametrize(
    "result",
    [
        {"content": [], "structuredContent": {"taskId": "t"}},
        {"content": [], "task": {"taskId": "t"}},
        {"resultType": "complete", "content": [], "taskId": "t"},
        {"resultType": "input_required", "requestState": '"taskId"'},
    ],
)
def test_what_only_looks_like_a_task_is_passed_as_it_is(result: dict[str, Any]) -> None:
    assert begun(raw(result), names(), 1) is None


def test_what_a_result_says_of_its_task_is_renamed_and_nothing_else() -> None:
    result = raw({"taskId": "t", "ttl": 1.50, "_meta": {RELATED_TASK: {"taskId": "t"}, "a": 1}})
    told = json.loads(bytes(named(result, "shown")))
    meta = {"a": 1, RELATED_TASK: {"taskId": "shown"}}
    assert told == {"taskId": "shown", "ttl": 1.5, "_meta": meta}
    assert bytes(named(raw({"_meta": 7}), "shown")) == b'{"_meta":7}'


# --- skills, and other extensions ------------------------------------------------------------


@pytest.mark.parametrize("path", ["web", None])
async def test_skills(path: str | None, upstream: Upstream) -> None:
    upstreams = {"web": upstream("modern"), "plain": program(TELLER)}
    async with gateway(upstreams) as node, node.at(path) as client:
        await _known(client)
        assert client.hello.capabilities.extensions[SKILLS] == {"directoryRead": True}
        (skill,) = await client.skills.list()
        assert skill.uri == "skill://greeting/SKILL.md"
        assert await client.skills.get(skill.uri) == skill
        assert b"Say hello." in await client.skills.read(skill)
        words = await client.read_resource("skill://greeting/words.txt")
        assert words.contents[0].text == "hello\n"
        answer, _ = await client.forward("resources/directory/read", {"uri": "skill://greeting"})
        assert bytes(answer.result).count(b'"uri"') == 2
        for method in ("skills/get", "resources/directory/read"):
            answer, _ = await client.forward(method, {"uri": "skill://nothing"})
            assert answer.error.code == -32602
    async with gateway(upstreams) as node, node.at(path, mode="legacy") as client:
        assert client.hello.capabilities.extensions is None
        answer, _ = await client.forward("skills/list", {})
        assert answer.error.code == -32601


async def _known(client: Client) -> None:
    assert client.hello.era == "modern"
    await client.list_tools()


async def test_an_extension_that_nobody_knows_is_not_declared() -> None:
    strange = TELLER.replace('"tools": {}, ', '"tools": {}, "extensions": {"org.example/x": {}}, ')
    for mode in ("modern", "legacy"):
        async with (
            gateway({"old": program(strange)}) as node,
            node.at("old", mode=mode) as client,
        ):
            assert not client.hello.capabilities.extensions


async def test_a_task_is_found_whatever_process_has_fallen(upstream: Upstream) -> None:
    async with gateway({"web": upstream("modern")}) as node, node.at("web", tasks=True) as client:
        task = await client.tasks.start("work", {"text": "done"})
        for name in ("server_web", "server_all"):
            server = whereis(name)
            assert server is not None
            exit_signal(server, "kill")
        assert said(await task.result()) == "done"


def test_a_node_that_replaces_another_knows_its_tasks() -> None:
    key = b"k" * 32
    scope = names()._scope
    shown = TaskNames("web", StateSealer((key,)), "web", scope).shown("some-task", 2, "p")
    assert "some-task" not in shown
    assert TaskNames("web", StateSealer((key,)), "web", scope).meant(shown) == (
        "some-task",
        2,
        "p",
    )
    other = replace(scope, principal="somebody")
    for strange in (
        TaskNames("web", StateSealer(), "web", scope),
        TaskNames("web", StateSealer((key,)), "all", scope),
        TaskNames("web", StateSealer((key,)), "web", other),
    ):
        with pytest.raises(McpError, match="Unknown task"):
            strange.meant(shown)
