"""What a line to a server is, and how it is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Literal, Protocol

import msgspec

from erlmcp_py import __version__
from erlmcp_py.protocol.errors import METHOD_NOT_FOUND, McpError
from erlmcp_py.protocol.headers import MirroredParameter
from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    ElicitationCapability,
    Implementation,
    LogLevel,
)
from erlmcp_py.protocol.wire import Json

Era = Literal["auto", "modern", "legacy"]

INFO: Final = Implementation(name="erlmcp-node", version=__version__)
CAPABILITIES: Final = ClientCapabilities(elicitation=ElicitationCapability(form={}, url={}))
ROUNDS: Final = 10
"""How often one request may come back with questions."""


class NoAnswer(Exception):
    """There is no result: no server, no connection, or something that is not MCP. One line."""


class Person(Protocol):
    """Who sits at this end."""

    def notified(self, method: str, params: Json) -> None:
        """The server tells something, such as progress."""

    def asked(self, method: str, params: Json) -> Json:
        """The server asks; the answer. McpError if that cannot be answered."""


class Line(Protocol):
    """A way to one server. version: the revision that is spoken on it; hello: the server's
    answer to `server/discover` or `initialize`.
    """

    version: str
    hello: Json

    async def request(
        self, method: str, params: Json, mirrored: tuple[MirroredParameter, ...] = ()
    ) -> Json:
        """The result. Raises McpError for an error of the server's, `NoAnswer` if none comes.

        mirrored: the arguments that are repeated in headers, where there are headers.
        """


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """era: which revisions are tried; timeout: seconds of silence on a connection; headers: more
    of them for HTTP; log_level: least severe log messages wanted.
    """

    era: Era = "auto"
    timeout: float = 60.0
    headers: Mapping[str, str] = {}
    log_level: LogLevel = "info"


def is_url(target: str) -> bool:
    """Whether the target is a URL and not MODULE:ATTR."""
    return target.startswith(("http://", "https://"))


@asynccontextmanager
async def open_line(target: str, person: Person, options: Options) -> AsyncIterator[Line]:
    """A line to `MODULE:ATTR`, which is started for as long as the line is open, or to a URL.

    Raises ConfigError for a server that cannot be loaded, NoAnswer for one that cannot be reached.
    """
    opened: AbstractAsyncContextManager[Line]
    if is_url(target):
        from erlmcp_py.cli.calling.http import open_http

        opened = open_http(target, person, options)
    else:
        from erlmcp_py.cli.calling.local import open_local

        opened = open_local(target, person, options)
    async with opened as line:
        yield line


async def list_all(line: Line, method: str, member: str) -> list[Json]:
    """All pages of a list method; empty if the server has no such thing."""
    found: list[Json] = []
    params: Json = {}
    while True:
        try:
            result = await line.request(method, params)
        except McpError as error:
            if error.code == METHOD_NOT_FOUND:
                return found
            raise
        found += result.get(member, [])
        cursor = result.get("nextCursor")
        if cursor is None or cursor == params.get("cursor"):
            return found
        params = {"cursor": cursor}


def next_round(params: Json, result: Json, person: Person) -> Json | None:
    """The parameters that continue the request after a result with questions; None after a final
    one. Raises McpError if a question cannot be answered.
    """
    if result.get("resultType") != "input_required":
        return None
    again = {key: value for key, value in params.items() if key not in _OF_A_ROUND}
    questions: dict[str, Any] = result.get("inputRequests") or {}
    if questions:
        again["inputResponses"] = {
            key: person.asked(question["method"], question.get("params", {}))
            for key, question in questions.items()
        }
    if "requestState" in result:
        again["requestState"] = result["requestState"]
    return again


_OF_A_ROUND: Final = ("inputResponses", "requestState")
