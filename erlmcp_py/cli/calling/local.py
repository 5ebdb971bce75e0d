"""A line to a server of this process: no sockets, and the server as a node runs it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import trio

import supervisors
from erlmcp_py import registry, subscriptions
from erlmcp_py.cli.calling.line import (
    CAPABILITIES,
    INFO,
    ROUNDS,
    Line,
    NoAnswer,
    Options,
    Person,
    next_round,
)
from erlmcp_py.loading import load_server
from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.headers import MirroredParameter
from erlmcp_py.protocol.meta import PROGRESS_TOKEN
from erlmcp_py.protocol.versions import LATEST
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server import Server
from erlmcp_py.server.process import Dispatch
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.supervisor import SUPERVISOR as TASKS
from erlmcp_py.server.tasks.supervisor import TasksSupervisor
from erlmcp_py.tree import Children, server_spec
from supervisors import CallExit, Pid, StartError, format_reason

_ANYTHING: Final = msgspec.json.Decoder()
_TREE: Final = "tree"


@asynccontextmanager
async def open_local(target: str, person: Person, options: Options) -> AsyncIterator[Line]:
    """Start the server `MODULE:ATTR` for as long as the line is open. Raises ConfigError."""
    if options.era == "legacy":
        raise NoAnswer("a server of this process is always spoken to in the newest revision")
    server = load_server(target)
    async with supervisors.Runtime() as runtime:
        runtime.subscribe(_told(person))
        owner = await _start(server)
        try:
            line = _Local(f"server_{server.name}", owner, person, options)
            line.hello = await line.request("server/discover", {})
            yield line
        finally:
            with trio.CancelScope(shield=True):
                await supervisors.stop(_TREE, "shutdown")


async def _start(server: Server) -> Pid:
    """Start the part of a node's tree that a server needs; the process that has done it. Raises
    `NoAnswer` if it does not start.
    """
    book = TaskBook()
    specs = (
        registry.Registry.child_spec(id=registry.NAME, name=registry.NAME),
        subscriptions.Subscriptions.child_spec(id=subscriptions.NAME, name=subscriptions.NAME),
        TasksSupervisor.child_spec(book, id=TASKS, name=TASKS),
        # Among themselves, since a server may be called "registry".
        Children.child_spec(3, (server_spec(server.name, server, tasks=book),), id="servers"),
    )
    started = trio.Event()
    failed: list[StartError] = []

    async def top() -> None:
        supervisors.trap_exit(True)
        try:
            await Children.start_link(3, specs, name=_TREE)
        except StartError as error:
            failed.append(error)
        started.set()
        await supervisors.receive()

    starter = supervisors.spawn(top)
    await started.wait()
    if failed:
        raise NoAnswer(f"the server did not start: {format_reason(failed[0].reason)}")
    return starter


class _Local:
    def __init__(self, name: str, owner: Pid, person: Person, options: Options) -> None:
        self.version = LATEST
        self.hello: Json = {}
        self._name = name
        self._owner = owner
        self._person = person
        self._options = options
        self._serial = 0

    async def request(
        self,
        method: str,
        params: Json,
        mirrored: tuple[MirroredParameter, ...] = (),  # noqa: ARG002 -- there are no headers
    ) -> Json:
        """See `Line`."""
        for _ in range(ROUNDS):
            result = await self._once(method, params)
            again = next_round(params, result, self._person)
            if again is None:
                return result
            params = again
        raise NoAnswer(f"the server still asks after {ROUNDS} rounds")

    async def _once(self, method: str, params: Json) -> Json:
        self._serial += 1
        meta = {PROGRESS_TOKEN: self._serial}
        request = jsonrpc.request(self._serial, method, {**params, "_meta": meta})
        scope = Scope(
            era="modern",
            version=self.version,
            key=(self._owner, self._serial),
            notify=self._notified,
            client_info=INFO,
            client_capabilities=CAPABILITIES,
            log_level=self._options.log_level,
        )
        try:
            answer = await supervisors.call(self._name, Dispatch(request, scope), timeout=math.inf)
        except CallExit as problem:
            raise NoAnswer(f"the server died: {format_reason(problem.cause)}") from None
        line = jsonrpc.encode(answer)
        decoded: dict[str, Any] = _ANYTHING.decode(line)
        if "error" in decoded:
            error = decoded["error"]
            raise McpError(error["code"], error["message"], error.get("data"))
        result: Json = decoded["result"]
        return result

    def _notified(self, message: jsonrpc.Notification) -> None:
        params = {} if message.params is None else _ANYTHING.decode(message.params)
        self._person.notified(message.method, params)


def _told(person: Person) -> Callable[[supervisors.Report], None]:
    """Crashes are shown with their stack, which a client at a distance never sees."""

    def told(report: supervisors.Report) -> None:
        if isinstance(report, supervisors.CrashReport):
            reason = report.reason
            stack = reason[-1] if isinstance(reason, tuple) else reason
            person.notified("crash", {"text": str(stack)})

    return told
