"""O42, G17 (S40): what sends a server to sleep, and what wakes it."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import GenServer, sys

from ..harness import Scenario

OTP = [("gen_server", "hibernate"), ("gen_server", "auto_hibernate")]


class Worker(GenServer):
    """Counts."""

    def init(self, number: int) -> Any:
        return "ok", number

    def handle_call(self, request: Any, from_: Any, number: int) -> Any:
        if request == "hibernate":
            return "reply", "ok", number, "hibernate"
        return "reply", number + 1, number + 1

    def handle_cast(self, request: Any, number: int) -> Any:
        return "noreply", number + 1

    def handle_info(self, message: Any, number: int) -> Any:
        return "noreply", number + 1


class AsyncWorker(Worker):
    """The same as a task process."""

    async def handle_cast(self, request: Any, number: int) -> Any:
        return super().handle_cast(request, number)


async def run(s: Scenario, server: type[Worker] = Worker) -> None:
    """After a while, by request; woken by messages only."""

    pid = s.name(await server.start(0, hibernate_after=0.1), "srv")
    s.event("obs", "at_start", sys.is_hibernating(pid))
    await trio.sleep(0.15)
    s.event("obs", "after_a_while", sys.is_hibernating(pid))
    s.event("obs", "call", await otp.call(pid, "add"))
    s.event("obs", "awake", sys.is_hibernating(pid))
    await trio.sleep(0.06)
    otp.cast(pid, "add")
    await trio.sleep(0.06)
    s.event("obs", "kept_awake", sys.is_hibernating(pid))
    await trio.sleep(0.06)
    s.event("obs", "asleep_again", sys.is_hibernating(pid))
    s.event("obs", "state", await sys.get_state(pid))
    await trio.sleep(0.02)
    s.event("obs", "still_asleep", sys.is_hibernating(pid))
    await sys.suspend(pid)
    await trio.sleep(0.02)
    otp.cast(pid, "add")
    await trio.sleep(0.02)
    s.event("obs", "queued", await sys.get_state(pid))
    await sys.resume(pid)
    await trio.sleep(0.02)
    s.event("obs", "served", (await sys.get_state(pid), sys.is_hibernating(pid)))
    other = s.name(await server.start(0), "other")
    s.event("obs", "asked_to", await otp.call(other, "hibernate"))
    await trio.sleep(0.02)
    s.event("obs", "asleep", sys.is_hibernating(other))
    otp.send(other, "add")
    await trio.sleep(0.02)
    s.event("obs", "woken", (await sys.get_state(other), sys.is_hibernating(other)))
