"""A switch, of plain callbacks and of async ones, and the marks of gen_statem_SUITE."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from supervisors import GenStateMachine


def suite(*names: str) -> Any:
    """Marks for several cases of gen_statem_SUITE."""

    def mark(test: Any) -> Any:
        for name in names:
            test = pytest.mark.otp("gen_statem_SUITE", name)(test)
        return test

    return mark


class Switch(GenStateMachine):
    """Off and on; requests are functions of (event type, data), or a few words."""

    def callback_mode(self) -> Any:
        return "state_functions"

    def init(self, value: Any = ("ok", "off", [])) -> Any:
        return value() if callable(value) else value

    def off(self, type: Any, content: Any, data: Any) -> Any:
        return self._both("on", type, content, data)

    def on(self, type: Any, content: Any, data: Any) -> Any:
        return self._both("off", type, content, data)

    def _both(self, other: str, type: Any, content: Any, data: Any) -> Any:
        if callable(content):
            return content(type, data)
        match type, content:
            case ("call", from_), "flip":
                return "next_state", other, data, ("reply", from_, other)
            case ("call", _), "when on" if other == "on":
                return "keep_state_and_data", "postpone"
            case ("call", from_), "when on":
                return "keep_state_and_data", [("reply", from_, data)]
            case ("call", from_), "data":
                return "keep_state_and_data", [("reply", from_, data)]
        return "keep_state", [*data, (type, content)]

    def terminate(self, reason: Any, state: Any, data: Any) -> Any:
        for item in data:
            if callable(item):
                item(reason, state)


class AsyncSwitch(Switch):
    """The same as a task process."""

    async def on(self, type: Any, content: Any, data: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return Switch.on(self, type, content, data)
