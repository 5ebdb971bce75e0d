"""A node without transports, a server with tasks of every kind, and a client that speaks JSON."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import trio

import supervisors
from erlmcp_py import registry
from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    ElicitationCapability,
    RootsCapability,
    SamplingCapability,
)
from erlmcp_py.protocol.versions import LATEST, era_of
from erlmcp_py.server import (
    Context,
    Elicit,
    Roots,
    Server,
    TaskPolicy,
    ToolError,
)
from erlmcp_py.server.process import Dispatch
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.book import TaskBook
from tests import schema_gate
from tests.erlmcp_py.transports.node import node

TASKS = "io.modelcontextprotocol/tasks"
ABLE = ClientCapabilities(
    elicitation=ElicitationCapability(),
    sampling=SamplingCapability(),
    roots=RootsCapability(),
    extensions={TASKS: {}},
)
UNABLE = msgspec.structs.replace(ABLE, extensions=None)
ENDED = ("completed", "failed", "cancelled")


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


def make_server() -> tuple[Server, list[str]]:
    """The server, and what its handlers noted."""
    server, notes = Server("tasks", version="1.0"), []

    @server.tool()
    def plain() -> str:
        """Never a task."""
        return "plain"

    @server.tool(task="optional")
    async def nap(ctx: Context, seconds: float, text: str = "done") -> str:
        """Sleep."""
        notes.append(f"began {text}")
        try:
            ctx.report_progress(1, 2)
            await trio.sleep(seconds)
        finally:
            notes.append(f"ended {text}")
        return text

    @server.tool(task="required")
    async def must(ctx: Context) -> str:
        """Only as a task."""
        assert ctx.task_id is not None
        return "as a task"

    @server.tool(task="optional")
    async def crash(how: str) -> str:
        """Fail in some way."""
        if how == "tool":
            raise ToolError("not this time")
        if how == "exit":
            raise SystemExit(3)
        if how == "surrogate":
            return "\ud800"
        raise RuntimeError("boom")

    @server.tool(task="optional")
    def quick(ctx: Context) -> str:
        """A plain handler."""
        ctx.status("quick")
        return "quick"

    @server.tool(task="optional", isolation="thread")
    def threaded(ctx: Context) -> str:
        """A handler in a thread."""
        ctx.report_progress(3, 4, "from a thread")
        return "threaded"

    @server.tool(task="optional")
    async def ask(ctx: Context) -> str:
        """Ask for a name."""
        return f"Hello, {(await ctx.elicit(Name)).name}!"

    @server.tool(task="optional")
    async def twice(ctx: Context) -> str:
        """Ask under the same key again and again."""
        first = (await ctx.elicit(Name, key="who")).name
        second = (await ctx.elicit(Name, key="who")).name
        return f"{first} and {second}"

    @server.tool(task="optional")
    async def several(ctx: Context) -> str:
        """Ask two things at once."""
        answers = await ctx.ask(who=Elicit(Name), where=Roots())
        return f"{answers['who'].name} in {answers['where'][0].uri}"

    @server.tool(task="optional")
    async def impatient(ctx: Context) -> str:
        """Ask, but not for ever."""
        with trio.move_on_after(5):
            await ctx.elicit(Name)
        await trio.sleep(5)
        return "without a name"

    @server.tool(task=TaskPolicy("required", asks_first=True, ttl=60.0, poll_interval=0.5))
    async def first(ctx: Context) -> str:
        """Ask in rounds, then go on as a task, and ask again."""
        name = (await ctx.elicit(Name, key="name")).name
        once = await ctx.once("step", lambda: notes.append("step") or len(notes))
        await ctx.begin_task()
        other = (await ctx.elicit(Name, key="other")).name
        again = await ctx.once("step", lambda: -1)
        return f"{name} and {other} {once == again}"

    @server.tool(task=TaskPolicy("optional", ttl=None))
    async def kept() -> str:
        """Never forgotten."""
        return "kept"

    return server, notes


class TaskClient:
    """Talks to the server process as a transport would."""

    def __init__(
        self,
        version: str = LATEST,
        *,
        principal: str | None = None,
        client: str | None = None,
        capabilities: ClientCapabilities = ABLE,
        peer: supervisors.Pid | None = None,
        send: Any = None,
    ) -> None:
        self.version = version
        self.fields: dict[str, Any] = {
            "principal": principal,
            "client": client,
            "client_capabilities": capabilities,
            "peer": peer,
            "send": send or (lambda message: False),
        }
        self.serial = 0

    async def answer(self, method: str, /, **params: Any) -> dict[str, Any]:
        """The whole response, checked against the schema."""
        self.serial += 1
        id = f"{method} {self.serial}"
        line = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        request = jsonrpc.decode(msgspec.json.encode(line))
        assert isinstance(request, jsonrpc.Request)
        pid = await registry.lookup("tasks")
        assert pid is not None
        scope = Scope(
            era=era_of(self.version),
            version=self.version,
            key=(pid, id),
            notify=lambda notification: None,
            **self.fields,
        )
        response = await supervisors.call(pid, Dispatch(request, scope), timeout=math.inf)
        value: dict[str, Any] = json.loads(jsonrpc.encode(response))
        version = value.get("result", {}).get("protocolVersion", self.version)
        assert schema_gate.of_response(method, version, value) == []
        return value

    async def result(self, method: str, /, **params: Any) -> dict[str, Any]:
        value = await self.answer(method, **params)
        assert "result" in value, value
        return value["result"]

    async def error(self, method: str, /, **params: Any) -> tuple[int, str]:
        value = await self.answer(method, **params)
        assert "error" in value, value
        return value["error"]["code"], value["error"]["message"]

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        return await self.result("tools/call", name=tool, arguments=arguments)

    async def begin(self, tool: str, /, **arguments: Any) -> str:
        """The id of a task."""
        created = await self.call(tool, **arguments)
        assert created["resultType"] == "task", created
        return created["taskId"]

    async def get(self, id: str) -> dict[str, Any]:
        return await self.result("tasks/get", taskId=id)

    async def until(self, id: str, *statuses: str) -> dict[str, Any]:
        """The task when it has one of these."""
        while True:
            task = await self.get(id)
            if task["status"] in (statuses or ENDED):
                return task
            await trio.sleep(0.1)

    async def text(self, id: str) -> str:
        """What a completed task came to."""
        task = await self.until(id)
        assert task["status"] == "completed", task
        return task["result"]["content"][0]["text"]

    async def update(self, id: str, **answers: Any) -> None:
        acknowledged = await self.result("tasks/update", taskId=id, inputResponses=answers)
        assert acknowledged.keys() <= {"resultType", "_meta"}


def accept(**content: Any) -> dict[str, Any]:
    """A form that was filled in."""
    return {"action": "accept", "content": content}


@contextlib.asynccontextmanager
async def world(
    book: TaskBook | None = None,
) -> AsyncIterator[tuple[TaskBook, list[str], list[supervisors.Report]]]:
    """The node; (its book, the handlers' notes, the reports). The test's body is no process of it."""
    server, notes = make_server()
    kept = TaskBook(clock=trio.current_time) if book is None else book
    async with node({"tasks": server}, tasks=kept) as reports:
        yield kept, notes, reports
