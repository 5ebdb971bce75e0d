"""Tasks on the wire: the extension over HTTP and stdio, and the core tasks of 2025-11-25."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from erlmcp_py import sessions
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.subscriptions import NAME as SUBSCRIPTIONS
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.stdio import Channel, StdioOptions
from erlmcp_py.transports.stdio import child_spec as stdio_spec
from supervisors import call, whereis
from tests.erlmcp_py.server.tasks.world import ENDED, TASKS, accept, make_server
from tests.erlmcp_py.transports.http.client import LEGACY, MODERN, Client, connect, http
from tests.erlmcp_py.transports.node import kill, node
from tests.erlmcp_py.transports.stdio.client import Pipes

HTTP = ListenerConfig(port=0)
PREFIX = "io.modelcontextprotocol/"
RELATED = "io.modelcontextprotocol/related-task"
ABLE = {"elicitation": {}, "roots": {}, "extensions": {TASKS: {}}}


def meta(capabilities: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        f"{PREFIX}protocolVersion": MODERN,
        f"{PREFIX}clientCapabilities": ABLE if capabilities is None else capabilities,
    }


def modern(method: str, id: int | str, **params: Any) -> dict[str, Any]:
    params = {"_meta": meta(), **params}
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def request(method: str, id: int | str = 1, **params: Any) -> bytes:
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    name = params.get("name", params.get("taskId"))
    if name is not None:
        headers["Mcp-Name"] = name
    return http("POST", "/mcp", modern(method, id, **params), headers)


async def ask(client: Client, method: str, **params: Any) -> Any:
    await client.send(request(method, **params))
    answer = (await client.answer()).json
    return answer["result"] if "result" in answer else answer["error"]


async def until(client: Client, id: str, *statuses: str) -> Any:
    with trio.fail_after(5):
        while True:
            task = await ask(client, "tasks/get", taskId=id)
            if task["status"] in (statuses or ENDED):
                return task
            await trio.sleep(0.005)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[TaskBook]:
    server, _ = make_server()
    book = TaskBook()
    async with node({"tasks": server}, child_spec(HTTP), tasks=book):
        yield book


# --- the extension --------------------------------------------------------------------------


async def test_a_task_survives_the_connection_that_made_it() -> None:
    async with running():
        async with connect() as client:
            created = await ask(client, "tools/call", name="nap", arguments={"seconds": 0.05})
        async with connect() as client:
            task = await until(client, created["taskId"])
            assert task["result"]["content"][0]["text"] == "done"
            assert task["result"]["resultType"] == "complete"
            assert "_meta" not in task["result"]


async def test_the_name_header_is_compared_with_the_task() -> None:
    async with running(), connect() as client:
        created = await ask(client, "tools/call", name="nap", arguments={"seconds": 5})
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tasks/get", "Mcp-Name": "other"}
        body = modern("tasks/get", 2, taskId=created["taskId"])
        answer = await client.ask("POST", "/mcp", body, headers)
        assert (answer.status, answer.json["error"]["code"]) == (400, -32020)


async def listen(client: Client, *ids: str, capabilities: dict[str, Any] | None = None) -> None:
    wanted = {"taskIds": list(ids)}
    body = modern("subscriptions/listen", "s", notifications=wanted, _meta=meta(capabilities))
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"}
    await client.send(http("POST", "/mcp", body, headers))


async def event(client: Client) -> Any:
    with trio.fail_after(5):
        data = (await client.chunk()).split(b"data: ", 1)[1]
    return json.loads(data)


async def test_who_listens_is_told_all_there_is_to_know() -> None:
    async with running(), connect() as client, connect() as stream:
        created = await ask(client, "tools/call", name="ask", arguments={})
        id = created["taskId"]
        await until(client, id, "input_required")
        await listen(stream, id, "unknown")
        await stream.head()
        acknowledged = await event(stream)
        assert acknowledged["params"]["notifications"] == {"taskIds": [id]}
        first = await event(stream)
        assert first["method"] == "notifications/tasks"
        assert first["params"]["_meta"] == {f"{PREFIX}subscriptionId": "s"}
        told = {key: first["params"][key] for key in first["params"] if key != "_meta"}
        known = await ask(client, "tasks/get", taskId=id)
        assert told == {k: known[k] for k in known if k not in ("_meta", "resultType")}
        assert told["status"] == "input_required"
        answers = {"elicit-1": accept(name="Ada")}
        await ask(client, "tasks/update", taskId=id, inputResponses=answers)
        statuses = []
        while "completed" not in statuses:
            statuses.append((await event(stream))["params"]["status"])
        assert statuses in (["working", "completed"], ["completed"], ["completed", "completed"])


async def test_who_listens_is_told_after_the_subscriptions_fell() -> None:
    async with running(), connect() as client, connect() as stream:
        created = await ask(client, "tools/call", name="ask", arguments={})
        id = created["taskId"]
        await until(client, id, "input_required")
        await listen(stream, id)
        await stream.head()
        await event(stream)
        assert (await event(stream))["params"]["status"] == "input_required"
        await kill(whereis(SUBSCRIPTIONS))
        assert (await event(stream))["params"]["status"] == "input_required"
        await ask(client, "tasks/cancel", taskId=id)
        assert (await event(stream))["params"]["status"] == "cancelled"


async def test_to_listen_takes_the_extension() -> None:
    async with running(), connect() as client:
        await listen(client, "x", capabilities={})
        answer = await client.answer()
        assert (answer.status, answer.json["error"]["code"]) == (400, -32021)


# --- 2025-11-25 -----------------------------------------------------------------------------


def initialize(capabilities: dict[str, Any], version: str = LEGACY) -> dict[str, Any]:
    params = {
        "protocolVersion": version,
        "capabilities": capabilities,
        "clientInfo": {"name": "raw", "version": "1"},
    }
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}


class Session:
    """A client of 2025-11-25."""

    def __init__(self, client: Client, id: str, capabilities: dict[str, Any]) -> None:
        self.client, self.id, self.capabilities = client, id, capabilities
        self.serial = 0

    def message(self, method: str, **params: Any) -> dict[str, Any]:
        self.serial += 1
        return {"jsonrpc": "2.0", "id": self.serial, "method": method, "params": params}

    async def answer(self, method: str, **params: Any) -> dict[str, Any]:
        answer = await self.client.legacy(self.id, self.message(method, **params))
        body = answer.json if "json" in answer.headers["content-type"] else answer.events[-1]
        assert isinstance(body, dict)
        return body

    async def result(self, method: str, **params: Any) -> Any:
        answer = await self.answer(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    async def error(self, method: str, **params: Any) -> tuple[int, str]:
        answer = await self.answer(method, **params)
        assert "error" in answer, answer
        return answer["error"]["code"], answer["error"]["message"]

    async def begin(self, tool: str, ttl: int | None = None, **arguments: Any) -> Any:
        wish = {} if ttl is None else {"ttl": ttl}
        created = await self.result("tools/call", name=tool, arguments=arguments, task=wish)
        return created["task"]

    async def until(self, id: str, *statuses: str) -> Any:
        with trio.fail_after(5):
            while True:
                task = await self.result("tasks/get", taskId=id)
                if task["status"] in (statuses or ENDED):
                    return task
                await trio.sleep(0.005)

    async def stream(self, client: Client) -> None:
        """The session's GET stream, on another connection."""
        headers = {"Mcp-Session-Id": self.id, "MCP-Protocol-Version": LEGACY}
        await client.send(http("GET", "/mcp", headers=headers))
        assert (await client.head())[0] == 200


@contextlib.asynccontextmanager
async def session(version: str = LEGACY) -> AsyncIterator[Session]:
    async with connect() as client:
        answer = await client.ask("POST", "/mcp", initialize({"elicitation": {}}, version))
        id = answer.headers["mcp-session-id"]
        yield Session(client, id, answer.json["result"]["capabilities"])


async def test_the_core_offers_tasks_in_the_one_revision_that_has_them() -> None:
    async with running():
        async with session() as client:
            assert client.capabilities["tasks"] == {
                "list": {},
                "cancel": {},
                "requests": {"tools": {"call": {}}},
            }
            tools = (await client.result("tools/list"))["tools"]
            support = {tool["name"]: tool.get("execution") for tool in tools}
            assert support["plain"] is None
            assert support["nap"] == {"taskSupport": "optional"}
            assert support["must"] == {"taskSupport": "required"}
        async with session("2025-06-18") as old:
            assert "tasks" not in old.capabilities
            assert (await old.error("tasks/get", taskId="x"))[0] == -32601
            arguments = {"seconds": 0.0}
            done = await old.result("tools/call", name="nap", arguments=arguments, task={})
            assert done["content"][0]["text"] == "done"


async def test_a_task_is_made_polled_and_fetched() -> None:
    async with running(), session() as client:
        task = await client.begin("nap", ttl=5000, seconds=0.05)
        assert (task["status"], task["ttl"]) == ("working", 5000)
        result = await client.result("tasks/result", taskId=task["taskId"])
        assert result["content"][0]["text"] == "done"
        assert result["_meta"] == {RELATED: {"taskId": task["taskId"]}}
        told = await client.result("tasks/get", taskId=task["taskId"])
        assert (told["status"], told["ttl"]) == ("completed", 5000)
        assert (await client.begin("nap", ttl=10**9, seconds=0.0))["ttl"] == 3_600_000


async def test_the_client_decides_within_what_the_tool_allows() -> None:
    async with running(), session() as client:
        result = await client.result("tools/call", name="nap", arguments={"seconds": 0.0})
        assert result["content"][0]["text"] == "done"
        assert (await client.error("tools/call", name="plain", arguments={}, task={}))[0] == -32601
        assert (await client.error("tools/call", name="must", arguments={}))[0] == -32601
        arguments = {"seconds": 0.0}
        wrong = await client.error("tools/call", name="nap", arguments=arguments, task={"ttl": "x"})
        assert wrong[0] == -32602
        assert "ttl" in wrong[1]


@pytest.mark.parametrize(("how", "status"), [("tool", "failed"), ("error", "failed")])
async def test_the_outcome_of_a_failure_is_fetched_too(how: str, status: str) -> None:
    async with running(), session() as client:
        task = await client.begin("crash", how=how)
        answer = await client.answer("tasks/result", taskId=task["taskId"])
        assert (await client.until(task["taskId"]))["status"] == status
        if how == "tool":
            assert answer["result"]["isError"] is True
        else:
            assert answer["error"]["message"] == "Tool 'crash' crashed: RuntimeError: boom"


async def test_cancelling_tells_how_it_is_and_refuses_what_has_ended() -> None:
    async with running(), session() as client:
        id = (await client.begin("nap", seconds=50))["taskId"]
        assert (await client.result("tasks/cancel", taskId=id))["status"] == "cancelled"
        assert (await client.error("tasks/cancel", taskId=id))[0] == -32602
        assert (await client.error("tasks/result", taskId=id))[0] == -32603
        assert (await client.error("tasks/cancel", taskId="unknown"))[0] == -32602


async def test_a_session_sees_its_own_tasks_page_by_page() -> None:
    server, _ = make_server()
    server.page_size = 2
    async with node({"tasks": server}, child_spec(HTTP)), session() as one, session() as two:
        ids = [(await one.begin("nap", seconds=0.0))["taskId"] for _ in range(5)]
        foreign = (await two.begin("nap", seconds=0.0))["taskId"]
        seen: list[str] = []
        page = await one.result("tasks/list")
        while True:
            assert len(page["tasks"]) <= 2
            seen += [task["taskId"] for task in page["tasks"]]
            if "nextCursor" not in page:
                break
            page = await one.result("tasks/list", cursor=page["nextCursor"])
        assert seen == ids[::-1]
        assert (await one.error("tasks/get", taskId=foreign))[0] == -32602
        assert (await one.error("tasks/list", cursor="bad"))[0] == -32602


async def test_a_session_that_crashed_finds_its_tasks_again() -> None:
    async with running(), session() as client:
        id = (await client.begin("nap", seconds=0.05))["taskId"]
        await kill(await sessions.find(client.id))
        assert (await client.until(id))["status"] == "completed"


async def sse(client: Client) -> Any:
    """The next event with data."""
    with trio.fail_after(5):
        while True:
            for line in (await client.chunk()).split(b"\n"):
                if line.startswith(b"data: {"):
                    return json.loads(line[6:])


async def test_who_fetches_the_result_is_asked_the_questions_of_the_task() -> None:
    async with running(), session() as client, connect() as second:
        id = (await client.begin("ask"))["taskId"]
        await client.until(id, "input_required")
        headers = {"Mcp-Session-Id": client.id, "MCP-Protocol-Version": LEGACY}
        body = client.message("tasks/result", taskId=id)
        await second.send(http("POST", "/mcp", body, headers))
        await second.head()
        question = await sse(second)
        assert question["method"] == "elicitation/create"
        assert question["params"]["_meta"] == {RELATED: {"taskId": id}}
        response = {"jsonrpc": "2.0", "id": question["id"], "result": accept(name="Ada")}
        assert (await client.client.legacy(client.id, response)).status == 202
        answer = await sse(second)
        assert answer["result"]["content"][0]["text"] == "Hello, Ada!"
        assert (await client.until(id))["status"] == "completed"


async def test_a_client_that_refuses_a_question_ends_nothing_but_the_question() -> None:
    async with running(), session() as client, connect() as second:
        id = (await client.begin("ask"))["taskId"]
        await client.until(id, "input_required")
        headers = {"Mcp-Session-Id": client.id, "MCP-Protocol-Version": LEGACY}
        await second.send(http("POST", "/mcp", client.message("tasks/result", taskId=id), headers))
        await second.head()
        question = await sse(second)
        error = {"code": -32603, "message": "nobody is there"}
        response = {"jsonrpc": "2.0", "id": question["id"], "error": error}
        await client.client.legacy(client.id, response)
        answer = await sse(second)
        assert answer["result"]["isError"] is True
        assert "nobody is there" in answer["result"]["content"][0]["text"]


async def test_a_session_that_listens_hears_of_its_tasks() -> None:
    async with running(), session() as client, connect() as stream:
        await client.stream(stream)
        pid = await sessions.find(client.id)
        assert pid is not None
        while not (await call(pid, ("statistics",))).streams:
            await trio.sleep(0.005)
        id = (await client.begin("nap", seconds=0.02))["taskId"]
        told = await sse(stream)
        assert told["method"] == "notifications/tasks/status"
        assert (told["params"]["taskId"], told["params"]["status"]) == (id, "completed")


# --- stdio ----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def pipes() -> AsyncIterator[Pipes]:
    server_in, client_out = os.pipe()
    client_in, server_out = os.pipe()
    ends = Pipes(client_out, client_in)
    server, _ = make_server()
    try:
        spec = stdio_spec(StdioOptions(), Channel(server_in, server_out, 1 << 20))
        async with node({"tasks": server}, spec):
            yield ends
    finally:
        os.close(server_in)
        os.close(server_out)
        await ends.input.aclose()
        await ends.output.aclose()


async def test_the_extension_over_stdio() -> None:
    async with pipes() as client:
        call = modern("tools/call", 1, name="ask", arguments={})
        id = (await client.ask(call))["result"]["taskId"]
        wanted = {"taskIds": [id]}
        await client.send(modern("subscriptions/listen", "s", notifications=wanted))
        acknowledged = await client.receive()
        assert acknowledged["params"]["notifications"] == wanted
        statuses: list[str] = []
        while "input_required" not in statuses:
            statuses.append((await client.receive())["params"]["status"])
        answers = {"elicit-1": accept(name="Ada")}
        await client.send(modern("tasks/update", 2, taskId=id, inputResponses=answers))
        seen: list[Any] = []
        while not any(m.get("params", {}).get("status") == "completed" for m in seen):
            seen.append(await client.receive())
        assert [m["result"]["resultType"] for m in seen if m.get("id") == 2] == ["complete"]


async def test_the_core_over_stdio() -> None:
    async with pipes() as client:
        await client.ask(initialize({"elicitation": {}}))
        params = {"name": "ask", "arguments": {}, "task": {}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        id = (await client.ask(call))["result"]["task"]["taskId"]
        told = await client.receive()
        assert told["method"] == "notifications/tasks/status"
        assert told["params"]["status"] == "input_required"
        fetch = {"jsonrpc": "2.0", "id": 2, "method": "tasks/result", "params": {"taskId": id}}
        question = await client.ask(fetch)
        assert question["method"] == "elicitation/create"
        await client.send({"jsonrpc": "2.0", "id": question["id"], "result": accept(name="Ada")})
        messages = [await client.receive() for _ in range(3)]
        (answer,) = [m for m in messages if m.get("id") == 2]
        assert answer["result"]["content"][0]["text"] == "Hello, Ada!"
        statuses = [m["params"]["status"] for m in messages if "method" in m]
        assert statuses == ["working", "completed"]
