"""Servers that do what their requests say, of plain callbacks and of async ones."""

from __future__ import annotations

from typing import Any

import trio

from supervisors import GenServer


class Plain(GenServer):
    """Does what it is told: requests are functions of (from_, state), init a function."""

    def init(self, fn: Any = None) -> Any:
        return ("ok", []) if fn is None else fn()

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        if request == "state":
            return "reply", list(state), state
        return request(from_, state)

    def handle_cast(self, request: Any, state: Any) -> Any:
        return request(state) if callable(request) else ("noreply", [*state, request])

    def handle_info(self, message: Any, state: Any) -> Any:
        return message(state) if callable(message) else ("noreply", [*state, ("info", message)])

    def handle_continue(self, term: Any, state: Any) -> Any:
        return term(state) if callable(term) else ("noreply", [*state, ("continue", term)])

    def terminate(self, reason: Any, state: Any) -> None:
        for item in state or ():
            if callable(item):
                item(reason)


class Async(Plain):
    """The same, as a task process."""

    async def handle_cast(self, request: Any, state: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return Plain.handle_cast(self, request, state)
