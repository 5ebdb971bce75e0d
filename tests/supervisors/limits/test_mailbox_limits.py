"""Bounded mailboxes (DESIGN 2.4): each policy, for plain and async servers."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    GenServer,
    WarningReport,
    call,
    cast,
    limit_mailbox,
    receive,
    send,
    sys,
)
from supervisors import _limits as limits
from supervisors.testing import events


class Plain(GenServer):
    """State: what was seen. Bounded at its start."""

    def init(self, limit: int, policy: str) -> Any:
        limit_mailbox(limit, policy)
        otp.trap_exit()
        return "ok", []

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", len(state), [*state, request]

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "noreply", [*state, request]

    def handle_info(self, message: Any, state: Any) -> Any:
        return "noreply", [*state, message]


class Async(Plain):
    """The same as a task process."""

    async def handle_cast(self, request: Any, state: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return "noreply", [*state, request]


@pytest.fixture(params=[Plain, Async])
def server(request: pytest.FixtureRequest) -> type[GenServer]:
    return request.param


async def rest() -> None:
    await trio.testing.wait_all_tasks_blocked()


def test_refuse(as_process, server):
    async def main():
        pid = await server.start(3, "refuse")
        await rest()
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        for n in range(10):
            cast(pid, n)
        assert otp.process_info(pid).message_queue_len == 3
        if server is Async:
            with pytest.raises(CallExit) as refused:
                await call(pid, "call")
            assert refused.value.cause == "mailbox_full"
        else:  # a caller catches up with a plain server's mail instead of queueing behind it
            assert await call(pid, "call") == 3
        await rest()
        seen = await sys.get_state(pid)
        assert seen[:3] == [0, 1, 2]
        assert [type(r) for r in reports].count(WarningReport) == 1
        for n in range(3):
            cast(pid, n)
        await rest()
        assert len([r for r in reports if isinstance(r, WarningReport)]) == 1

    as_process(main)


def test_drop_oldest(as_process, server):
    async def main():
        pid = await server.start(3, "drop_oldest")
        await rest()
        for n in range(10):
            send(pid, n)
        await rest()
        assert await sys.get_state(pid) == [7, 8, 9]

    as_process(main)


def test_none_makes_room_like_any_message(as_process, server):
    async def main():
        pid = await server.start(3, "drop_oldest")
        await rest()
        post = cast if server is Plain else send  # what lies bare in its kind of mailbox
        for message in (None, 1, 2, 3):
            post(pid, message)
        await rest()
        assert await sys.get_state(pid) == [1, 2, 3]

    as_process(main)


def test_kill(as_process, server):
    async def main():
        pid = await server.start(3, "kill")
        await rest()
        ref = otp.monitor(pid)
        for n in range(10):
            cast(pid, n)
        assert (await receive(lambda m: m[1] is ref))[4] == ("mailbox_full", 3)

    as_process(main)


def test_a_dropped_call_is_an_exit_for_its_caller(as_process, server):
    async def main():
        pid = await server.start(2, "drop_oldest")
        await rest()
        await sys.suspend(pid)
        me = otp.self()

        async def caller(n: int) -> None:
            try:
                send(me, (n, await call(pid, n)))
            except CallExit as dropped:
                send(me, (n, dropped.cause))

        for n in range(3):
            otp.spawn(caller, n)
            await rest()
        assert await receive() == (0, "mailbox_full")
        await sys.resume(pid)
        assert sorted([await receive(), await receive()]) == [(1, 0), (2, 1)]

    as_process(main)


@pytest.mark.parametrize("policy", ["refuse", "drop_oldest"])
def test_what_the_kernel_sends_always_arrives(as_process, server, policy):
    async def main():
        pid = await server.start(2, policy)
        await rest()
        victim = otp.spawn(trio.sleep_forever)
        process = pid._process
        process.link_with(victim._process)
        await sys.suspend(pid)
        for n in range(10):
            cast(pid, n)
        otp.exit_signal(victim, "bang")
        await rest()
        assert await sys.get_state(pid) == []
        await sys.resume(pid)
        await rest()
        assert ("EXIT", victim, "bang") in await sys.get_state(pid)

    as_process(main)


@pytest.mark.parametrize("policy", ["refuse", "drop_oldest"])
@pytest.mark.parametrize("alias", [None, "explicit_unalias"])
@pytest.mark.parametrize("full", [0, 2])
def test_a_down_with_a_tag_of_its_own_always_arrives(as_process, policy, alias, full):
    async def main():
        limit_mailbox(2, policy)
        victim = otp.spawn(trio.sleep_forever)
        ref = otp.monitor(victim, tag="gone", alias=alias)
        for n in range(full):
            send(otp.self(), n)
        otp.exit_signal(victim, "bang")
        await rest()
        for n in range(5):
            send(otp.self(), n)
        assert await receive(lambda m: isinstance(m, tuple), timeout=1) == (
            "gone",
            ref,
            "process",
            victim,
            "bang",
        )

    as_process(main)


def test_a_raw_process_and_the_end_of_a_limit(as_process):
    async def main():
        limit_mailbox(2)
        for n in range(5):
            send(otp.self(), n)
        assert [await receive(), await receive()] == [0, 1]
        limit_mailbox(None)
        for n in range(5):
            send(otp.self(), n)
        assert otp.process_info(otp.self()).message_queue_len == 5

    as_process(main)


def test_bad_limits(as_process):
    async def main():
        for limit, policy in [(0, "refuse"), (True, "refuse"), (5, "explode")]:
            with pytest.raises(ValueError, match=r"must be|number of messages"):
                limit_mailbox(limit, policy)

    as_process(main)


def test_the_example_of_the_manual():
    assert doctest.testmod(limits).attempted > 0
    assert doctest.testmod(limits).failed == 0


def test_what_its_own_helpers_send_enters_a_full_mailbox(
    as_process: Any, server: type[GenServer]
) -> None:
    class Careful(server):  # type: ignore[misc,valid-type]
        def init(self) -> Any:
            limit_mailbox(2, "refuse", exempt=lambda message: message == "mine")
            return "ok", []

    async def body() -> None:
        pid = await Careful.start()
        await sys.suspend(pid)
        for word in ("a", "b", "mine", "c"):
            send(pid, word)
        cast(pid, "mine")
        await sys.resume(pid)
        await rest()
        assert await sys.get_state(pid) == ["a", "b", "mine", "mine"]

    as_process(body)


def test_exempt_has_no_meaning_where_the_oldest_goes(as_process: Any) -> None:
    async def body() -> None:
        with pytest.raises(ValueError, match="drop_oldest"):
            limit_mailbox(2, "drop_oldest", exempt=bool)

    as_process(body)


@pytest.mark.parametrize("ask", [call, otp.send_request])
def test_exempt_that_raises_is_reported_and_harms_no_sender(as_process: Any, ask: Any) -> None:
    def exempt(message: Any) -> bool:
        raise ValueError("cannot say")

    class Full(GenServer):
        def init(self) -> Any:
            limit_mailbox(1, exempt=exempt)
            return "ok", None

        def handle_cast(self, request: Any, state: Any) -> Any:
            return "noreply", state

    async def main() -> None:
        pid = await Full.start()
        await sys.suspend(pid)
        with events() as seen:
            cast(pid, 1)
            cast(pid, 2)
            if ask is call:
                with pytest.raises(CallExit, match="mailbox_full"):
                    await call(pid, "?")
            else:
                request = ask(pid, "?")
                assert await receive() == ("$error", request, "mailbox_full")
            otp.exit_signal(pid, "kill")
            await rest()
        (report,) = [r for r in seen.of(otp.WarningReport) if "exempt" in r.text]
        assert report.details == {"error": "ValueError: cannot say"}

    as_process(main)
