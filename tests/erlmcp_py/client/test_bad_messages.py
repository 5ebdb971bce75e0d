"""Servers on pipes that say what they should not, and what the client makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py.client import BadAnswer, Client, ConnectError, subscribing
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.results import InvalidResult
from erlmcp_py.protocol.sampling import CreateMessageParams, CreateMessageResult
from supervisors import Backoff, Report, Runtime, WarningReport
from tests.erlmcp_py.client.bad import (
    DISCOVERED,
    Asked,
    cancelled_after,
    http_server,
    program,
    result,
)

MODERN = """
for line in sys.stdin:
    asked = json.loads(line)
    method = asked.get("method", "answer")
    if method == "server/discover":
        answer(asked, DISCOVERED)
        continue
    if "id" not in asked:
        continue
{code}
"""
LEGACY = """
for line in sys.stdin:
    asked = json.loads(line)
    method = asked.get("method", "answer")
    if method == "initialize":
        answer(asked, HELLO)
        continue
    if method == "server/discover":
        refuse(asked, -32601)
        continue
    if "id" not in asked:
        continue
{code}
"""
DONE = '{"resultType": "complete", "content": []}'


def speaking(loop: str, code: str, **options: Any) -> Client:
    return program(
        loop.format(code="\n".join("    " + line for line in code.split("\n"))), **options
    )


both = pytest.mark.parametrize("loop", [MODERN, LEGACY], ids=["modern", "legacy"])


@both
@pytest.mark.parametrize(
    "wrong",
    [
        '{"jsonrpc": "2.0", "id": asked["id"], "result": {}, "error": {"code": 1, "message": "x"}}',
        '{"jsonrpc": "2.0", "id": asked["id"], "result": [1]}',
        '{"jsonrpc": "2.0", "id": asked["id"], "error": "no"}',
        '{"jsonrpc": "2.0", "id": asked["id"]}',
        '{"id": asked["id"], "result": {"content": []}}',
    ],
)
async def test_an_answer_that_is_none_is_not_waited_for(loop: str, wrong: str) -> None:
    async with speaking(loop, f"say({wrong})") as client:
        with pytest.raises(BadAnswer, match="no JSON-RPC message"):
            await client.call_tool("x", timeout=5.0)
        assert client.status().in_flight == 0
        assert client.status().connections == 1


@both
async def test_answers_twice_late_and_out_of_order(loop: str) -> None:
    code = """
if method == "tools/call":
    kept = globals().setdefault("kept", [])
    kept.append(asked)
    if len(kept) == 3:
        for one in kept[::-1] + kept:
            answer(one, {"resultType": "complete", "content": [
                {"type": "text", "text": one["params"]["name"]}]})
        kept.clear()"""
    found: dict[str, str] = {}

    async def call(client: Client, name: str) -> None:
        found[name] = (await client.call_tool(name)).content[0].text  # type: ignore[union-attr]

    async with speaking(loop, code) as client:
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                for name in "abc":
                    nursery.start_soon(call, client, name)
            assert found == {name: name for name in "abc"}
            found.clear()
        assert client.status().in_flight == 0


async def test_a_modern_server_may_not_ask_by_a_request() -> None:
    asked: list[object] = []
    code = f"""
if method == "tools/call":
    say({{"jsonrpc": "2.0", "id": "q", "method": "roots/list"}})
    heard = json.loads(sys.stdin.readline())
    answer(asked, {{"resultType": "complete", "content": [{{"type": "text", "text": heard["method"]}}]}})
    answer(heard, {DONE})"""

    def roots() -> list[str]:
        asked.append(1)
        return []

    async with speaking(MODERN, code, roots=roots) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.call_tool, "x")
        await trio.sleep(0.1)
        await client.call_tool("y")
    assert not asked


# --- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [-1, 0, 10**400, 2**70, None])
async def test_a_time_that_is_absurd(ttl: int | None) -> None:
    def behave(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        return result(asked, {"resultType": "complete", "tools": [], "ttlMs": ttl})

    async with http_server(behave) as (url, seen), Client(url) as client:
        for _ in range(2):
            assert await client.list_tools() == []
    assert len(seen) == (2 if ttl and ttl > 0 else 3)


@pytest.mark.parametrize("poll", [-(10**400), -1, 0, 10**400])
async def test_a_pause_between_looks_that_is_absurd(poll: int, autojump_clock: object) -> None:
    looks: list[float] = []

    def behave(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        looks.append(trio.current_time())
        task = {
            "resultType": "complete",
            "taskId": "t",
            "status": "working",
            "createdAt": "2026-11-21T12:00:00Z",
            "lastUpdatedAt": "2026-11-21T12:00:00Z",
            "ttlMs": 10**400,
            "pollIntervalMs": poll,
        }
        if len(looks) > 2:
            task |= {"status": "completed", "result": {"content": []}}
        return result(asked, task)

    async with http_server(behave) as (url, _), Client(url, tasks=True) as client:
        await client.tasks.resume("t").result()
    assert 0.04 < looks[1] - looks[0] < 61


# --- what is asked ---------------------------------------------------------------------------------

MESSAGES = {"messages": [], "maxTokens": 1}
TOOL = {"name": "t", "inputSchema": {"type": "object"}}


def asks(params: dict[str, Any], method: str) -> Callable[[Asked], bytes]:
    """A modern server that asks that once."""

    def behave(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        if "inputResponses" in asked.message["params"]:
            return result(asked, {"resultType": "complete", "content": []})
        question = {"method": method, "params": params}
        return result(asked, {"resultType": "input_required", "inputRequests": {"q": question}})

    return behave


def sample(_: CreateMessageParams) -> CreateMessageResult:
    raise AssertionError("must not be asked")


@pytest.mark.parametrize("extra", [{"tools": [TOOL]}, {"toolChoice": {"mode": "auto"}}])
async def test_a_model_that_has_no_tools_is_not_asked_with_tools(extra: dict[str, Any]) -> None:
    """MCP: the client MUST return an error if it has not declared `sampling.tools`."""
    server = asks(MESSAGES | extra, "sampling/createMessage")
    async with http_server(server) as (url, seen), Client(url, sample=sample) as client:
        with pytest.raises(McpError, match=r"sampling\.tools") as refused:
            await client.call_tool("x")
        assert refused.value.code == -32602
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("method", "code"), [("sampling/createMessage", -32601), ("roots/list", -32601)]
)
async def test_a_question_nobody_answers(method: str, code: int) -> None:
    params = MESSAGES if method.startswith("sampling") else {}
    async with http_server(asks(params, method)) as (url, _), Client(url) as client:
        with pytest.raises(McpError, match=method) as refused:
            await client.call_tool("x")
        assert refused.value.code == code


async def test_a_question_of_an_unknown_kind() -> None:
    async with http_server(asks({}, "user/tickle")) as (url, _), Client(url) as client:
        with pytest.raises(InvalidResult, match="user/tickle"):
            await client.call_tool("x")


FORM = {
    "message": "Who?",
    "requestedSchema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "age": {"type": "integer", "default": 7},
        },
        "required": ["name"],
    },
}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"name": "A"}, "name"),
        ({"name": "Ada", "age": "old"}, "age"),
        ({}, "name"),
        ({"name": "Ada"}, None),
    ],
)
async def test_a_form_is_answered_as_it_wants(content: Any, problem: str | None) -> None:
    """MCP: clients SHOULD validate what the user says against the schema."""
    server = asks(FORM, "elicitation/create")
    async with http_server(server) as (url, seen), Client(url, elicit=lambda _: content) as client:
        if problem is None:
            await client.call_tool("x")
            answer = seen[-1].message["params"]["inputResponses"]["q"]
            assert answer == {"action": "accept", "content": {"name": "Ada", "age": 7}}
        else:
            with pytest.raises(ValueError, match=f"answer.*{problem}"):
                await client.call_tool("x")
            assert len(seen) == 2, "was sent"


async def test_a_form_that_is_none_is_the_servers_mistake() -> None:
    bad = {**FORM, "requestedSchema": {"type": "object", "properties": {"name": {"type": "sting"}}}}
    server = asks(bad, "elicitation/create")
    async with (
        http_server(server) as (url, _),
        Client(url, elicit=lambda _: {"name": "A"}) as client,
    ):
        with pytest.raises(McpError, match="requestedSchema") as refused:
            await client.call_tool("x")
        assert refused.value.code == -32602


# --- subscriptions -----------------------------------------------------------------------------------


async def test_a_subscription_that_is_cancelled_by_its_server_is_begun_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MCP 2026-07-28, cancellation: so a server on a pipe tears it down."""
    monkeypatch.setattr(subscribing, "_PAUSE", Backoff(first=0.01, factor=1.0, limit=0.1))
    code = """
if method == "subscriptions/listen":
    id = asked["id"]
    say({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
        "_meta": {"io.modelcontextprotocol/subscriptionId": id},
        "notifications": {"toolsListChanged": True}}})
    if "once" not in globals():
        once = True
        say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})"""
    async with (
        speaking(MODERN, code) as client,
        client.subscribe(tools=True) as changes,
    ):
        with trio.fail_after(10):
            assert (await anext(changes)).kind == "tools"


async def test_a_flood_of_changes_is_bounded_and_what_nobody_asked_for_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribing, "MAX_WAITING", 50)
    code = """
if method == "subscriptions/listen":
    meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": asked["id"]}}
    def tell(method, **params):
        say({"jsonrpc": "2.0", "method": "notifications/" + method, "params": {**meta, **params}})
    tell("subscriptions/acknowledged", notifications={"resourceSubscriptions": ["x://"]})
    tell("tools/list_changed")
    for number in range(500):
        tell("resources/updated", uri=f"x://{number}")
        tell("resources/updated", uri=f"y://{number}")
    tell("message", level="info", data="done")"""
    done = trio.Event()
    async with (
        speaking(MODERN, code, on_log=lambda _: done.set(), log_level="info") as client,
        client.subscribe(uris=["x://"]) as changes,
    ):
        with trio.fail_after(10):
            await done.wait()
        found = [(await anext(changes)).uri for _ in range(50)]
        with trio.move_on_after(0.2):
            found.append((await anext(changes)).uri)
    assert found == [f"x://{number}" for number in range(450, 500)]


# --- cancellations -----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("steps", range(5))
async def test_a_call_on_a_pipe_is_cancelled_wherever_it_is(loop: str, steps: int) -> None:
    """Once if it was sent, and never if it was cancelled before; a late answer is no news."""
    code = """
if method == "tools/call" and asked["params"]["name"] == "late":
    late = asked
elif method == "tools/call":
    if "late" in globals():
        answer(late, {"resultType": "complete", "content": []})
    told = {"calls": heard.count("tools/call") - 1, "cancelled": heard.count("notifications/cancelled")}
    answer(asked, {"resultType": "complete", "content": [], "structuredContent": told})
else:
    refuse(asked, -32601)"""
    reports: list[Report] = []
    async with Runtime() as runtime:
        runtime.subscribe(reports.append)
        hearing = "heard = []\n" + loop.replace(
            '    if "id" not', '    heard.append(method)\n    if "id" not'
        )
        async with speaking(hearing, code) as client:
            await cancelled_after(steps, client, "late")
            told = (await client.forward("tools/call", {"name": "count", "arguments": {}}))[0]
            counts = msgspec.json.decode(told.result)["structuredContent"]  # type: ignore[union-attr]
            assert counts["calls"] == counts["cancelled"]
            assert counts["calls"] in {0: (0,), 1: (0, 1)}.get(steps, (1,))
    assert not [one for one in reports if isinstance(one, WarningReport)]


async def test_a_greeting_is_not_cancelled(tmp_path: Path) -> None:
    """MCP: a client MUST NOT cancel `initialize`."""
    notes = tmp_path / "notes"
    code = f"""
notes = open({str(notes)!r}, "a", buffering=1)
for line in sys.stdin:
    notes.write(json.loads(line)["method"] + "\\n")"""
    with pytest.raises(ConnectError, match="no answer to initialize"):
        async with program(code, mode="legacy", timeout=2.0):
            pass
    assert notes.read_text() == "initialize\n"
