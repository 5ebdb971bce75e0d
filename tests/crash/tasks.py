"""The client that has tools run as tasks: it asks for one, and comes back for what became of it."""

from __future__ import annotations

import json
from typing import Any, Final

import trio

from tests.crash.clients import ANSWER, HttpClient, verdict
from tests.crash.incoming import Closed
from tests.crash.node import SERVERS, TICK
from tests.crash.oracle import Request, Violation
from tests.crash.wire import LIMIT
from tests.erlmcp_py.transports.http.client import MODERN, meta

EXTENSION: Final = "io.modelcontextprotocol/tasks"
CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
TOOLS: Final = ("later", "steps", "ask", "crash")
ENDED: Final = ("completed", "failed", "cancelled")


class TaskClient(HttpClient):
    """Revision 2026-07-28 with the extension.

    Two things are booked of each task: the request that begins it, which depends on its connection
    and its server, and the task itself, which depends on neither.
    """

    async def step(self) -> None:
        tool = self.chance.choice(TOOLS)
        more: dict[str, Any] = {}
        if tool == "later":
            more["seconds"] = self.chance.choice((0.0, TICK, 3.0, 20.0))
        elif tool == "steps":
            more["count"] = self.chance.randrange(8)
        server = self.chance.choice(SERVERS)
        wire = await self.connected()
        beginning = self.oracle.begin(tool, wire.peer, server, "modern", since=wire.whole_at)
        params = {"name": tool, "arguments": {"token": beginning.token, **more}}
        try:
            _, answer = await self.ask(beginning, server, "tools/call", params, tool)
        except Closed:
            await self.drop()
            self.oracle.end(beginning, "closed")
            return
        if "result" not in answer:
            self.oracle.end(beginning, "refused", json.dumps(answer["error"]))
            return
        created = answer["result"]
        if created.get("resultType") != "task":
            raise Violation(f"{beginning}: {answer} is no task")
        self.oracle.end(beginning, "answered")
        task = self.oracle.begin(tool, beginning.token, "tasks", since=beginning.began)
        await self.follow(task, beginning.token, server, created["taskId"])

    async def follow(self, task: Request, token: str, server: str, id: str) -> None:
        """Ask until the task has ended, whatever happens to connection and server meanwhile."""
        cancel = self.chance.random() < 0.1
        with trio.move_on_after(LIMIT):
            while True:
                await trio.sleep(TICK * self.chance.randrange(1, 6))
                if cancel:
                    await self.about(server, "tasks/cancel", id, {})
                known = await self.about(server, "tasks/get", id, {})
                if known is None:
                    continue
                if known["status"] == "input_required":
                    # What is asked may have been answered by an update whose own answer was lost.
                    answers = dict.fromkeys(known.get("inputRequests", {}), ANSWER)
                    await self.about(server, "tasks/update", id, {"inputResponses": answers})
                elif known["status"] in ENDED:
                    self.settle(task, token, known, cancel)
                    return
        raise Violation(f"{task} does not end; {self.oracle.recent()}")

    def settle(self, task: Request, token: str, known: Any, cancel: bool) -> None:
        """Book how the task has ended."""
        if known["status"] == "cancelled":
            if not cancel:
                raise Violation(f"{task}: nobody cancelled it; {known}")
            self.oracle.end(task, "let go")
        elif known["status"] == "failed":
            text = known["error"]["message"]
            if task.what == "crash" and token in text:
                self.oracle.end(task, "answered")
            else:
                self.oracle.end(task, "refused", text)
        else:
            asked = Request(token, task.what, task.on, task.began)
            self.oracle.end(task, *verdict(asked, {"result": known["result"]}))

    async def about(self, server: str, method: str, id: str, more: dict[str, Any]) -> Any:
        """The result of one request about a task; None if there was none, which is booked."""
        wire = await self.connected()
        request = self.oracle.begin(method, wire.peer, server, "modern", since=wire.whole_at)
        try:
            _, answer = await self.ask(request, server, method, {"taskId": id, **more}, id)
        except Closed:
            await self.drop()
            self.oracle.end(request, "closed")
            return None
        if "result" in answer:
            self.oracle.end(request, "answered")
            return answer["result"]
        self.oracle.end(request, "refused", json.dumps(answer["error"]))
        return None

    async def ask(
        self, request: Request, server: str, method: str, params: dict[str, Any], name: str
    ) -> tuple[int, Any]:
        """Status and message of the answer. Raises `Closed`."""
        able = {"elicitation": {}, "extensions": {EXTENSION: {}}}
        params = {**params, "_meta": meta() | {CAPABILITIES: able}}
        body = {"jsonrpc": "2.0", "id": request.token, "method": method, "params": params}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, "Mcp-Name": name}
        return await self.exchange(request, body, headers, f"/mcp/{server}")
