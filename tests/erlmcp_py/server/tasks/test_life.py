"""The life of tasks, under the virtual clock: whatever is killed, nothing is lost that was promised."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from erlmcp_py import registry
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.manager import POOL
from erlmcp_py.server.tasks.record import TaskRecord
from erlmcp_py.server.tasks.store import MemoryTaskStore
from erlmcp_py.subscriptions import TASKS as MANAGER
from supervisors import (
    CrashReport,
    WarningReport,
    call,
    count_children,
    exit_signal,
    is_alive,
    whereis,
)
from tests.erlmcp_py.transports.node import kill

from .world import UNABLE, TaskClient, accept, world


async def restarted(name: str, before: Any) -> None:
    """Wait until somebody else has the name."""
    while whereis(name) in (None, before):
        await trio.sleep(0.001)


async def test_it_runs_while_its_client_does_something_else(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (book, _, _):
        created = await client.call("nap", seconds=5)
        id = created["taskId"]
        assert created["status"] == "working"
        assert (created["ttlMs"], created["pollIntervalMs"]) == (3_600_000, 1000)
        assert (await client.get(id))["status"] == "working"
        await trio.sleep(1)
        task = await client.get(id)
        assert (task["status"], task["statusMessage"]) == ("working", "1 of 2")
        assert await client.text(id) == "done"
        assert await call(MANAGER, ("statistics",)) == {"completed": 1}
        assert (await count_children(POOL)).active == 0
        assert len(book) == 1


@pytest.mark.parametrize(
    ("tool", "text", "said"),
    [("quick", "quick", "quick"), ("threaded", "threaded", "from a thread")],
)
async def test_handlers_of_every_kind_run_as_tasks(
    tool: str, text: str, said: str, autojump_clock: MockClock
) -> None:
    autojump_clock.autojump_threshold = 1.0  # a thread takes real time
    client = TaskClient()
    async with world():
        id = await client.begin(tool)
        assert await client.text(id) == text
        assert (await client.get(id))["statusMessage"] == said


async def test_a_tool_without_tasks_is_called_as_ever(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        assert (await client.call("plain"))["content"][0]["text"] == "plain"
        ignored = await client.result("tools/call", name="plain", task={"ttl": 1})
        assert ignored["resultType"] == "complete"


async def test_clients_that_declare_nothing_get_calls_or_are_told_why_not(
    autojump_clock: MockClock,
) -> None:
    client = TaskClient(capabilities=UNABLE)
    async with world():
        result = await client.call("nap", seconds=1)
        assert result["content"][0]["text"] == "done"
        value = await client.answer("tools/call", name="must")
        required = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
        assert value["error"]["code"] == -32021
        assert value["error"]["data"]["requiredCapabilities"] == required
        for method in ("tasks/get", "tasks/cancel", "tasks/update"):
            code, _ = await client.error(method, taskId="x", inputResponses={})
            assert code == -32021


async def test_what_is_offered_is_said(autojump_clock: MockClock) -> None:
    async with world():
        modern = (await TaskClient().result("server/discover"))["capabilities"]
        assert modern["extensions"] == {"io.modelcontextprotocol/tasks": {}}
        assert "tasks" not in modern
        for method in ("tasks/list", "tasks/result"):
            assert (await TaskClient().error(method, taskId="x"))[0] == -32601


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("error", "Tool 'crash' crashed: RuntimeError: boom"),
        ("exit", "Tool 'crash' crashed: (system_exit, 3)"),
        ("surrogate", "Tool 'crash' crashed: EncodeError"),
    ],
)
async def test_a_crash_is_a_failed_task_that_says_why(
    how: str, text: str, autojump_clock: MockClock
) -> None:
    client = TaskClient()
    async with world() as (_, _, reports):
        task = await client.until(await client.begin("crash", how=how))
        assert task["status"] == "failed"
        assert task["error"]["code"] == -32603
        assert task["error"]["message"].startswith(text)
        assert task["statusMessage"] == task["error"]["message"]
        assert "result" not in task
        await wait_all_tasks_blocked()
        assert [r.label for r in reports if isinstance(r, CrashReport)] == [
            f"task crash {task['taskId']}"
        ]


async def test_a_tool_that_fails_on_purpose_has_completed(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        task = await client.until(await client.begin("crash", how="tool"))
        assert task["status"] == "completed"
        assert task["result"]["isError"] is True


# --- kill anything --------------------------------------------------------------------------


async def test_killed_in_the_middle_it_is_failed(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (book, notes, _):
        id = await client.begin("nap", seconds=50)
        await trio.sleep(1)
        await kill(book.worker(id))
        task = await client.until(id)
        assert task["error"]["message"] == "Tool 'nap' crashed: killed"
        assert notes == ["began done", "ended done"]


async def test_the_server_process_may_fall(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("nap", seconds=5)
        pid = await registry.lookup("tasks")
        await kill(pid)
        while await registry.lookup("tasks") in (None, pid):
            await trio.sleep(0.001)
        assert (await client.get(id))["status"] == "working"
        assert await client.text(id) == "done"


async def test_the_manager_may_fall_while_a_task_runs(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (book, _, _):
        ids = [await client.begin("nap", seconds=5, text=text) for text in ("a", "b")]
        await trio.sleep(1)
        manager = whereis(MANAGER)
        await kill(manager)
        await restarted(MANAGER, manager)
        await kill(book.worker(ids[1]))
        assert await client.text(ids[0]) == "a"
        assert (await client.until(ids[1]))["status"] == "failed"


async def test_what_was_promised_while_nobody_manages_is_done(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        manager = whereis(MANAGER)
        assert manager is not None
        exit_signal(manager, "kill")
        ids = [await client.begin("nap", seconds=1, text=str(n)) for n in range(3)]
        await restarted(MANAGER, manager)
        assert [await client.text(id) for id in ids] == ["0", "1", "2"]


async def test_the_pool_takes_its_tasks_with_it_and_that_is_written_down(
    autojump_clock: MockClock,
) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("nap", seconds=50)
        done = await client.begin("nap", seconds=1)
        await client.until(done)
        pool, manager = whereis(POOL), whereis(MANAGER)
        await kill(pool)
        await restarted(MANAGER, manager)
        assert (await client.until(id))["status"] == "failed"
        assert (await client.get(done))["status"] == "completed"
        assert await client.text(await client.begin("nap", seconds=1)) == "done"


async def test_a_task_is_not_begun_twice(autojump_clock: MockClock) -> None:
    """The manager falls again and again while tasks are being begun."""
    client = TaskClient()
    async with world() as (_, notes, _):
        ids = []
        for number in range(20):
            manager = whereis(MANAGER)
            ids.append(await client.begin("nap", seconds=1, text=str(number)))
            if manager is not None:
                exit_signal(manager, "kill")
            await trio.sleep(20)  # within the supervisor's intensity
        assert [await client.text(id) for id in ids] == [str(n) for n in range(20)]
        assert sorted(notes) == sorted(
            [f"began {n}" for n in range(20)] + [f"ended {n}" for n in range(20)]
        )


async def test_many_at_once(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        ids = [await client.begin("nap", seconds=n % 7, text=str(n)) for n in range(500)]
        for number, id in enumerate(ids):
            assert await client.text(id) == str(number)
        assert len(set(ids)) == 500
        assert (await count_children(POOL)).specs == 0


# --- ends -----------------------------------------------------------------------------------


async def test_cancelled_means_killed(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (book, notes, _):
        id = await client.begin("nap", seconds=50)
        await trio.sleep(1)
        worker = book.worker(id)
        assert worker is not None
        acknowledged = await client.result("tasks/cancel", taskId=id)
        assert acknowledged.keys() <= {"resultType", "_meta"}
        assert (await client.get(id))["status"] == "cancelled"
        await wait_all_tasks_blocked()
        assert not is_alive(worker)
        assert notes == ["began done", "ended done"]
        assert (await client.get(id))["status"] == "cancelled"
        await client.result("tasks/cancel", taskId=id)


async def test_cancelled_before_it_began_it_never_does(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (_, notes, _):
        manager = whereis(MANAGER)
        assert manager is not None
        exit_signal(manager, "kill")
        id = await client.begin("nap", seconds=1)
        await client.result("tasks/cancel", taskId=id)
        await restarted(MANAGER, manager)
        await trio.sleep(5)
        assert notes == []
        assert (await client.get(id))["status"] == "cancelled"


async def test_what_has_completed_stays_completed(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world():
        id = await client.begin("nap", seconds=1)
        before = await client.until(id)
        await client.result("tasks/cancel", taskId=id)
        await client.update(id, name=accept(name="Ada"))
        assert await client.get(id) == before


async def test_its_time_ends_whether_it_runs_or_not(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (book, notes, _):
        done = await client.begin("nap", seconds=1)
        runs = await client.begin("nap", seconds=90_000, text="long")
        kept = await client.begin("kept")
        await trio.sleep(3599)
        worker = book.worker(runs)
        assert worker is not None
        assert (await client.get(done))["status"] == "completed"
        await trio.sleep(2)
        for id in (done, runs):
            assert await client.error("tasks/get", taskId=id) == (-32602, f"Unknown task: {id!r}")
        assert not is_alive(worker)
        assert notes[-1] == "ended long"
        assert (await client.get(kept))["ttlMs"] is None
        assert len(book) == 1


async def test_its_time_ends_under_another_manager_too(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world() as (book, _, _):
        await client.begin("nap", seconds=1)
        await trio.sleep(1800)
        manager = whereis(MANAGER)
        await kill(manager)
        await restarted(MANAGER, manager)
        await trio.sleep(1799)
        assert len(book) == 1
        await trio.sleep(2)
        assert len(book) == 0


async def test_there_is_an_end_to_how_many_are_kept(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world(TaskBook(limit=2, clock=trio.current_time)):
        for _ in range(2):
            await client.begin("nap", seconds=1)
        code, text = await client.error("tools/call", name="nap", arguments={"seconds": 1})
        assert (code, text) == (-32603, "2 tasks are kept; try again later")
        await trio.sleep(3601)
        await client.begin("nap", seconds=1)


async def test_tasks_are_their_owners(autojump_clock: MockClock) -> None:
    ada, bob, nobody = (TaskClient(principal=name) for name in ("ada", "bob", None))
    async with world():
        id = await ada.begin("nap", seconds=5)
        for other in (bob, nobody):
            for method in ("tasks/get", "tasks/cancel", "tasks/update"):
                error = await other.error(method, taskId=id, inputResponses={})
                assert error == (-32602, f"Unknown task: {id!r}")
        assert await ada.text(id) == "done"
        assert len(id) >= 32  # 24 random bytes


# --- the store ------------------------------------------------------------------------------


class Faulty(MemoryTaskStore):
    """Takes so many records, and no more."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.good = good

    def put(self, record: TaskRecord) -> None:
        self.good -= 1
        if self.good < 0:
            raise OSError("disk full")
        super().put(record)


async def test_what_cannot_be_kept_is_not_begun(autojump_clock: MockClock) -> None:
    client = TaskClient()
    async with world(TaskBook(Faulty(0), clock=trio.current_time)) as (book, notes, _):
        error = await client.error("tools/call", name="nap", arguments={"seconds": 1})
        assert error == (-32603, "the task cannot be kept: disk full")
        await trio.sleep(5)
        assert (len(book), notes) == (0, [])


async def test_a_store_that_fails_later_is_reported_and_the_task_goes_on(
    autojump_clock: MockClock,
) -> None:
    client = TaskClient()
    async with world(TaskBook(Faulty(1), clock=trio.current_time)) as (_, _, reports):
        assert await client.text(await client.begin("nap", seconds=1)) == "done"
        warnings = [r for r in reports if isinstance(r, WarningReport)]
        assert "store of the tasks has failed" in warnings[0].text


async def test_a_store_that_outlives_the_node(autojump_clock: MockClock) -> None:
    client, store = TaskClient(), MemoryTaskStore()
    async with world(TaskBook(store, clock=trio.current_time)):
        done = await client.begin("nap", seconds=1, text="kept")
        await client.until(done)
        asks = await client.begin("ask")
        await client.until(asks, "input_required")
        runs = await client.begin("nap", seconds=500)
        await trio.sleep(1)
    async with world(TaskBook(store, clock=trio.current_time)) as (book, _, _):
        assert await client.text(done) == "kept"
        for id in (asks, runs):
            task = await client.until(id)
            assert task["status"] == "failed"
            assert "shutdown" in task["error"]["message"] or "restarted" in task["error"]["message"]
        await trio.sleep(3601)
        assert len(book) == len(store) == 0


async def test_a_task_whose_node_was_killed_is_failed_in_the_next(
    autojump_clock: MockClock,
) -> None:
    store = MemoryTaskStore()
    client = TaskClient()
    async with world(TaskBook(store, clock=trio.current_time)):
        id = await client.begin("nap", seconds=500)
        await trio.sleep(1)
        (record,) = store.load()
    store.put(record)  # as if the node had had no time to write down its end
    async with world(TaskBook(store, clock=trio.current_time)):
        task = await client.until(id)
        assert task["error"]["message"] == (
            "Tool 'nap' crashed: the node was restarted while it ran"
        )
