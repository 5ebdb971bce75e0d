"""`process_info`: what is shown of a process."""

from __future__ import annotations

import pytest
import trio

import supervisors as otp
from supervisors import (
    BadArg,
    GenServer,
    GenStateMachine,
    call,
    cast,
    process_info,
    receive,
    send,
    spawn,
)


class Holder(GenServer):
    """Keeps what it is given."""

    def init(self, *state):
        return "ok", list(state)

    def handle_call(self, request, from_, state):
        return "reply", request, state

    def handle_cast(self, request, state):
        return "noreply", [*state, request]


def test_a_server(as_process):
    async def main():
        pid = await Holder.start_link(name="holder")
        ref = otp.monitor(pid)
        for n in range(3):
            cast(pid, n)
        info = process_info(pid)
        assert (info.registered_name, info.kind, info.status) == ("holder", "callback", "runnable")
        assert info.message_queue_len == 3
        assert info.behaviour.endswith(":Holder")
        assert info.links == (otp.self(),)
        assert info.monitored_by == (otp.self(),)
        assert process_info(otp.self()).monitors == (pid,)
        await call(pid, "x")
        info = process_info(pid)
        assert (info.message_queue_len, info.messages_in, info.status) == (0, 4, "waiting")
        assert otp.demonitor(ref)

    as_process(main)


def test_a_task_process(as_process):
    async def main():
        async def waits():
            await receive(lambda m: m == "go")

        pid = spawn(waits, label=("worker", 7))
        send(pid, "not this")
        await trio.testing.wait_all_tasks_blocked()
        info = process_info(pid)
        assert (info.label, info.status, info.message_queue_len) == (("worker", 7), "waiting", 1)
        assert info.initial_call.endswith("waits")
        send(pid, "go")
        await trio.testing.wait_all_tasks_blocked()
        assert process_info(pid) is None

    as_process(main)


def test_memory_grows_with_the_state_and_the_mailbox(as_process):
    async def main():
        small, large = await Holder.start(), await Holder.start("x" * 100_000)
        assert process_info(small).memory < 2_000
        assert process_info(large).memory > 100_000
        cast(small, "y" * 50_000)
        assert process_info(small).memory > 50_000

    as_process(main)


def test_an_idle_server_is_small(as_process):
    """DESIGN 7: at most a kilobyte, measured by what the allocator was asked for."""
    import tracemalloc

    async def main():
        await Holder.start()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        pids = [await Holder.start() for _ in range(1000)]
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (after - before) / len(pids) < 1024

    as_process(main)


class WaitingHolder(Holder):
    async def handle_call(self, request, from_, state):
        return "reply", request, state


class Machine(GenStateMachine):
    def callback_mode(self):
        return "handle_event_function"

    def init(self, *data):
        return "ok", "on", list(data)

    def handle_event(self, type_, content, state, data):
        return "keep_state_and_data"


class WaitingMachine(Machine):
    async def handle_event(self, type_, content, state, data):
        return "keep_state_and_data"


@pytest.mark.parametrize("server", [Holder, WaitingHolder, Machine, WaitingMachine])
@pytest.mark.parametrize("how", ["start", "start_link"])
def test_the_parent_is_who_started_it(as_process, server, how):
    async def main():
        pid = await getattr(server, how)()
        assert process_info(pid, "parent") is process_info(pid).parent is otp.self()

    as_process(main)


def test_an_unlinked_starter_is_shown_but_does_not_end_it(as_process):
    async def main():
        async def starts():
            started.append(await Trapping.start())

        class Trapping(Holder):
            def init(self, *state):
                otp.trap_exit()
                return super().init(*state)

        started = []
        starter, ref = otp.spawn_monitor(starts)
        assert (await receive())[1] is ref
        (pid,) = started
        assert process_info(pid, "parent") is starter
        send(pid, ("EXIT", starter, "bang"))
        assert await call(pid, "still there") == "still there"

    as_process(main)


def test_nobody_suspends_processes_but_sys(as_process):
    async def main():
        with pytest.raises(BadArg, match="'suspending' is no item"):
            process_info(otp.self(), "suspending")

    as_process(main)


class Slots:
    __slots__ = ("__private", "unset", "value")

    def __init__(self, value):
        self.value = self.__private = value


class MoreSlots(Slots):
    __slots__ = ("more",)


@pytest.mark.parametrize("wrap", [lambda v: v, Slots, MoreSlots, lambda v: {"a": (Slots(v),)}])
@pytest.mark.parametrize("server", [Holder, WaitingHolder, Machine, WaitingMachine])
def test_memory_counts_the_state_of_every_kind(as_process, server, wrap):
    async def main():
        little, much = [process_info(await server.start(wrap(b"x" * n))) for n in (1, 100_001)]
        assert 100_000 <= much.memory - little.memory < 101_000

    as_process(main)


def test_memory_runs_no_code_of_the_state(as_process):
    class Trap:
        def __getattribute__(self, name):
            raise AssertionError(name)

        def __sizeof__(self):
            raise AssertionError("size")

    class Greedy(list):
        def __iter__(self):
            raise AssertionError("iteration")

    async def main():
        pid = await Holder.start(Trap(), Greedy([b"x" * 100_000]))
        assert process_info(pid, "memory") > 100_000

    as_process(main)


def test_memory_believes_no_address(as_process):
    """Some extension types answer `__sizeof__` with an address (msgspec.Raw does)."""

    class Liar:
        def __sizeof__(self):
            return 0x7F31B5F1E130

    async def main():
        pid = await Holder.start(Liar(), b"x" * 100_000)
        assert 100_000 <= process_info(pid, "memory") < 110_000

    as_process(main)


def test_memory_leaves_code_to_itself(as_process):
    def handler():
        raise AssertionError

    handler.cache = b"x" * 1_000_000

    async def main():
        pid = await Holder.start(handler, pytest)
        assert process_info(pid, "memory") < 10_000

    as_process(main)
