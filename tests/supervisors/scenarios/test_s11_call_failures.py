"""S11: how calls fail, and requests that are not waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, GenServer, Pid

from .harness import Scenario, drain, golden, play
from .terms import ErlangError


class PlainWorker(GenServer):
    """Fails in every way a callback can."""

    def init(self, scenario: Scenario) -> Any:
        return "ok", scenario

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        match request:
            case "stop_noreply":
                return "stop", "normal", state
            case "stop_reply":
                return "stop", "because", "answered", state
            case ("exit", reason):
                raise otp.Exit(reason)
            case ("error", reason):
                raise ErlangError(reason)
            case ("throw", ("reply", value, _)):
                raise otp.Throw(("reply", value, state))
            case ("bad", "return"):
                return "not_a_reply"
            case "reply_then_crash":
                otp.reply(from_, "early")
                raise ErlangError("later")
        assert request == "delegate"
        otp.spawn(helps, from_)
        return "noreply", state

    def terminate(self, reason: Any, scenario: Scenario) -> None:
        scenario.event("srv", "terminate", reason)


async def helps(from_: Any) -> None:
    otp.reply(from_, "from_helper")


class Worker(PlainWorker):
    """The same, able to sleep."""

    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        match request:
            case ("sleep", seconds):
                await trio.sleep(seconds)
                return "reply", "slept", state
        return super().handle_call(request, from_, state)


FAILURES: list[Any] = [
    "stop_noreply",
    "stop_reply",
    ("exit", "bad"),
    ("error", "bad"),
    ("throw", ("reply", "thrown", "s")),
    ("bad", "return"),
    "reply_then_crash",
]


async def s11(s: Scenario) -> None:
    """Nobody, oneself, too late, and all the endings of a callback."""

    async def start(server: type[PlainWorker] = Worker) -> Pid:
        return s.name(await server.start(s), "srv")

    async def caught(arguments: int, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return "returned", await call()
        except CallExit as gone:
            return "exit", gone.cause, ("call", arguments)

    s.event("obs", "noproc", await caught(2, lambda: otp.call("nobody", "x")))
    s.event("obs", "self", await caught(2, lambda: otp.call(otp.self(), "x")))
    server = await start()
    s.event("obs", "timeout", await caught(3, lambda: otp.call(server, ("sleep", 0.06), 0.02)))
    await trio.sleep(0.12)
    s.event("obs", "late_reply", await drain())
    s.event("obs", "server_alive", otp.is_alive(server))
    for request in FAILURES:
        pid = await start(PlainWorker)
        outcome = await caught(2, lambda pid=pid, request=request: otp.call(pid, request))
        s.lines.append(s._line(_text(s, request), "", outcome).replace("  ", " "))
    doomed = await start()

    async def kills() -> None:
        await trio.sleep(0.03)
        otp.exit(doomed, "kill")

    otp.spawn(kills)
    s.event("obs", "killed", await caught(2, lambda: otp.call(doomed, ("sleep", 0.5))))
    lasting = await start()
    s.event("obs", "delegated", await otp.call(lasting, "delegate"))
    response = await otp.receive_response(otp.send_request("nobody", "x"), 0.1)
    s.event("obs", "send_request_noproc", response)
    request = otp.send_request(lasting, ("sleep", 0.06))
    s.event("obs", "receive_response_timeout", await otp.receive_response(request, 0.01))
    await trio.sleep(0.1)
    s.event("obs", "left", await drain())


def _text(s: Scenario, request: Any) -> str:
    return s._line("obs", "", request).replace("  ", " ")


@pytest.mark.otp("gen_server", "call")
@pytest.mark.otp("gen_server", "crash")
@pytest.mark.otp("gen_server", "calling_self")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s11) == golden("s11_call_failures")
