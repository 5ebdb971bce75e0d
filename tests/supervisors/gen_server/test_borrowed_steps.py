"""Calls to async servers that their callers start (`supervisors._borrow`).

Whatever a callback waits for, it must not be able to tell that its first step ran on
somebody else's stack, and its caller not that its server has a task.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, GenServer, call, exit_signal, monitor, receive, send, spawn
from supervisors._borrow import AVAILABLE, DEPTH

mark: ContextVar[str] = ContextVar("mark", default="server")


class Does(GenServer):
    """Requests are async functions of the state; their value is the reply."""

    def init(self, state: Any = None) -> Any:
        return "ok", state

    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", await request(state), state


def test_this_trio_can_be_borrowed_from():
    assert AVAILABLE


def test_a_call_that_does_not_wait_switches_no_task(as_process):
    async def main():
        pid = await Does.start()
        await trio.testing.wait_all_tasks_blocked()
        steps: list[str] = []

        class Watch(trio.abc.Instrument):
            def before_task_step(self, task: trio.lowlevel.Task) -> None:
                steps.append(task.name)

        async def quick(state: Any) -> str:
            return "quick"

        watch = Watch()
        trio.lowlevel.add_instrument(watch)
        assert await call(pid, quick) == "quick"
        trio.lowlevel.remove_instrument(watch)
        assert steps == []

    as_process(main)


def test_the_callback_runs_as_the_server(as_process):
    async def main():
        pid = await Does.start()
        await trio.testing.wait_all_tasks_blocked()
        tasks: list[Any] = []
        mark.set("caller")

        async def look(state: Any) -> Any:
            seen = [(otp.self(), mark.get(), trio.lowlevel.current_task())]
            await trio.sleep(1)
            seen.append((otp.self(), mark.get(), trio.lowlevel.current_task()))
            tasks.extend(task for *_, task in seen)
            return [(who, where) for who, where, _ in seen]

        assert await call(pid, look) == [(pid, "server"), (pid, "server")]
        assert tasks[0] is tasks[1]
        assert tasks[0] is not trio.lowlevel.current_task()
        assert mark.get() == "caller"
        assert otp.self() is not pid

    as_process(main)


async def use_nursery(done: list[str]) -> None:
    async def child() -> None:
        await trio.sleep(0.5)
        done.append("child")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)


async def use_channel(done: list[str]) -> None:
    sender, receiver = trio.open_memory_channel[int](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.send, 1)
        assert await receiver.receive() == 1
    done.append("channel")


async def use_thread(done: list[str]) -> None:
    await trio.to_thread.run_sync(done.append, "thread")


async def use_expired_scope(done: list[str]) -> None:
    with trio.move_on_after(0) as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught
    done.append("expired")


async def use_cancelled_scope(done: list[str]) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    done.append("cancelled")


async def use_checkpoints(done: list[str]) -> None:
    for _ in range(3):
        await trio.lowlevel.cancel_shielded_checkpoint()
        await trio.lowlevel.checkpoint()
    done.append("checkpoints")


async def use_shield(done: list[str]) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1) as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught
    done.append("shield")


WAYS = [
    use_nursery,
    use_channel,
    use_expired_scope,
    use_cancelled_scope,
    use_checkpoints,
    use_shield,
]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_wait(as_process, way):
    async def main():
        done: list[str] = []
        pid = await Does.start(done)
        await trio.testing.wait_all_tasks_blocked()
        for n in range(3):
            await call(pid, way)
            assert len(done) == n + 1

    as_process(main)


def test_waiting_for_a_thread():
    async def main() -> None:
        done: list[str] = []
        pid = await Does.start(done)
        await trio.testing.wait_all_tasks_blocked()
        await call(pid, use_thread)
        assert done == ["thread"]

    otp.run(main)


def test_a_foreign_awaitable_is_a_clear_error(as_process):
    class Foreign:
        def __await__(self) -> Any:
            yield "not trio's"

    async def wait_for_foreign(state: Any) -> None:
        await Foreign()

    async def main():
        pid = await Does.start()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CallExit, match="nothing of trio's"):
            await call(pid, wait_for_foreign)

    as_process(main)


def test_the_end_of_the_caller_is_nothing_to_the_server(as_process):
    """G13: cancelled, timed out or killed, it goes on."""

    async def main():
        done: list[str] = []
        pid = await Does.start()
        await trio.testing.wait_all_tasks_blocked()

        async def work(state: Any) -> None:
            await trio.sleep(5)
            done.append("done")

        with trio.move_on_after(1):
            await call(pid, work, timeout=60)
        await trio.sleep(10)
        with pytest.raises(CallExit) as caught:
            await call(pid, work, timeout=1)
        assert caught.value.cause == "timeout"
        await trio.sleep(10)
        caller = spawn(call, pid, work)
        await trio.sleep(1)
        exit_signal(caller, "kill")
        await trio.sleep(10)
        assert done == ["done"] * 3
        assert otp.is_alive(pid)

    as_process(main)


def test_a_kill_while_the_callback_waits(as_process):
    async def main():
        cleaned: list[str] = []
        pid = await Does.start()
        await trio.testing.wait_all_tasks_blocked()

        async def hang(state: Any) -> None:
            try:
                await trio.sleep_forever()
            finally:
                cleaned.append("up")

        ref = monitor(pid)
        otp.send_after(1, otp.self(), "now")

        async def killer() -> None:
            await trio.sleep(1)
            exit_signal(pid, "kill")

        spawn(killer)
        with pytest.raises(CallExit) as caught:
            await call(pid, hang, timeout=60)
        assert caught.value.cause == "killed"
        assert (await receive(lambda m: m[1] is ref))[4] == "killed"
        assert cleaned == ["up"]

    as_process(main)


@pytest.mark.parametrize("waits_first", [False, True])
def test_a_callback_that_ends_its_own_server(as_process, waits_first):
    async def main():
        pid = await Does.start()
        await trio.testing.wait_all_tasks_blocked()

        async def suicide(state: Any) -> None:
            if waits_first:
                await trio.sleep(1)
            exit_signal(otp.self(), "enough")

        ref = monitor(pid)
        with pytest.raises(CallExit) as caught:
            await call(pid, suicide)
        assert caught.value.cause == "enough"
        assert (await receive(lambda m: m[1] is ref))[4] == "enough"

    as_process(main)


@pytest.mark.parametrize("waits_first", [False, True])
def test_a_crash(as_process, waits_first):
    async def main():
        pid = await Does.start()
        await trio.testing.wait_all_tasks_blocked()

        async def crash(state: Any) -> None:
            if waits_first:
                await trio.sleep(1)
            raise ValueError("boom")

        with pytest.raises(CallExit, match="ValueError: boom"):
            await call(pid, crash)
        assert not otp.is_alive(pid)

    as_process(main)


def test_mail_that_comes_while_the_callback_waits_is_served_after_it(as_process):
    class Keeps(Does):
        def handle_info(self, message: Any, state: Any) -> Any:
            state.append(message)
            return "noreply", state

    async def main():
        state: list[Any] = []
        pid = await Keeps.start(state)
        await trio.testing.wait_all_tasks_blocked()

        async def work(state: Any) -> None:
            send(otp.self(), "to myself")
            await trio.sleep(1)
            send(pid, "more")
            await trio.sleep(1)
            state.append("worked")

        otp.send_after(0.5, pid, "meanwhile")
        await call(pid, work)
        await trio.testing.wait_all_tasks_blocked()
        assert state == ["worked", "to myself", "meanwhile", "more"]

    as_process(main)


def test_servers_that_call_each_other_in_a_circle_time_out_and_live(as_process):
    async def main():
        a, b = await Does.start(), await Does.start()
        await trio.testing.wait_all_tasks_blocked()

        async def nothing(state: Any) -> str:
            return "answered"

        async def back_to_a(state: Any) -> Any:
            try:
                return await call(a, nothing, timeout=1)
            except CallExit as failed:
                return failed.cause

        async def to_b(state: Any) -> Any:
            return await call(b, back_to_a, timeout=3)

        assert await call(a, to_b) == "timeout"
        assert await call(a, nothing) == "answered"
        assert await call(b, nothing) == "answered"

    as_process(main)


def test_a_chain_of_servers_longer_than_the_stack(as_process):
    async def main():
        pids = [await Does.start(n) for n in range(DEPTH * 40)]
        await trio.testing.wait_all_tasks_blocked()

        async def onwards(n: int) -> int:
            return n if n + 1 == len(pids) else await call(pids[n + 1], onwards)

        assert await call(pids[0], onwards) == len(pids) - 1

    as_process(main)


def test_requests_to_many_servers_at_once(as_process):
    async def main():
        pids = [await Does.start(n) for n in range(20)]
        await trio.testing.wait_all_tasks_blocked()

        async def work(n: int) -> int:
            await trio.sleep(1 + n % 3)
            return n

        before = trio.current_time()
        rids = [otp.send_request(pid, work) for pid in pids]
        replies = {}
        for _ in rids:
            _, rid, value = await receive(lambda m: m[0] == "$reply")
            replies[rid] = value
        assert [replies[rid] for rid in rids] == list(range(20))
        assert trio.current_time() - before == pytest.approx(3)

    as_process(main)


def test_a_callback_that_takes_a_message_itself_is_not_entered_meanwhile(as_process):
    """It waits where the server waits for its next message, and is no server at rest."""

    async def main():
        async def wait_for_go(_state: Any) -> str:
            done.append("begun")
            await receive(lambda message: message == "go")
            done.append("over")
            return "went"

        async def at_once(_state: Any) -> str:
            done.append("second")
            return "second"

        async def caller(request: Any) -> None:
            answers.append(await call(pid, request))

        done: list[str] = []
        answers: list[str] = []
        pid = await Does.start()
        for request in (wait_for_go, at_once):
            spawn(caller, request)
            await trio.testing.wait_all_tasks_blocked()
        assert done == ["begun"]
        send(pid, "go")
        await trio.testing.wait_all_tasks_blocked()
        assert done == ["begun", "over", "second"]
        assert sorted(answers) == ["second", "went"]

    as_process(main)


class Exhausted(GenServer):
    """A plain callback in an async server, that fails as an iterator does at its end."""

    def init(self) -> Any:
        return ("ok", 0)

    def handle_call(self, _request: Any, _from: Any, state: int) -> Any:
        raise StopIteration(("reply", "fooled", state))

    async def handle_cast(self, _request: Any, state: int) -> Any:
        return ("noreply", state)


async def test_a_plain_callback_that_raises_stop_iteration_has_not_returned() -> None:
    async with otp.Runtime():
        pid = await Exhausted.start()
        with pytest.raises(CallExit) as caught:
            await call(pid, "next")
        assert isinstance(caught.value.cause[0], StopIteration)
        assert not otp.is_alive(pid)
