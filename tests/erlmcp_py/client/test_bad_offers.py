"""Servers whose lists, schemas, tasks and revisions are not what they should be."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio

from erlmcp_py.client import BadAnswer, Client, InvalidOutput
from erlmcp_py.client import pages as paging
from erlmcp_py.client.toolbox import Toolbox
from erlmcp_py.protocol.tools import Tool
from supervisors import Report, Runtime, WarningReport
from tests.erlmcp_py.client.bad import (
    DISCOVERED,
    Asked,
    error,
    event,
    http_server,
    result,
    stream,
)
from tests.erlmcp_py.client.test_eras_http import ACCEPTED, DONE, SHAKEN, Old

COMPLETE = {"resultType": "complete", "content": []}


def modern(answers: Any) -> Any:
    """answers: what becomes of a request, by its method."""

    def behave(asked: Asked) -> Any:
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        answer = answers[asked.method]
        return answer(asked) if callable(answer) else result(asked, answer)

    return behave


def listed(*tools: Any, cursor: str | None = None) -> dict[str, Any]:
    more = {} if cursor is None else {"nextCursor": cursor}
    return {"resultType": "complete", "tools": list(tools), **more}


# --- lists -----------------------------------------------------------------------------------------


async def test_a_cursor_that_comes_again() -> None:
    page = listed({"name": "a", "inputSchema": {"type": "object"}}, cursor="same")
    async with http_server(modern({"tools/list": page})) as (url, seen), Client(url) as client:
        with pytest.raises(BadAnswer, match="'same' comes a second time"):
            await client.list_tools()
    assert len(seen) == 3


@pytest.mark.parametrize("items", [0, 1])
async def test_a_list_without_end(items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 20)
    monkeypatch.setattr(paging, "MAX_EMPTY", 5)
    tool = {"name": "a", "inputSchema": {"type": "object"}}
    count = 0

    def page(asked: Asked) -> bytes:
        nonlocal count
        count += 1
        return result(asked, listed(*items * [tool], cursor=f"c{count}"))

    async with http_server(modern({"tools/list": page})) as (url, _), Client(url) as client:
        with pytest.raises(BadAnswer, match="20 pages" if items else "5 empty pages"):
            await client.list_tools()
    assert count == (20 if items else 5)


async def test_an_empty_cursor_is_a_cursor() -> None:
    pages = [listed(cursor=""), listed()]
    answer = modern({"tools/list": lambda asked: result(asked, pages.pop(0))})
    async with http_server(answer) as (url, seen), Client(url) as client:
        assert await client.list_tools() == []
    assert seen[-1].message["params"]["cursor"] == ""


# --- schemas ---------------------------------------------------------------------------------------


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


async def test_a_tool_whose_schema_is_nested_without_end_is_left_out_alone() -> None:
    deep = {"name": "deep", "inputSchema": nested(450)}
    good = {"name": "good", "inputSchema": {"type": "object"}}
    tools = listed(deep, good)
    async with http_server(modern({"tools/list": tools})) as (url, _), Client(url) as client:
        assert "good" in [tool.name for tool in await client.list_tools()]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "sting"},
        {"$ref": "#/$defs/nowhere"},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        nested(450),
    ],
)
async def test_a_result_that_cannot_be_checked(schema: Any) -> None:
    tool = {"name": "x", "inputSchema": {"type": "object"}, "outputSchema": schema}
    answers = {"tools/list": listed(tool), "tools/call": {**COMPLETE, "structuredContent": {}}}
    async with http_server(modern(answers)) as (url, _), Client(url) as client:
        await client.list_tools()
        with pytest.raises(InvalidOutput, match="the result of x cannot be checked"):
            await client.call_tool("x")


async def test_one_that_cannot_be_walked_through_is_left_out() -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(2000):
        deep = {"anyOf": [deep]}
    async with Runtime():
        good = Tool("good", {"type": "object"})
        assert Toolbox().learn([Tool("deep", deep), good], mirrors=True) == [good]


async def test_what_a_schema_refers_to_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bait:
        bait.settimeout(0.2)
        there = f"http://127.0.0.1:{bait.getsockname()[1]}/schema.json"
        tool = {"name": "x", "inputSchema": {"type": "object"}, "outputSchema": {"$ref": there}}
        answers = {"tools/list": listed(tool), "tools/call": {**COMPLETE, "structuredContent": {}}}
        async with http_server(modern(answers)) as (url, _), Client(url) as client:
            await client.list_tools()
            with pytest.raises(InvalidOutput):
                await client.call_tool("x")
        with pytest.raises(TimeoutError):
            bait.accept()


async def test_a_result_is_not_lost_because_the_tools_cannot_be_listed() -> None:
    answers = {
        "tools/list": lambda asked: error(asked, -32601),
        "tools/call": {**COMPLETE, "structuredContent": {"n": 1}},
    }
    async with http_server(modern(answers)) as (url, _), Client(url) as client:
        assert (await client.call_tool("x")).structured_content == {"n": 1}


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("a\r\nEvil: 1", "=?base64?YQ0KRXZpbDogMQ==?="),
        ("", ""),
        (" a ", "=?base64?IGEg?="),
        ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
        (True, "true"),
        (2**70, str(2**70)),
        (None, None),
    ],
)
async def test_arguments_in_headers_whatever_they_are(value: Any, header: str | None) -> None:
    kind = {bool: "boolean", int: "integer"}.get(type(value), "string")
    schema = {"type": "object", "properties": {"v": {"type": kind, "x-mcp-header": "V"}}}
    tool = {"name": "x", "inputSchema": schema}
    answers = {"tools/list": listed(tool), "tools/call": COMPLETE}
    async with http_server(modern(answers)) as (url, seen), Client(url) as client:
        await client.list_tools()
        await client.call_tool("x", {"v": value})
    assert seen[-1].headers.get("mcp-param-v") == header
    assert "evil" not in seen[-1].headers


# --- tasks -----------------------------------------------------------------------------------------

TASK = {
    "taskId": "t1",
    "status": "working",
    "createdAt": "2026-11-21T12:00:00Z",
    "lastUpdatedAt": "2026-11-21T12:00:00Z",
    "ttlMs": None,
    "pollIntervalMs": 50,
}


async def test_a_cancelled_call_that_has_become_a_task_is_cancelled_there() -> None:
    looked = trio.Event()

    def look(asked: Asked) -> bytes:
        looked.set()
        return result(asked, {"resultType": "complete", **TASK})

    answers = {
        "tools/call": {"resultType": "task", **TASK},
        "tasks/get": look,
        "tasks/cancel": {"resultType": "complete"},
    }
    async with http_server(modern(answers)) as (url, seen), Client(url, tasks=True) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "x")
            await looked.wait()
            nursery.cancel_scope.cancel()
        assert seen[-1].method == "tasks/cancel"
        assert seen[-1].message["params"]["taskId"] == "t1"
        assert client.status().in_flight == 0


# --- revisions -----------------------------------------------------------------------------------


async def test_a_server_that_has_become_an_older_one(autojump_clock: object) -> None:
    old = Old()
    changed = False

    def behave(asked: Asked) -> bytes | None:
        if changed and "mcp-method" in asked.headers:
            data = {"supported": ["2025-11-25"], "requested": "2026-07-28"}
            return error(asked, -32022, "400 Bad Request", data)
        if changed:
            return old(asked)
        return modern({"tools/call": COMPLETE})(asked)  # type: ignore[no-any-return]

    async with http_server(behave) as (url, seen), Client(url) as client:
        await client.call_tool("x")
        changed = True
        await client.call_tool("x")
        assert client.hello.version == "2025-11-25"
        assert client.status().connections == 2
        assert len([asked for asked in seen if asked.method == "tools/call"]) == 3


async def test_a_server_that_refuses_the_revision_it_speaks_is_not_asked_for_ever() -> None:
    data = {"supported": ["2026-07-28"], "requested": "2026-07-28"}
    answers = {"tools/call": lambda asked: error(asked, -32022, "400 Bad Request", data)}
    async with http_server(modern(answers)) as (url, seen), Client(url) as client:
        with pytest.raises(Exception, match="-32022"):
            await client.call_tool("x")
    assert len(seen) == 2


async def test_a_server_that_was_an_older_one_the_last_time() -> None:
    """And does not say in its refusal which revisions it speaks."""
    changed = False
    old = Old()

    def behave(asked: Asked) -> bytes | None:
        if not changed:
            return old(asked)
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        return error(asked, -32601, "404 Not Found")

    async with http_server(behave) as (url, _):
        async with Client(url):
            pass
        changed = True
        async with Client(url) as client:
            assert client.hello.era == "modern"


# --- answers that come late --------------------------------------------------------------------


async def test_an_answer_that_comes_after_the_call_was_given_up_is_no_news() -> None:
    reports: list[Report] = []
    given_up = trio.Event()
    id = 0

    class Late(Old):
        async def late(self) -> bytes:
            await given_up.wait()
            answer = {"jsonrpc": "2.0", "id": id, "result": DONE}
            told = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
            return stream(event(answer), event(told), end=False)

        async def never(self) -> None:
            await trio.sleep_forever()

        def __call__(self, asked: Asked) -> Any:  # type: ignore[override]
            nonlocal id
            if asked.verb == "GET":
                return self.late()
            if asked.method == "notifications/cancelled":
                given_up.set()
                return ACCEPTED
            if asked.method == "tools/call":
                id = asked.message["id"]
                return self.never()
            return super().__call__(asked)

    heard = trio.Event()
    async with http_server(Late()) as (url, _), Runtime() as runtime:
        runtime.subscribe(reports.append)
        async with Client(url, mode="legacy", on_notification=lambda _: heard.set()) as client:
            with pytest.raises(Exception, match="no answer within"):
                await client.call_tool("x", timeout=0.1)
            with trio.fail_after(5):
                await heard.wait()
    assert not [one for one in reports if isinstance(one, WarningReport)]


async def test_a_version_nobody_knows_ends_the_greeting() -> None:
    def behave(asked: Asked) -> bytes:
        return result(asked, {**SHAKEN, "protocolVersion": "1999-01-01"})

    async with http_server(behave) as (url, _):
        with pytest.raises(Exception, match="1999-01-01"):
            async with Client(url, mode="legacy"):
                pass


async def test_a_list_that_was_made_before_it_changed_is_not_kept() -> None:
    """The change is heard of while the list is on its way."""

    def lists(asked: Asked) -> bytes:
        told = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        made = listed() | {"ttlMs": 60_000, "cacheScope": "private"}
        answer = {"jsonrpc": "2.0", "id": asked.message["id"], "result": made}
        return stream(event(told), event(answer)) if len(seen) == 2 else result(asked, made)

    async with http_server(modern({"tools/list": lists})) as (url, seen), Client(url) as client:
        for _ in range(3):
            await client.list_tools()
    assert len(seen) == 3
