"""O28, 1.2: start_monitor; whose DOWN is there after a start that failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import Exit, GenServer, GenStateMachine, Ref, gen_event, proc_lib

from ..harness import Scenario, drain

OTP = [
    ("proc_lib", "sync_start_monitor"),
    ("proc_lib", "sync_start_monitor_link"),
    ("gen_statem", "start12"),
]

Body = Callable[[], Awaitable[None]]


class Server(GenServer):
    def init(self, answer: Any) -> Any:
        return answer

    def handle_continue(self, term: Any, state: Any) -> Any:
        return "stop", term, state


class Machine(GenStateMachine):
    def callback_mode(self) -> Any:
        return "handle_event_function"

    def init(self, answer: Any) -> Any:
        return answer

    def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        return "keep_state_and_data"


async def run(s: Scenario) -> None:
    """Ends, failures, time-outs; servers, machines and managers."""
    otp.trap_exit()

    async def serve() -> None:
        proc_lib.init_ack()
        await otp.receive(lambda message: message == "stop")

    async def ends_at_once() -> None:
        proc_lib.init_ack()
        raise Exit("shutdown")

    async def fails() -> None:
        raise Exit(("shutdown", "no_disk"))

    async def returns() -> None:
        pass

    async def ignored() -> None:
        proc_lib.init_ignore()

    for what, body in (
        ("serves", serve),
        ("ends_at_once", ends_at_once),
        ("fails", fails),
        ("returns", returns),
        ("ignored", ignored),
    ):
        s.event("obs", what, await started(s, what, body))
    s.event("obs", "late", await started(s, "late", trio.sleep_forever, timeout=0.05))
    pid, ref = await proc_lib.start_monitor(serve, link=True)
    otp.send(pid, "stop")
    s.event("obs", "linked", [await down(ref), ("EXIT", await s.exit_of(pid))])
    behaviours = (("gen_server", Server, ("ok", "s")), ("gen_statem", Machine, ("ok", "a", "d")))
    for name, behaviour, init in behaviours:
        pid, ref = await behaviour.start_monitor(init, name=name)  # type: ignore[attr-defined]
        s.name(pid, name)
        s.event("obs", "taken", await refused(behaviour, init, name=name))
        otp.exit_signal(pid, "kill")
        s.event("obs", name, await down(ref))
    for init in (("stop", "shutdown"), "ignore"):
        s.event("obs", "refused", await refused(Server, init))
    pid, ref = await Server.start_monitor(("ok", "s", ("continue", "shutdown")))
    s.event("obs", "continued", await down(ref))
    s.event("obs", "gone", otp.is_alive(pid))
    pid, ref = await gen_event.start_monitor()
    await gen_event.stop(pid)
    s.event("obs", "events", await down(ref))
    s.event("obs", "left", await drain())


async def started(s: Scenario, what: str, body: Body, **options: Any) -> Any:
    """What Erlang's start_monitor answers, with what the monitor brings."""
    try:
        pid, ref = await proc_lib.start_monitor(body, **options)
    except (otp.StartError, otp.Ignore) as failed:
        return answer(failed), await down(failed.monitor)
    otp.send(s.name(pid, what), "stop")
    return "ok", await down(ref)


async def refused(behaviour: Any, init: Any, **options: Any) -> Any:
    try:
        return await behaviour.start_monitor(init, **options)
    except (otp.StartError, otp.Ignore) as failed:
        return answer(failed)


def answer(failed: otp.StartError | otp.Ignore) -> Any:
    return ("error", failed.reason) if isinstance(failed, otp.StartError) else "ignore"


async def down(ref: Ref) -> Any:
    message = await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref, timeout=1)
    return "DOWN", message[4]
