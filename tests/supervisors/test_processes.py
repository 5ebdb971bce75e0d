"""Processes, exit signals, links, monitors, names, timers: rules P1-P16."""

from __future__ import annotations

import copy
import pickle
from contextvars import ContextVar
from itertools import pairwise

import pytest
import trio

import supervisors as otp
from supervisors import (
    BadArg,
    CrashReport,
    Exit,
    NoProc,
    Pid,
    Throw,
    exit_signal,
    link,
    monitor,
    receive,
    self,
    send,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
)


async def forever() -> None:
    await trio.sleep_forever()


async def down_of(ref: object) -> object:
    message = await receive(lambda m: m[0] == "DOWN" and m[1] is ref)
    return message[4]


def test_a_pid_is_a_value(as_process):
    async def main():
        pid = spawn(forever)
        assert pickle.loads(pickle.dumps(pid)) is pid
        assert copy.deepcopy(pid) is pid
        assert str(pid) == f"<node.{pid.id}.{pid.serial}>"
        assert otp.split_pid(str(pid)) == (pid.node, pid.id, pid.serial)
        assert self() < pid <= pid
        assert len({pid, self(), pid}) == 2

    as_process(main)


def test_a_dead_pid_comes_back_from_a_pickle_as_itself(as_process):
    async def main():
        pid, ref = spawn_monitor(forever)
        data = pickle.dumps(pid)
        exit_signal(pid, "kill")
        await down_of(ref)
        assert pickle.loads(data) is pid
        assert not otp.is_alive(pid)

    as_process(main)


@pytest.mark.parametrize("text", ["", "<>", "12", "<a.b.c>", "node.1", "<node.1.>"])
def test_text_that_is_no_pid_is_refused(text):
    with pytest.raises(ValueError, match="is not a pid"):
        otp.split_pid(text)


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


def test_spawn_monitor_notices_an_immediate_end(as_process):
    """P2."""

    async def main():
        async def nothing() -> None:
            pass

        _, ref = spawn_monitor(nothing)
        assert await down_of(ref) == "normal"

    as_process(main)


def test_reasons_of_ends(as_process):
    """P3: return, exit, error, throw; only the abnormal ones are reported."""

    async def main():
        reports: list[CrashReport] = []
        otp.current_runtime().subscribe(
            lambda r: reports.append(r) if isinstance(r, CrashReport) else None
        )

        async def ends(error: Exception | None) -> None:
            if error is not None:
                raise error

        async def reason(error: Exception | None) -> object:
            return await down_of(spawn_monitor(ends, error)[1])

        assert await reason(None) == "normal"
        assert await reason(Exit("out")) == "out"
        assert await reason(Exit(("shutdown", 1))) == ("shutdown", 1)
        boom = ValueError("boom")
        error, stack = await reason(boom)
        assert error is boom
        assert boom.__traceback__ is None
        assert "ends" in str(stack)
        (tag, stack) = await reason(Throw("ball"))
        assert tag == ("nocatch", "ball")
        assert [r.kind for r in reports] == ["exit", "error", "throw"]
        assert reports[0].reason == "out"
        assert reports[1].initial_call.endswith("ends")

    as_process(main)


def test_a_single_error_in_a_nursery_is_the_reason(as_process):
    async def main():
        async def fails() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(forever)
                raise Exit("inner")

        assert await down_of(spawn_monitor(fails)[1]) == "inner"

    as_process(main)


def test_links_are_one_symmetric_and_removable(as_process):
    """P5."""

    async def main():
        pid = spawn(forever)
        link(pid)
        link(pid)
        link(self())
        assert otp.process_info(pid).links == (self(),)
        otp.unlink(pid)
        assert otp.process_info(pid).links == ()
        assert otp.process_info(self()).links == ()
        exit_signal(pid, "bang")
        await otp.yield_()

    as_process(main)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("bang", "bang"), ("shutdown", "shutdown"), (("shutdown", 1), ("shutdown", 1))],
)
def test_exits_run_along_links_with_the_original_reason(as_process, reason, expected):
    """P6: `shutdown` kills the linked too."""

    async def main():
        async def linked_to(depth: int) -> None:
            if depth:
                spawn_link(linked_to, depth - 1)
                await forever()
            raise Exit(reason)

        assert await down_of(spawn_monitor(linked_to, 3)[1]) == expected

    as_process(main)


def test_a_normal_end_stops_at_the_first_link(as_process):
    async def main():
        async def ends() -> None:
            pass

        async def parent() -> None:
            spawn_link(ends)
            await receive(timeout=1)

        with pytest.raises(trio.TooSlowError):
            raise (await down_of(spawn_monitor(parent)[1]))[0]

    as_process(main)


def test_ten_thousand_linked_servers_die_without_recursion(as_process):
    class Idle(otp.GenServer):
        def handle_cast(self, pid, state):
            link(pid)
            return "noreply", state

    async def main():
        pids = [await Idle.start() for _ in range(10_000)]
        for left, right in pairwise(pids):
            otp.cast(left, right)
        ref = monitor(pids[-1])
        await otp.yield_()
        while otp.process_info(pids[-2]).message_queue_len:
            await otp.yield_()
        exit_signal(pids[0], "domino")
        assert await down_of(ref) == "domino"
        assert not any(otp.is_alive(p) for p in pids)

    as_process(main)


def test_linking_the_dead(as_process):
    """P7."""

    async def main():
        pid, ref = spawn_monitor(forever)
        exit_signal(pid, "kill")
        await down_of(ref)
        with pytest.raises(NoProc):
            link(pid)
        trap_exit()
        link(pid)
        assert await receive(timeout=0) == ("EXIT", pid, "noproc")

    as_process(main)


def test_monitors_are_independent_and_fire_once(as_process):
    """P9, P10."""

    async def main():
        pid = spawn(forever)
        otp.register("target", pid)
        first, second, named, gone = monitor(pid), monitor(pid), monitor("target"), monitor(pid)
        assert otp.demonitor(gone) is True
        exit_signal(pid, "kill")
        downs = {m[1]: m for m in [await receive() for _ in range(3)]}
        assert downs[first] == ("DOWN", first, "process", pid, "killed")
        assert downs[second][4] == "killed"
        assert downs[named][3] == ("target", "node")
        assert otp.demonitor(first, info=True) is False
        assert otp.demonitor(first) is True
        late = monitor(pid)
        assert otp.demonitor(late, flush=True, info=True) is False
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=0)
        assert (await down_of(monitor("nobody"))) == "noproc"

    as_process(main)


def test_names_are_free_before_anyone_hears_of_the_end(as_process):
    """P11, for a task process and for a callback process."""

    class Named(otp.GenServer):
        pass

    async def main():
        for pid in (spawn(forever), await Named.start()):
            otp.register("name", pid)
            ref = monitor(pid)
            exit_signal(pid, "kill")
            await receive(lambda m, ref=ref: m[1] is ref)
            assert otp.whereis("name") is None

    as_process(main)


def test_resources_of_a_killed_coroutine_are_released_before_its_end_is_heard(as_process):
    """P11: a `finally` block is how Python releases what a process holds."""

    async def main():
        log: list[str] = []
        me = self()

        async def holder() -> None:
            try:
                send(me, "holding")
                await forever()
            finally:
                log.append("released")

        pid, ref = spawn_monitor(holder)
        assert await receive() == "holding"
        exit_signal(pid, "kill")
        assert not otp.is_alive(pid)
        assert await down_of(ref) == "killed"
        assert log == ["released"]

    as_process(main)


def test_sends_to_the_dead_and_the_unknown(as_process):
    """P12."""

    async def main():
        pid, ref = spawn_monitor(forever)
        exit_signal(pid, "kill")
        await down_of(ref)
        send(pid, "silent")
        with pytest.raises(BadArg, match="nobody"):
            send("nobody", "loud")

    as_process(main)


def test_register_refuses(as_process):
    """P13."""

    async def main():
        pid = spawn(forever)
        otp.register("a", pid)
        assert otp.whereis("a") is pid
        for name, target in [("a", self()), ("b", pid), ("undefined", self()), ("", self())]:
            with pytest.raises(BadArg):
                otp.register(name, target)
        otp.unregister("a")
        assert otp.whereis("a") is None
        with pytest.raises(BadArg):
            otp.unregister("a")
        exit_signal(pid, "kill")
        with pytest.raises(BadArg, match="dead"):
            otp.register("c", pid)

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


def test_timers(as_process):
    """P16."""

    async def main():
        timer = otp.send_after(5, self(), "tick")
        await trio.sleep(2)
        assert otp.cancel_timer(timer) == pytest.approx(3)
        assert otp.cancel_timer(timer) is None
        otp.send_after(1, "later", "resolved when it fires")
        otp.send_after(1, "nobody", "dropped")
        otp.register("later", self())
        assert await receive() == "resolved when it fires"
        for delay in (3, 1, 2):
            otp.send_after(delay, self(), delay)
        assert [await receive() for _ in range(3)] == [1, 2, 3]

    as_process(main)


def test_cancelled_timers_do_not_pile_up(as_process):
    async def main():
        timers = otp.current_runtime().timers
        for _ in range(10_000):
            otp.cancel_timer(otp.send_after(60, self(), "never"))
        assert len(timers) == 0
        assert len(timers._heap) < 200

    as_process(main)


def test_killed_before_its_first_step(as_process):
    async def main():
        ran: list[int] = []

        async def child() -> None:
            ran.append(1)

        pid, ref = spawn_monitor(child)
        exit_signal(pid, "kill")
        assert await down_of(ref) == "killed"
        assert ran == []

    as_process(main)


def test_self_needs_a_process_and_spawn_needs_a_coroutine(as_process):
    with pytest.raises(RuntimeError, match="inside a process"):
        self()

    async def main():
        with pytest.raises(TypeError, match="async function"):
            spawn(len)

    as_process(main)


def test_a_subscriber_that_raises_is_dropped_and_the_others_are_told(as_process, capsys):
    async def main():
        seen: list[object] = []

        def bad(report: object) -> None:
            raise KeyError("bad")

        runtime = otp.current_runtime()
        runtime.subscribe(bad)
        stop = runtime.subscribe(seen.append)

        async def crash() -> None:
            raise Exit("x")

        for _ in range(2):
            _, ref = spawn_monitor(crash)
            await down_of(ref)
        assert [type(r).__name__ for r in seen].count("CrashReport") == 2
        assert [type(r).__name__ for r in seen].count("WarningReport") == 1
        stop()

    as_process(main)
    assert "bad" in capsys.readouterr().err


def test_closing_the_runtime_kills_what_is_left():
    async def main() -> Pid:
        async with otp.Runtime() as runtime:
            pid = spawn(forever)
            await trio.lowlevel.checkpoint()
            assert runtime.processes() == [pid]
        assert not otp.is_alive(pid)
        return pid

    trio.run(main)


def test_run_raises_what_main_raised():
    async def main() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        otp.run(main)

    async def killed() -> None:
        exit_signal(self(), "enough")

    with pytest.raises(Exit) as caught:
        otp.run(killed)
    assert caught.value.reason == "enough"


def test_run_leaves_the_collector_as_it_found_it():
    import gc

    async def main() -> int:
        return gc.get_threshold()[0]

    before = gc.get_threshold()
    assert otp.run(main) == 10_000
    assert gc.get_threshold() == before
    gc.set_threshold(123, *before[1:])
    try:
        assert otp.run(main) == 123
    finally:
        gc.set_threshold(*before)


class Sleeper(otp.GenServer):
    def init(self):
        return "ok", otp.send_after(3600, otp.self(), "much later")


class Machine(otp.GenStateMachine):
    def callback_mode(self):
        return "handle_event_function"

    def init(self):
        return "ok", "waiting", None, [("state_timeout", 3600, "much later")]


@pytest.mark.parametrize("server", [Sleeper, Machine])
def test_the_timers_of_the_dead_do_not_pile_up(as_process, server):
    async def main():
        timers = otp.current_runtime().timers
        stays = [await server.start() for _ in range(100)]
        for _ in range(2_000):
            exit_signal(await server.start(), "kill")
            assert len(timers) <= 2 * len(stays) + 1
        await trio.sleep(3601)
        assert len(timers) == 0

    as_process(main)


def test_a_timer_ends_with_its_process(as_process):
    async def main():
        pid = spawn(forever)
        first, second = (otp.send_after(60, pid, n) for n in range(2))
        assert otp.read_timer(first) == pytest.approx(60)
        await trio.testing.wait_all_tasks_blocked()
        exit_signal(pid, "kill")
        await trio.testing.wait_all_tasks_blocked()
        assert otp.read_timer(first) is None
        assert otp.cancel_timer(second) is None

    as_process(main)
