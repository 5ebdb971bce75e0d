"""The caller's side: what a call costs and where a reply finds it (gen_server_SUITE)."""

from __future__ import annotations

import gc
import sys as python
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, From, GenServer, call, receive, send


class Echo(GenServer):
    def handle_call(self, request: Any, from_: From, state: Any) -> Any:
        match request:
            case ("delegate", pid, payload):
                send(pid, (from_, payload))
                return "noreply", state
        return "reply", request, state


class AsyncEcho(Echo):
    async def handle_call(self, request: Any, from_: From, state: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return super().handle_call(request, from_, state)


# --- call -----------------------------------------------------------------------------------


async def steps(action: Callable[[], Awaitable[Any]]) -> int:
    """How many functions run until `action` is done, in all tasks."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()
    python.setprofile(profile)
    try:
        await action()
    finally:
        python.setprofile(None)
        gc.enable()
    return count


@pytest.mark.otp("gen_server", "call_with_huge_message_queue")
@pytest.mark.parametrize("server", [Echo, AsyncEcho])
def test_a_call_does_not_look_at_the_callers_mailbox(as_process, server: Any) -> None:
    async def main() -> None:
        pid = await server.start()

        async def calls() -> None:
            for _ in range(10):
                assert await call(pid, "hello") == "hello"
            with pytest.raises(CallExit):
                await call(pid, ("delegate", pid, "nobody answers"), 1)

        await calls()
        short = await steps(calls)
        for number in range(10_000):
            send(otp.self(), number)
        long = await steps(calls)
        assert long - short < 1000
        assert [await receive() for _ in range(10_000)] == list(range(10_000))

    as_process(main)


# --- reply ----------------------------------------------------------------------------------


@pytest.mark.otp("gen_server", "reply_by_alias_with_payload")
@pytest.mark.parametrize("server", [Echo, AsyncEcho])
def test_a_reply_finds_its_caller_from_anywhere_once_and_only_while_it_waits(
    as_process, server: Any
) -> None:
    async def delegate() -> None:
        while True:
            from_, payload = await receive()
            await trio.sleep(2)
            otp.reply(from_, ("answered", payload))
            otp.reply(from_, "again")

    async def main() -> None:
        pid, other = await server.start(), otp.spawn(delegate)
        asked = ("delegate", other, ["any", {"payload": 1}])
        assert await call(pid, asked) == ("answered", asked[2])
        request = otp.send_request(pid, asked)
        assert await otp.receive_response(request) == ("reply", ("answered", asked[2]))
        with pytest.raises(CallExit):
            await call(pid, asked, 1)
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=10)  # neither a late reply nor a second one

    as_process(main)
