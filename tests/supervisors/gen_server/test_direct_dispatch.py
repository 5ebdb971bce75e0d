"""Direct dispatch (DESIGN 2.2) is invisible: same order, same replies, same ends as a mailbox.

A traced server is never entered by its callers, so every program is run twice, once with
the servers as they are and once traced, and what was observed must be the same.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import supervisors as otp
from supervisors import CallExit, GenServer, call, cast, send
from supervisors._cell import BUDGET

SERVERS = 3

target = st.integers(0, SERVERS - 1)
commands = st.one_of(
    st.tuples(st.sampled_from(["cast", "call", "send"]), target, st.just("note")),
    st.tuples(st.sampled_from(["cast", "call", "send"]), target, st.just("crash")),
    st.tuples(st.sampled_from(["cast", "call", "send"]), target, st.just("stop")),
    st.tuples(
        st.sampled_from(["cast", "call", "send"]), target, st.tuples(st.just("pass"), target)
    ),
    st.tuples(
        st.sampled_from(["cast", "call", "send"]), target, st.tuples(st.just("kill"), target)
    ),
    st.tuples(st.just("call"), target, st.sampled_from(["early", "early_crash", "nothing"])),
    st.tuples(st.just("yield"), target, st.none()),
)


class Node(GenServer):
    """Logs what it handles; state: (number, log, pids)."""

    def init(self, number: int, log: list[Any], pids: list[otp.Pid]) -> Any:
        return "ok", (number, log, pids)

    def act(self, what: Any, state: Any) -> None:
        number, log, pids = state
        log.append((number, what))
        match what:
            case "crash":
                raise ValueError("told to")
            case ("pass", other):
                cast(pids[other], ("from", number))
                send(pids[other], ("info from", number))
            case ("kill", other):
                otp.exit_signal(pids[other], "killed by a neighbour")

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        number, what = request
        if what in ("early", "early_crash"):
            otp.reply(from_, ("early", number))
        self.act("crash" if what == "early_crash" else ("call", number, what), state)
        if isinstance(what, tuple) or what == "crash":
            self.act(what, state)
        if what == "stop":
            return "stop", "told to", "stopping", state
        if what in ("early", "nothing"):
            return "noreply", state
        return "reply", ("replied", number), state

    def handle_cast(self, request: Any, state: Any) -> Any:
        self.act(("cast", request), state)
        what = request[1] if isinstance(request, tuple) else request
        if isinstance(what, tuple) or what == "crash":
            self.act(what, state)
        if what == "stop":
            return "stop", "told to", state
        return "noreply", state

    def handle_info(self, message: Any, state: Any) -> Any:
        self.act(("info", message), state)
        what = message[1] if isinstance(message, tuple) else message
        if isinstance(what, tuple) or what == "crash":
            self.act(what, state)
        if what == "stop":
            return "stop", "told to", state
        return "noreply", state

    def terminate(self, reason: Any, state: Any) -> None:
        number, log, _ = state
        log.append((number, "terminate", otp.format_reason(reason)))


class AsyncNode(Node):
    """The same with async callbacks, which wait in one of three ways, or not at all."""

    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        step, _ = request
        match step % 4:
            case 0:
                await trio.sleep(0.01)
            case 1:
                await trio.lowlevel.checkpoint()
            case 2:
                with trio.move_on_after(0):
                    await trio.sleep_forever()
        assert otp.self() is state[2][state[0]]
        return Node.handle_call(self, request, from_, state)


def observe(
    cls: type[Node], program: list[Any], *, traced: bool
) -> tuple[dict[int, list[Any]], list[Any], list[Any]]:
    """Each server's log, the client's replies, and how the servers ended up."""

    async def main() -> Any:
        log: list[Any] = []
        pids: list[otp.Pid] = []
        for number in range(SERVERS):
            pids.append(await cls.start(number, log, pids))
            if traced:
                otp.sys.trace(pids[-1], lambda event: None)
        replies: list[Any] = []
        for step, (how, index, what) in enumerate(program):
            pid = pids[index]
            match how:
                case "cast":
                    cast(pid, (step, what))
                case "send":
                    send(pid, (step, what))
                case "call":
                    try:
                        replies.append(await call(pid, (step, what), timeout=1))
                    except CallExit as failed:
                        replies.append(otp.format_reason(failed.cause))
                case "yield":
                    await trio.testing.wait_all_tasks_blocked()
        await trio.testing.wait_all_tasks_blocked()
        by_server = {n: [entry[1:] for entry in log if entry[0] == n] for n in range(SERVERS)}
        return by_server, replies, [otp.is_alive(pid) for pid in pids]

    return otp.run(main, clock=MockClock(autojump_threshold=0))


def sender_of(entry: tuple[Any, ...]) -> Any:
    """Who sent what a log entry is about: the client, or the number of a server."""
    match entry:
        case (("cast", ("from", number)),) | (("info", ("info from", number)),):
            return number
    return "client"


def promised(cls: type[Node], program: list[Any], *, traced: bool) -> Any:
    """What must not depend on the way in: the order of each sender's messages at each
    server (P1), the replies, and who lives. Messages of others to a server that dies may
    come before or after its death, and a caller may find it dying or dead."""
    logs, replies, alive = observe(cls, program, traced=traced)
    streams: dict[Any, list[Any]] = {}
    for number, log in logs.items():
        for entry in log:
            sender = sender_of(entry)
            if sender == "client" or alive[number]:
                streams.setdefault((sender, number), []).append(entry)
    return streams, [r if isinstance(r, tuple) else "failed" for r in replies], alive


@pytest.mark.parametrize("cls", [Node, AsyncNode])
@given(program=st.lists(commands, max_size=12))
def test_entering_a_server_is_like_queueing(cls: type[Node], program: list[Any]) -> None:
    if any(isinstance(what, tuple) and what[0] == "kill" for _, _, what in program):
        # A signal overtakes what other processes have queued: wait after every step.
        program = [part for step in program for part in (step, ("yield", 0, None))]
    assert promised(cls, program, traced=False) == promised(cls, program, traced=True)


def test_a_caller_that_never_waits_still_lets_others_run(as_process: Any) -> None:
    """Fairness: a checkpoint at least once in a budget of calls (P17)."""

    async def main() -> None:
        server = await Node.start(0, [], [])
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.lowlevel.checkpoint()

        otp.spawn(other)
        for step in range(BUDGET * 5):
            await call(server, (step, "note"))
        assert turns >= 4

    as_process(main)


def test_a_caller_in_a_loop_can_be_cancelled_and_killed(as_process: Any) -> None:
    async def main() -> None:
        server = await Node.start(0, [], [])

        async def loop() -> None:
            while True:
                await call(server, (0, "note"))

        pid, ref = otp.spawn_monitor(loop)
        otp.send_after(0, otp.self(), "go")
        await otp.receive(lambda m: m == "go")
        otp.exit_signal(pid, "enough")
        assert (await otp.receive(lambda m: m[1] is ref))[4] == "enough"

    as_process(main)


def test_a_flood_is_served_in_turns(as_process: Any) -> None:
    """A server with a full mailbox does not keep its neighbour from its mail."""

    async def main() -> None:
        log: list[Any] = []
        flooded = await Node.start(0, log, [])
        neighbour = await Node.start(1, log, [])
        for step in range(BUDGET * 10):
            cast(flooded, (step, "note"))
        cast(neighbour, (0, "note"))
        assert await call(flooded, (0, "note"), timeout=60) == ("replied", 0)
        served = [number for number, *_ in log]
        assert served.index(1) <= BUDGET
        assert served.count(0) == BUDGET * 10 + 1

    as_process(main)


def test_a_server_in_the_middle_of_a_direct_call_queues_what_it_sends_itself(
    as_process: Any,
) -> None:
    class Talks(GenServer):
        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            cast(otp.self(), "to myself")
            return "reply", otp.process_info(otp.self()).message_queue_len, state

        def handle_cast(self, request: Any, state: Any) -> Any:
            return "noreply", request

    async def main() -> None:
        pid = await Talks.start()
        assert await call(pid, "x") == 1
        assert await otp.sys.get_state(pid) is None
        await trio.testing.wait_all_tasks_blocked()
        assert await otp.sys.get_state(pid) == "to myself"

    as_process(main)


def test_a_signal_during_a_direct_call_takes_effect_after_it(as_process: Any) -> None:
    class Doomed(GenServer):
        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            otp.exit_signal(otp.self(), request)
            return "reply", "still answered", state

    async def main() -> None:
        pid = await Doomed.start()
        ref = otp.monitor(pid)
        assert await call(pid, "bang") == "still answered"
        assert (await otp.receive(lambda m: m[1] is ref))[4] == "bang"

    as_process(main)
