"""A task asks its client: it is parked, and whoever knows it brings the answers."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from erlmcp_py.subscriptions import TASKS as MANAGER
from supervisors import whereis
from tests.erlmcp_py.transports.node import kill

from .world import TaskClient, accept, world


async def test_it_is_parked_until_the_answer_comes(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("ask")
        task = await client.until(id, "input_required")
        assert task["inputRequests"] == {
            "elicit-1": {
                "method": "elicitation/create",
                "params": {
                    "message": "What is your name?",
                    "requestedSchema": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}},
                        "required": ["name"],
                    },
                },
            }
        }
        await client.update(id, **{"elicit-1": accept(name="Ada")})
        assert "inputRequests" not in await client.get(id)
        assert await client.text(id) == "Hello, Ada!"


async def test_answers_may_come_one_by_one(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("several")
        task = await client.until(id, "input_required")
        assert set(task["inputRequests"]) == {"who", "where"}
        await client.update(id, who=accept(name="Ada"), nobody=accept(asked="this"))
        task = await client.get(id)
        assert (task["status"], set(task["inputRequests"])) == ("input_required", {"where"})
        await client.update(id, who=accept(name="too late"))
        await client.update(id, where={"roots": [{"uri": "file:///london"}]})
        assert await client.text(id) == "Ada in file:///london"


@pytest.mark.parametrize("answer", [12345, {"action": "perhaps"}, accept(name=5), accept(), None])
async def test_an_answer_that_is_none_leaves_the_question(
    answer: object, autojump_clock: MockClock
) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("ask")
        before = await client.until(id, "input_required")
        await client.update(id, **{"elicit-1": answer})
        assert await client.get(id) == before
        await client.update(id, **{"elicit-1": accept(name="Ada")})
        assert await client.text(id) == "Hello, Ada!"


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_refusal_is_an_answer(action: str, autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("ask")
        await client.until(id, "input_required")
        await client.update(id, **{"elicit-1": {"action": action}})
        task = await client.until(id)
        assert task["result"]["isError"] is True


async def test_no_key_means_two_questions(autojump_clock: MockClock) -> None:
    """MCP, tasks: a key is never used again in the life of a task."""
    client = TaskClient()
    async with world():
        id = await client.begin("twice")
        keys = []
        for name in ("Ada", "Bo"):
            task = await client.until(id, "input_required")
            (key,) = task["inputRequests"]
            keys.append(key)
            await client.update(id, **{key: accept(name=name)})
        assert keys == ["who", "who-2"]
        assert await client.text(id) == "Ada and Bo"


async def test_a_question_that_nobody_waits_for_is_withdrawn(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("impatient")
        await client.until(id, "input_required")
        assert (await client.until(id, "working"))["status"] == "working"
        await client.update(id, **{"elicit-1": accept(name="too late")})
        assert await client.text(id) == "without a name"


async def test_a_parked_task_can_be_cancelled(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("ask")
        await client.until(id, "input_required")
        await client.result("tasks/cancel", taskId=id)
        task = await client.get(id)
        assert task["status"] == "cancelled"
        assert "inputRequests" not in task


async def test_a_parked_task_does_not_need_the_manager(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (book, _, _):
        id = await client.begin("ask")
        await client.until(id, "input_required")
        await kill(whereis(MANAGER))
        await client.update(id, **{"elicit-1": accept(name="Ada")})
        assert await client.text(id) == "Hello, Ada!"
        other = await client.begin("ask")
        await client.until(other, "input_required")
        await kill(book.worker(other))
        assert (await client.until(other))["status"] == "failed"


async def test_rounds_first_and_then_a_task(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (_, notes, _):
        round_1 = await client.call("first")
        assert round_1["resultType"] == "input_required"
        assert list(round_1["inputRequests"]) == ["name"]
        created = await client.result(
            "tools/call",
            name="first",
            arguments={},
            inputResponses={"name": accept(name="Ada")},
            requestState=round_1["requestState"],
        )
        assert created["resultType"] == "task"
        assert (created["ttlMs"], created["pollIntervalMs"]) == (60_000, 500)
        assert not {"requestState", "inputRequests"} & created.keys()
        task = await client.until(created["taskId"], "input_required")
        assert list(task["inputRequests"]) == ["other"]
        await client.update(created["taskId"], other=accept(name="Bo"))
        assert await client.text(created["taskId"]) == "Ada and Bo True"
        assert notes == ["step"]
