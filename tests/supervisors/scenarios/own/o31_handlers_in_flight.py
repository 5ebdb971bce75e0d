"""O31, 1.4: requests to event handlers without waiting; code change of one module's handlers."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import GenEvent, gen_event, reqids_add, reqids_new, sys

from ..harness import Scenario, drain

OTP: list[tuple[str, str]] = []


class Handler(GenEvent):
    def init(self, args: Any) -> Any:
        return "ok", args

    def handle_event(self, event: Any, state: Any) -> Any:
        return "ok", state

    def handle_call(self, request: Any, state: Any) -> Any:
        if request == "leave":
            return "remove_handler", "bye"
        return "ok", (request, state[1]), state

    def terminate(self, argument: Any, state: Any) -> None:
        scenario, name = state
        scenario.event("handler", "terminate", (argument, name))

    def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        scenario, name = state
        return "ok", (scenario, (name, old_vsn, extra))


class Nobody(Handler):
    """Not installed."""


async def run(s: Scenario) -> None:
    """Answers, time-outs, collections, ends."""
    pid = s.name(await gen_event.start(), "events")
    await gen_event.add_handler(pid, Handler, (s, "one"))
    await gen_event.add_handler(pid, (Handler, 2), (s, "two"))

    async def asked(handler: Any, request: str) -> Any:
        return await gen_event.receive_response(gen_event.send_request(pid, handler, request), 1)

    s.event("obs", "answered", await asked((Handler, 2), "hi"))
    s.event("obs", "missing", await asked((Handler, 3), "hi"))
    s.event("obs", "leaving", await asked((Handler, 2), "leave"))
    left = ["o31_handlers_in_flight" for _ in await gen_event.which_handlers(pid)]
    s.event("obs", "left", left)
    await sys.suspend(pid)
    patient = gen_event.send_request(pid, Handler, "hi")
    impatient = gen_event.send_request(pid, Handler, "hi")
    s.event("obs", "patient", await gen_event.wait_response(patient, 0.02))
    s.event("obs", "impatient", await gen_event.receive_response(impatient, 0.02))
    await sys.change_code(pid, Handler, 1, "x")
    s.event("obs", "change", "ok")
    await sys.change_code(pid, Nobody, 1, "x")
    s.event("obs", "stranger", "ok")
    await sys.resume(pid)
    s.event("obs", "later", await gen_event.wait_response(patient, 1))
    s.event("obs", "dropped", await drain())
    requests = reqids_new()
    reqids_add(gen_event.send_request(pid, Handler, "hi"), "first", requests)
    reqids_add(gen_event.send_request(pid, Nobody, "hi"), "second", requests)
    collected = []
    while (got := await gen_event.receive_response(requests, 1, delete=True)) != "no_request":
        assert not isinstance(got, str)
        response, label, _ = got
        collected.append((label, response))
    s.event("obs", "collected", sorted(collected))
    await sys.suspend(pid)
    request = gen_event.send_request(pid, Handler, "hi")
    otp.exit_signal(pid, "kill")
    s.event("obs", "killed", await gen_event.receive_response(request, 1))
    s.event("obs", "dead", await asked(Handler, "hi"))
