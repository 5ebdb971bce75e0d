"""What becomes of questions that nobody answers in time, or at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import trio
from msgspec import Raw

from erlmcp_py.client import Hello
from erlmcp_py.gateway import caller as callers
from erlmcp_py.gateway.caller import Caller
from erlmcp_py.gateway.questions import Questions
from erlmcp_py.gateway.waiting import call_tool
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError
from erlmcp_py.protocol.extensions.tasks import TASKS
from erlmcp_py.protocol.jsonrpc import Response, raw
from erlmcp_py.protocol.lifecycle import ServerCapabilities
from erlmcp_py.server.scope import Scope
from supervisors import Pid

PEER = Pid.__new__(Pid)
SCOPE = Scope(
    era="legacy",
    version="2025-11-25",
    key=(PEER, 1),
    notify=lambda _: None,
    client="a",
    peer=PEER,
)


async def test_an_answered_question_is_open_for_none_of_the_requests_it_has_passed_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = trio.Event()

    async def ask(*_: Any, **__: Any) -> Raw:
        await answered.wait()
        return Raw(b"{}")

    monkeypatch.setattr(callers, "ask", ask)
    asks = Questions("it")
    first, second, third = (Caller(SCOPE) for _ in range(3))
    question = callers.read_question("roots/list", {})
    for each in (first, second, third):
        asks.begin(each)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.put, question, {}, SCOPE.version)
        while not first.open:
            await trio.lowlevel.checkpoint()
        asks.end(first)
        asks.end(second)
        assert third.open
        answered.set()
    assert not third.open


HELLO = Hello(
    era="modern",
    version="2026-07-28",
    server_info=None,
    capabilities=ServerCapabilities(extensions={TASKS: {}}),
    instructions=None,
)
TASK = {
    "taskId": "t",
    "createdAt": "2026-01-01T00:00:00Z",
    "lastUpdatedAt": "2026-01-01T00:00:00Z",
    "ttlMs": None,
}
QUESTIONS = {"q": {"method": "roots/list", "params": {}}}


async def test_a_task_whose_question_nobody_can_be_asked_is_cancelled() -> None:
    sent: list[str] = []
    answers = {
        "tools/call": {**TASK, "resultType": "task", "status": "working"},
        "tasks/get": {
            **TASK,
            "resultType": "complete",
            "status": "input_required",
            "inputRequests": QUESTIONS,
        },
        "tasks/cancel": {"resultType": "complete"},
    }

    async def send(method: str, _: Mapping[str, Any], **__: Any) -> tuple[Response, str]:
        await trio.lowlevel.checkpoint()
        sent.append(method)
        return Response(1, raw(answers[method])), HELLO.version

    async def ask(_: Any) -> None:
        await trio.lowlevel.checkpoint()
        raise McpError(INTERNAL_ERROR, "the client cannot be asked")

    with pytest.raises(McpError, match="the client cannot be asked"):
        await call_tool({"name": "any"}, send, ask, Caller(SCOPE), HELLO, frozenset)
    assert sent == ["tools/call", "tasks/get", "tasks/cancel"]
