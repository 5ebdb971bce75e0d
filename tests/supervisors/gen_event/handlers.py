"""Handlers for the tests of managers, and what they tell."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import GenEvent


class Echo(GenEvent):
    """Sends all it gets to the process it was started with."""

    def init(self, args: Any) -> Any:
        return ("error", "my_error") if args == "make_error" else ("ok", args)

    def handle_event(self, event: Any, to: Any) -> Any:
        if event == "crash":
            raise ValueError("asked to")
        if isinstance(event, tuple) and event[0] == "return":
            return event[1]
        otp.send(to, ("event", event))
        return "ok", to

    def handle_call(self, request: Any, to: Any) -> Any:
        match request:
            case "hibernate":
                return "ok", True, to, "hibernate"
            case ("return", value):
                return value
            case "crash":
                raise ValueError("asked to")
        return "ok", ("echo", request), to

    def handle_info(self, message: Any, to: Any) -> Any:
        if to is not None:
            otp.send(to, ("info", message))
        return "ok", to

    def terminate(self, argument: Any, to: Any) -> Any:
        return "bye" if argument == "say bye" else None


class Deaf(GenEvent):
    """Has no handle_info."""

    def handle_event(self, event: Any, state: Any) -> Any:
        return "ok", state


async def heard() -> list[Any]:
    return await otp.receive(timeout=1)  # type: ignore[no-any-return]
