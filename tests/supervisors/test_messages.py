"""Messages: the order they come in, and which one `receive` takes (P1, P12, P15)."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio

import supervisors as otp
from supervisors import (
    BadArg,
    Exit,
    monitor,
    receive,
    self,
    send,
    spawn,
    spawn_link,
    trap_exit,
)

from .lives import dead


def test_signals_of_one_sender_keep_their_order(as_process):
    """P1: messages sent before exiting arrive before EXIT and DOWN."""

    async def main():
        trap_exit()
        me = self()

        async def child() -> None:
            for n in range(3):
                send(me, n)
            raise Exit("done")

        pid = spawn_link(child)
        ref = monitor(pid)
        got = [await receive() for _ in range(5)]
        assert got[:3] == [0, 1, 2]
        assert ("EXIT", pid, "done") in got[3:]
        assert ("DOWN", ref, "process", pid, "done") in got[3:]

    as_process(main)


def test_sends_to_the_dead_and_the_unknown(as_process):
    """P12."""

    async def main():
        pid = await dead()
        send(pid, "silent")
        with pytest.raises(BadArg, match="nobody"):
            send("nobody", "loud")

    as_process(main)


def test_selective_receive_leaves_the_rest_in_order(as_process):
    """P15."""

    async def main():
        for n in (1, 2, 3, 4):
            send(self(), n)
        assert await receive(lambda m: m == 3) == 3
        assert [await receive(timeout=0) for _ in range(3)] == [1, 2, 4]
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=0)
        before = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=2.5)
        assert trio.current_time() - before == pytest.approx(2.5)

    as_process(main)


def test_a_match_that_raises_raises_in_the_receiver(as_process):
    async def main():
        me = self()

        async def sender() -> None:
            send(me, "text")

        spawn(sender)
        with pytest.raises(TypeError):
            await receive(lambda m: m > 1)

    as_process(main)


def test_a_match_is_asked_as_its_receiver_whoever_sends(as_process):
    mine = ContextVar("mine", default="nobody's")

    class Sender(otp.GenServer):
        def handle_cast(self, pid, state):
            send(pid, (pid, "the receiver's"))
            assert otp.self() is not pid
            return "noreply", state

    async def main():
        got = []

        async def waits() -> None:
            mine.set("the receiver's")
            got.append(await receive(lambda message: message == (self(), mine.get())))

        sender = await Sender.start_link()
        for through in (None, sender):  # by a process with a task and by one without
            pid = spawn(waits)
            await trio.testing.wait_all_tasks_blocked()
            if through is None:
                send(pid, (pid, "the receiver's"))
            else:
                otp.cast(through, pid)
            await trio.testing.wait_all_tasks_blocked()
            assert got.pop() == (pid, "the receiver's")
        assert self() is not pid

    as_process(main)


def test_a_mailbox_has_one_reader(as_process):
    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="one reader"):
                await receive()
            nursery.cancel_scope.cancel()

    as_process(main)
