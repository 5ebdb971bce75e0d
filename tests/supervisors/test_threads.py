"""The kernel lives in the thread of its trio run; others come in through trio."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import GenServer, call, cast


class Store(GenServer):
    def init(self) -> Any:
        return "ok", []

    def handle_cast(self, request: Any, seen: list[Any]) -> Any:
        return "noreply", [*seen, request]

    def handle_call(self, request: Any, from_: Any, seen: list[Any]) -> Any:
        return "reply", seen, seen


class Waits(Store):
    async def handle_info(self, message: Any, seen: list[Any]) -> Any:
        return "noreply", seen


def in_a_thread(act: Callable[[], object]) -> BaseException | None:
    """What `act` raises in a thread that knows nothing of trio."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


@pytest.mark.parametrize("server", [Store, Waits])
def test_a_thread_that_does_not_ask_trio_is_refused_and_nothing_stands_still(server):
    async def main() -> None:
        pid, other = await server.start(), await server.start()
        await trio.testing.wait_all_tasks_blocked()
        refused = in_a_thread(lambda: cast(pid, "from outside"))
        assert isinstance(refused, RuntimeError)
        assert "trio.from_thread" in str(refused)
        for one in (pid, other):
            cast(one, "from inside")
        await trio.testing.wait_all_tasks_blocked()
        assert (await otp.sys.get_state(pid))[-1] == "from inside"
        assert await otp.sys.get_state(other) == ["from inside"]
        otp.send_after(0.001, otp.self(), "timers run")
        assert await otp.receive(timeout=5) == "timers run"

    otp.run(main)


def test_a_thread_of_trios_asks_the_loop():
    async def main() -> None:
        pid = await Store.start(name="store")

        def work() -> Any:
            trio.from_thread.run_sync(cast, "store", "a")
            return trio.from_thread.run(call, pid, "all")

        assert await trio.to_thread.run_sync(work) == ["a"]

    otp.run(main)


def test_a_reply_from_such_a_thread_leaves_the_caller_waiting_for_the_right_one():
    class Later(GenServer):
        def init(self) -> Any:
            return "ok", None

        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            return "noreply", from_

    async def main() -> None:
        pid = await Later.start()
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await call(pid, "anything"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            from_ = await otp.sys.get_state(pid)
            refused = in_a_thread(lambda: otp.reply(from_, "from outside"))
            assert "trio.from_thread" in str(refused)
            otp.reply(from_, "from inside")
        assert answers == ["from inside"]

    otp.run(main)


def test_runtimes_are_open_in_one_thread_at_a_time():
    async def nothing() -> None:
        return

    async def main() -> None:
        async with otp.Runtime("second"):
            refused = await trio.to_thread.run_sync(in_a_thread, lambda: otp.run(nothing))
        assert "one thread of a program" in str(refused)

    otp.run(main)
    assert in_a_thread(lambda: otp.run(nothing)) is None
