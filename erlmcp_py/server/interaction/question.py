"""What a handler asks of the client in the middle of its work, whatever the era.

A `Question` is the request and how an answer to it is read. It knows nothing of how it travels: as a
request of the server's own to a client of the older revisions, or as one of the `inputRequests` of a
result in 2026-07-28.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.input import InputRequest, InputResponse, method_of, read_input
from erlmcp_py.server.errors import ToolError


class Unusable(Exception):
    """An answer that does not answer its question; the text says why, on one line."""


class Refused(ToolError):
    """The client, or the person in front of it, did not give what was asked for.

    action: "decline" and "cancel" come from a person, "error" from the client program. A handler
    that does not catch it ends with a tool error that says so.
    """

    def __init__(self, action: Literal["decline", "cancel", "error"], text: str) -> None:
        super().__init__(text)
        self.action = action


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask. finish: makes the handler's value of a well-formed answer; `Unusable` if it
    is none after all, `Refused` if it is a refusal.
    """

    request: InputRequest
    finish: Callable[[Any], Any]

    @property
    def method(self) -> str:
        """Of the request, such as "roots/list"."""
        return method_of(self.request)

    def read(self, answer: msgspec.Raw) -> Any:
        """The handler's value of a result as it came. Raises `Unusable` or `Refused`."""
        try:
            response: InputResponse = read_input(answer, self.method)
        except McpError as problem:
            raise Unusable(problem.message) from None
        return self.finish(response)


class Interaction(Protocol):
    """A way to ask the client of one call."""

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, Any]:
        """The answers, by the keys of the questions, when all are there.

        Raises `Refused`; or whatever ends the call, if it is to be continued another time.
        """

    async def once(self, key: str, step: Callable[[], Any]) -> Any:
        """The result of `step`, which is run (and awaited, if need be) once per request."""
