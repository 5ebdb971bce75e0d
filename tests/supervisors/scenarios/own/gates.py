"""Waiting for causes instead of times: inits that stop half way, conditions that come true."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

import supervisors as otp
from supervisors import Pid

from ...lives import down_of
from ..harness import Scenario


async def wait(condition: Callable[[], object]) -> str:
    """ "ok" once the condition holds, "timeout" if it does not within two seconds."""
    for _ in range(400):
        if condition():
            return "ok"
        await trio.sleep(0.005)
    return "timeout"


class Gate:
    """Inits that tell the driver they have begun, and go on when it says so."""

    def __init__(self) -> None:
        self.driver = otp.self()

    async def hold(self, plan: Any) -> Any:
        """A plan for a child with ``waits=True``: `plan`, once `open` is called."""
        otp.send(self.driver, ("trying", otp.self()))
        await otp.receive(lambda message: message == "go")
        return plan

    async def held(self) -> Pid:
        """The process that waits in init, as soon as there is one."""
        _, pid = await otp.receive(lambda message: message[0] == "trying")
        return pid

    async def tries_again(self) -> bool:
        try:
            await otp.receive(lambda message: message[0] == "trying", timeout=0.1)
        except trio.TooSlowError:
            return False
        return True

    def open(self, pid: Pid) -> None:
        otp.send(pid, "go")

    async def between(
        self, s: Scenario, sup: Pid, what: str, ask: Callable[[], Awaitable[Any]]
    ) -> None:
        """Have `ask` lie in the supervisor's mailbox before the held init goes on."""
        pid = await self.held()

        async def asks() -> None:
            s.event("obs", what, await ask())

        asking, ref = otp.spawn_monitor(asks)
        await wait(lambda: queued(sup) == 1)
        self.open(pid)
        await down_of(ref)
        assert not otp.is_alive(asking)


def queued(pid: Pid) -> int:
    """Messages in the mailbox of a living process."""
    info = otp.process_info(pid)
    assert info is not None, f"{pid} does not run"
    return info.message_queue_len
