"""O46, G16: answers to requests, one by one and from collections."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import GenServer, RequestIds, Stack

from ..harness import Scenario, drain
from ..terms import ErlangError

OTP = [
    ("gen_server", "send_request"),
    ("gen_server", "send_request_receive_reqid_collection"),
    ("gen_server", "send_request_wait_reqid_collection"),
    ("gen_server", "send_request_check_reqid_collection"),
]


async def replies(delay: float, from_: Any, value: Any) -> None:
    await trio.sleep(delay)
    otp.reply(from_, value)


class Worker(GenServer):
    """Answers later, at once, or never."""

    def init(self) -> Any:
        return "ok", None

    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        match request:
            case ("after", delay, value):
                otp.spawn(replies, delay, from_, value)
                return "noreply", state
            case "now":
                return "reply", "at_once", state
        await trio.sleep(0.02)
        raise ErlangError("crashed")


def short(response: Any) -> Any:
    match response:
        case (("error", (reason, server)), label, RequestIds()):
            return "error", bare(reason), server, label
        case ("error", (reason, server)):
            return "error", bare(reason), server
    return response


def bare(reason: Any) -> Any:
    return reason[0] if isinstance(reason, tuple) and isinstance(reason[1], Stack) else reason


async def run(s: Scenario) -> None:
    """Waited for, given up, checked; three at once; nobody; too late."""
    otp.trap_exit()
    pid = s.name(await Worker.start(), "srv")
    first = otp.send_request(pid, ("after", 0.04, "a"))
    s.event("obs", "wait", await otp.wait_response(first, 0.01))
    s.event("obs", "wait", await otp.wait_response(first, 0.1))
    second = otp.send_request(pid, ("after", 0.04, "b"))
    s.event("obs", "give_up", await otp.receive_response(second, 0.01))
    await trio.sleep(0.06)
    s.event("obs", "mailbox", await drain())
    third = otp.send_request(pid, "now")
    await trio.sleep(0.02)
    message = await otp.receive()
    s.event(
        "obs", "check", (otp.check_response("hello", third), otp.check_response(message, third))
    )
    none = otp.reqids_new()
    nothing = await otp.receive_response(none, 0.01, delete=True)
    s.event("obs", "empty", (otp.reqids_size(none), nothing))
    requests = otp.reqids_new()
    for request, label in ((("after", 0.06, "slow"), "one"), ("now", "two"), ("crash", "three")):
        otp.reqids_add(otp.send_request(pid, request), label, requests)
    s.event("obs", "size", otp.reqids_size(requests))
    await trio.sleep(0.01)
    while (got := await otp.receive_response(requests, 0.2, delete=True)) != "no_request":
        response, label, requests = got
        s.event("obs", label, (short(response), otp.reqids_size(requests)))
    s.event("obs", "no_more", "ok")
    gone = otp.reqids_add(otp.send_request("nobody", "x"), "gone", otp.reqids_new())
    s.event("obs", "noproc", short(await otp.wait_response(gone, 0.01, delete=False)))
    other = s.name(await Worker.start(), "srv2")
    late = otp.reqids_new()
    otp.reqids_add(otp.send_request(other, ("after", 0.05, "late")), "late", late)
    s.event("obs", "nothing_yet", await otp.wait_response(late, 0.01, delete=True))
    s.event("obs", "given_up", await otp.receive_response(late, 0.01, delete=True))
    await trio.sleep(0.06)
    s.event("obs", "mailbox", await drain())
