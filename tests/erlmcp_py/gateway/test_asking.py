"""What upstreams ask reaches the client it is for, between all eras: elicitation, sampling, roots, pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py.client import Client, negotiation
from erlmcp_py.gateway import parked
from erlmcp_py.protocol.content import TextContent
from erlmcp_py.protocol.elicitation import ElicitParams
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Notification, raw
from erlmcp_py.protocol.sampling import CreateMessageParams, CreateMessageResult
from erlmcp_py.protocol.versions import LEGACY
from supervisors import exit_signal, whereis

from .upstreams import HEAD, OLD, gateway, program, said

PAIRS = pytest.mark.parametrize(
    ("theirs_is", "mode"),
    [(theirs, ours) for theirs in ("legacy", "modern") for ours in ("legacy", "modern")],
)
ERAS = pytest.mark.parametrize("mode", ["modern", "legacy"])


# --- every question, every pair of eras ------------------------------------------------------


@PAIRS
async def test_forms(theirs_is: str, mode: Any, upstream: Any) -> None:
    asked = []

    def elicit(question: ElicitParams) -> dict[str, Any]:
        asked.append((question.message, question.requested_schema["required"]))
        return {"n": "Ada"}

    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode, elicit=elicit) as client,
        node.at(mode=mode, elicit=elicit) as every,
    ):
        assert said(await client.call_tool("greet")) == "hello Ada"
        assert said(await every.call_tool("web_greet")) == "hello Ada"
        assert asked == [("your name?", ["n"])] * 2
        assert said(await client.call_tool("two_questions")) == "Ada Ada"


@PAIRS
async def test_sampling(theirs_is: str, mode: Any, upstream: Any) -> None:
    def sample(question: CreateMessageParams) -> CreateMessageResult:
        assert question.max_tokens == 7
        text = question.messages[0].content.text
        return CreateMessageResult(role="assistant", content=TextContent(text * 2), model="m")

    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode, sample=sample) as client,
    ):
        assert said(await client.call_tool("complete_text", {"prompt": "ab"})) == "abab"


@PAIRS
async def test_roots(theirs_is: str, mode: Any, upstream: Any) -> None:
    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode, roots=["file:///a", "file:///b"]) as client,
    ):
        result = await client.call_tool("list_roots")
        assert json.loads(said(result)) == ["file:///a", "file:///b"]


@PAIRS
async def test_pages(theirs_is: str, mode: Any, upstream: Any) -> None:
    visited: list[Any] = []
    told: list[str] = []

    def elicit(question: ElicitParams) -> dict[str, Any]:
        visited.append((question.url, bool(question.elicitation_id)))
        return {}

    def notified(message: Notification) -> None:
        told.append(message.method)

    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode, elicit=elicit, on_notification=notified) as client,
    ):
        assert said(await client.call_tool("sign")) == "signed"
        assert visited == [("https://example.org/sign", mode == "legacy")]
        if theirs_is == mode == "legacy":
            with trio.fail_after(10):
                while "notifications/elicitation/complete" not in told:
                    await trio.sleep(0.01)
    assert theirs_is == mode == "legacy" or told == []


@PAIRS
async def test_a_request_that_needs_a_page_first(theirs_is: str, mode: Any, upstream: Any) -> None:
    visited: list[Any] = []

    def elicit(question: ElicitParams) -> dict[str, Any]:
        visited.append((question.message, question.url))
        return {}

    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode, elicit=elicit) as client,
    ):
        assert said(await client.call_tool("sign_first")) == "done"
        assert visited == [("sign first", "https://example.org/first")]


@pytest.mark.parametrize("theirs_is", ["legacy", "modern"])
async def test_clients_of_the_revisions_before(
    theirs_is: str, upstream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2025-06-18 knows forms and no pages; 2025-03-26 knows no elicitation, and of sampling what it is."""
    able: dict[str, Any] = {
        "mode": "legacy",
        "elicit": lambda _: {"n": "Ada"},
        "sample": lambda _: CreateMessageResult(
            role="assistant", content=TextContent("said"), model="m"
        ),
    }
    async with gateway({"web": upstream(theirs_is)}) as node, node.at("web") as first:
        await first.list_tools()  # its upstream has been greeted
        monkeypatch.setattr(negotiation, "LEGACY", LEGACY[1:])
        async with node.at("web", **able) as client:
            assert client.hello.version == "2025-06-18"
            assert said(await client.call_tool("greet")) == "hello Ada"
            if theirs_is == "legacy":
                with pytest.raises(McpError, match=r"sign first: https://example\.org/first"):
                    await client.call_tool("sign_first")
                assert (await client.call_tool("sign")).is_error
                assert said(await client.call_tool("sign_first")) == "done"  # now it was there
            else:
                with pytest.raises(McpError, match="capabilit"):
                    await client.call_tool("sign")
        monkeypatch.setattr(negotiation, "LEGACY", LEGACY[2:])
        async with node.at("web", **able) as client:
            assert client.hello.version == "2025-03-26"
            assert said(await client.call_tool("complete_text", {"prompt": "x"})) == "said"
            if theirs_is == "legacy":
                assert (await client.call_tool("greet")).is_error
            else:
                with pytest.raises(McpError, match="elicitation"):
                    await client.call_tool("greet")


@PAIRS
async def test_who_declines_and_who_cannot_be_asked(
    theirs_is: str, mode: Any, upstream: Any
) -> None:
    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode, elicit=lambda _: None) as client,
        node.at("web", mode=mode) as mute,
    ):
        assert said(await client.call_tool("try_to_ask")).startswith("decline")
        if theirs_is == "legacy":
            assert "error: " in said(await mute.call_tool("try_to_ask"))
        else:
            with pytest.raises(McpError, match="capabilit"):
                await mute.call_tool("try_to_ask")


@PAIRS
async def test_questions_over_one_connection_both_ways(
    theirs_is: str, mode: Any, upstream: Any
) -> None:
    told: list[str] = []
    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.by_socket(
            "web",
            mode=mode,
            elicit=lambda _: {"n": "Ada"},
            roots=["file:///a"],
            on_notification=lambda message: told.append(message.method),
        ) as client,
    ):
        assert said(await client.call_tool("two_questions")) == "Ada Ada"
        assert json.loads(said(await client.call_tool("list_roots"))) == ["file:///a"]
        assert said(await client.call_tool("sign")) == "signed"
        if theirs_is == mode == "legacy":
            with trio.fail_after(10):
                while "notifications/elicitation/complete" not in told:
                    await trio.sleep(0.01)


@PAIRS
async def test_a_call_that_has_asked_still_tells_how_far_it_is(
    theirs_is: str, mode: Any, upstream: Any
) -> None:
    progress: list[float] = []
    async with (
        gateway({"web": upstream(theirs_is)}) as node,
        node.at("web", mode=mode, elicit=lambda _: {"n": "Ada"}) as client,
    ):
        result = await client.call_tool(
            "ask_and_tell", on_progress=lambda told: progress.append(told.progress)
        )
        assert said(result) == "hello Ada"
    assert progress[-2:] == [2, 3]


# --- whose question it is --------------------------------------------------------------------


@ERAS
async def test_over_http_each_question_of_an_older_upstream_reaches_the_client_it_is_for(
    mode: Any, upstream: Any
) -> None:
    waiting = 0
    both = trio.Event()

    def of(name: str) -> Any:
        async def elicit(_: ElicitParams) -> dict[str, Any]:
            nonlocal waiting
            waiting += 1
            if waiting == 2:
                both.set()
            await both.wait()  # both calls are under way when the questions are answered
            return {"n": name}

        return elicit

    answers: dict[str, str] = {}

    async def greet(client: Client, name: str) -> None:
        answers[name] = said(await client.call_tool("greet"))

    async with (
        gateway({"web": upstream("legacy")}) as node,
        node.at("web", mode=mode, elicit=of("Ada")) as ada,
        node.at("web", mode=mode, elicit=of("Bob")) as bob,
    ):
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(greet, ada, "Ada")
                nursery.start_soon(greet, bob, "Bob")
    assert answers == {"Ada": "hello Ada", "Bob": "hello Bob"}


# --- parked calls ----------------------------------------------------------------------------

ASKER = (
    HEAD
    + """
CALLS, SEEN, ANSWERS = {}, [], []
FORM = {"message": "your name?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}}}
for line in sys.stdin:
    asked = json.loads(line)
    method, params = asked.get("method"), asked.get("params", {})
    if method is None:
        id = asked["id"]
        ANSWERS.append(asked.get("result", asked.get("error")))
        if id in CALLS:
            answer(CALLS.pop(id), text(json.dumps(ANSWERS[-1])))
    elif method == "initialize":
        ABLE = params["capabilities"]
        answer(asked, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}, "prompts": {}},
            "serverInfo": {"name": "asker", "version": "3"}})
    elif method == "ping":
        answer(asked, {})
    elif method == "tools/list":
        answer(asked, {"tools": [{"name": "any", "inputSchema": {"type": "object"}}]})
    elif method == "prompts/list":
        answer(asked, {"prompts": []})
    elif method == "prompts/get":
        CALLS["p"] = asked
        say({"jsonrpc": "2.0", "id": "p", "method": "roots/list"})
    elif method == "tools/call":
        name, arguments = params["name"], params.get("arguments", {})
        if name == "ask":
            id = "q%d" % asked["id"]
            CALLS[id] = asked
            say({"jsonrpc": "2.0", "id": id, "method": arguments.get("method", "elicitation/create"),
                "params": arguments.get("params", FORM)})
        elif name == "ask_and_answer":
            say({"jsonrpc": "2.0", "id": "z", "method": "elicitation/create", "params": FORM})
            CALLS["take"] = asked
        elif name == "take_back":
            tell("notifications/cancelled", requestId="z", reason="never mind")
            answer(CALLS.pop("take"), text("without you"))
            answer(asked, text("taken back"))
        elif name == "die":
            print("my last words", file=sys.stderr, flush=True)
            os._exit(7)
        elif name == "seen":
            answer(asked, text(json.dumps({"seen": SEEN, "answers": ANSWERS})))
    elif method == "notifications/cancelled":
        SEEN.append("cancelled")
    elif method == "notifications/roots/list_changed":
        SEEN.append("roots changed")
        say({"jsonrpc": "2.0", "id": "r", "method": "roots/list"})
    elif "id" in asked:
        refuse(asked, -32601)
"""
)
ABLE = raw({"elicitation": {}, "sampling": {}, "roots": {}})


async def call(client: Client, tool: str = "ask", **params: Any) -> Any:
    """The answer of a round as it comes: the result, or the error."""
    params.setdefault("arguments", {})
    answer, _ = await client.forward("tools/call", {"name": tool, **params}, capabilities=ABLE)
    if isinstance(answer, ErrorResponse):
        return {"code": answer.error.code, "message": answer.error.message}
    return json.loads(bytes(answer.result))


def accepts(asked: Any, **further: Any) -> dict[str, Any]:
    """The parameters of the next round."""
    answers = {key: {"action": "accept", "content": {"n": "Ada"}} for key in asked["inputRequests"]}
    return {"requestState": asked["requestState"], "inputResponses": answers, **further}


async def until(client: Client, ready: Callable[[Any], bool]) -> Any:
    """What the upstream has seen, when that is enough."""
    with trio.fail_after(20):
        while True:
            seen = json.loads(said(await client.call_tool("seen")))
            if ready(seen):
                return seen
            await trio.sleep(0.01)


async def test_the_rounds_of_a_parked_call() -> None:
    async with gateway({"old": program(ASKER)}) as node, node.at("old") as client:
        asked = await call(client)
        assert asked["resultType"] == "input_required"
        (question,) = asked["inputRequests"].values()
        assert question["method"] == "elicitation/create"
        assert question["params"]["message"] == "your name?"
        # Answers that are missing, or are none, are asked for again.
        state = asked["requestState"]
        (key,) = asked["inputRequests"]
        for answers in ({}, {key: {"action": "what?"}}, {"other": {"action": "cancel"}}):
            asked = await call(client, requestState=state, inputResponses=answers)
            assert list(asked["inputRequests"]) == [key]
        done = await call(client, **accepts(asked))
        assert json.loads(done["content"][0]["text"]) == {
            "action": "accept",
            "content": {"n": "Ada"},
        }
        # And then it is over.
        over = await call(client, **accepts(asked))
        assert over["code"] == -32602
        assert "has ended; send the request anew" in over["message"]


async def test_a_prompt_asks_as_well() -> None:
    async with (
        gateway({"old": program(ASKER)}) as node,
        node.at("old", roots=["file:///r"]) as client,
    ):
        answer, _ = await client.forward("prompts/get", {"name": "p"}, capabilities=ABLE)
        asked = json.loads(bytes(answer.result))
        (question,) = asked["inputRequests"].values()
        assert question["method"] == "roots/list"


@pytest.mark.parametrize(
    "changed",
    [
        {"requestState": "forged"},
        {"requestState": 7},
        {"arguments": {"other": 1}},
        {"name": "other"},
        {"inputResponses": []},
    ],
)
async def test_a_state_is_good_for_its_request_only(changed: dict[str, Any]) -> None:
    async with gateway({"old": program(ASKER)}) as node, node.at("old") as client:
        asked = await call(client)
        params = {"name": "ask", "arguments": {}, **accepts(asked), **changed}
        answer, _ = await client.forward("tools/call", params, capabilities=ABLE)
        assert isinstance(answer, ErrorResponse)
        assert answer.error.code == -32602
        # The call is still there for who has the right one.
        assert "content" in await call(client, **accepts(asked))


async def test_a_state_is_of_no_use_on_another_path() -> None:
    async with (
        gateway({"old": program(ASKER), "same": program(ASKER)}) as node,
        node.at("old") as client,
        node.at("same") as other,
    ):
        asked = await call(client)
        assert (await call(other, **accepts(asked)))["code"] == -32602


async def test_a_client_that_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "LIFETIME", 0.2)
    async with gateway({"old": program(ASKER)}) as node, node.at("old") as client:
        asked = await call(client)
        await until(client, lambda seen: len(seen["answers"]) == len(seen["seen"]) == 1)
        await call(client, arguments={"method": "roots/list", "params": {}})
        seen = await until(client, lambda seen: len(seen["answers"]) == len(seen["seen"]) == 2)
        assert seen["seen"] == ["cancelled", "cancelled"]
        first, second = seen["answers"]
        assert first == {"action": "cancel"}
        assert "did not come back" in second["message"]
        assert (await call(client, **accepts(asked)))["code"] == -32602


async def test_an_upstream_that_crashes_meanwhile() -> None:
    async with gateway({"old": program(ASKER)}) as node, node.at("old") as client:
        asked = await call(client)
        with pytest.raises(McpError, match="ended with status 7"):
            await client.call_tool("die")
        told = await call(client, **accepts(asked))
        assert "upstream 'old': tools/call: " in told["message"]
        assert "my last words" in told["message"]


async def test_an_upstream_that_needs_no_answer_any_more() -> None:
    async with gateway({"old": program(ASKER)}) as node, node.at("old") as client:
        asked = await call(client, "ask_and_answer")
        assert said(await client.call_tool("take_back")) == "taken back"
        done = await call(client, "ask_and_answer", **accepts(asked))
        assert done["content"][0]["text"] == "without you"


async def test_a_question_that_is_withdrawn_is_withdrawn_at_an_older_client() -> None:
    ended = trio.Event()
    asked = trio.Event()

    async def elicit(_: ElicitParams) -> None:
        asked.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with (
        gateway({"old": program(ASKER)}) as node,
        node.at("old", mode="legacy", elicit=elicit) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(client.call_tool, "ask_and_answer")
        with trio.fail_after(20):
            await asked.wait()
            await client.call_tool("take_back")
            await ended.wait()


async def test_a_round_that_is_cancelled_is_the_end_of_the_call() -> None:
    async with gateway({"old": program(ASKER)}) as node, node.at("old") as client:
        asked = await call(client, "ask_and_answer")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_never_ends, client, accepts(asked))
            await until(client, lambda seen: len(seen["answers"]) == 1)
            nursery.cancel_scope.cancel()
        await until(client, lambda seen: seen["seen"] == ["cancelled"])
        assert (await call(client, "ask_and_answer", **accepts(asked)))["code"] == -32602


async def _never_ends(client: Client, params: dict[str, Any]) -> None:
    await call(client, "ask_and_answer", **params)
    raise AssertionError("it has ended")


async def test_calls_that_wait_for_their_clients_take_half_of_the_places(upstream: Any) -> None:
    config = msgspec.structs.replace(upstream("legacy"), concurrency=3)
    async with gateway({"web": config}) as node, node.at("web") as client:
        asked = await call(client, "try_to_ask")
        refused = await call(client, "try_to_ask")
        assert "1 calls wait for their clients already" in refused["content"][0]["text"]
        done = await call(client, "try_to_ask", **accepts(asked))
        assert done["content"][0]["text"] == "got Ada"
        assert "inputRequests" in await call(client, "try_to_ask")


# --- what is of no request -------------------------------------------------------------------


@pytest.mark.parametrize("way", ["at", "by_socket"])
async def test_an_older_upstream_is_told_of_new_roots_and_asks_who_has_them(way: str) -> None:
    roots = ["file:///a"]
    async with (
        gateway({"old": program(ASKER)}) as node,
        getattr(node, way)("old", mode="legacy", roots=lambda: roots) as client,
        node.at("old", mode="legacy", roots=["file:///other"]) as other,
    ):
        await other.list_tools()
        roots[:] = ["file:///b"]
        await client.roots_changed()
        seen = await until(client, lambda seen: seen["answers"])
        assert seen["seen"] == ["roots changed"]
        assert seen["answers"] == [{"roots": [{"uri": "file:///b"}]}]


async def test_an_older_upstream_that_asks_out_of_the_blue_is_told_that_nobody_is_there() -> None:
    blue = OLD.replace(
        'elif method == "ping":',
        'elif method == "notifications/initialized":\n'
        '        say({"jsonrpc": "2.0", "id": "q", "method": "roots/list"}); WAITING["q"] = {"id": 0}\n'
        '        answer = lambda asked, result: (ANSWERS.append(result) if asked["id"] == 0 else\n'
        '            say({"jsonrpc": "2.0", "id": asked["id"], "result": result}))\n'
        '        ANSWERS = []\n    elif method == "ping":',
    ).replace("text(len(NEVER))", "text(ANSWERS)")
    async with (
        gateway({"old": program(blue)}) as node,
        node.at("old", mode="legacy", roots=["file:///a"]) as client,
    ):
        with trio.fail_after(20):
            while "nobody knows whom" not in (said(await client.call_tool("count"))):
                await trio.sleep(0.01)


async def test_a_server_process_that_is_killed_takes_its_parked_calls_along() -> None:
    async with gateway({"old": program(ASKER)}) as node, node.at("old") as client:
        asked = await call(client)
        server = whereis("server_old")
        assert server is not None
        exit_signal(server, "kill")
        await until(client, lambda seen: seen["seen"] == ["cancelled"])
        assert (await call(client, **accepts(asked)))["code"] == -32602
        assert "inputRequests" in await call(client)
