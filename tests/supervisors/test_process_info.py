"""`process_info`: what is shown of a process."""

from __future__ import annotations

import trio

import supervisors as otp
from supervisors import GenServer, call, cast, process_info, receive, send, spawn


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
