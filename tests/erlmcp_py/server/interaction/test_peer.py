"""Handlers that ask a client of the older revisions, over two pipes and in virtual time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from erlmcp_py import sessions
from erlmcp_py.server import Context, Elicit, ElicitUrl, Refused, Roots, Sample, Server
from erlmcp_py.server.interaction.rounding import PATIENCE
from erlmcp_py.sessions.asks import LIMIT, Ask, Asks
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec as http_spec
from erlmcp_py.transports.stdio import Channel, StdioOptions, child_spec
from supervisors import call
from tests.erlmcp_py.transports.http.client import LEGACY, connect, initialize, legacy_call
from tests.erlmcp_py.transports.node import kill, node
from tests.erlmcp_py.transports.stdio.client import Pipes

ANSWER = {"action": "accept", "content": {"name": "Ada"}}


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


def make_server() -> Server:
    server = Server("asking", version="1")

    @server.tool(timeout=5.0)
    async def greet(ctx: Context) -> str:
        """Ask."""
        return (await ctx.elicit(Name)).name

    @server.tool(timeout=5.0)
    async def page(ctx: Context) -> str:
        """Send the user to a page."""
        await ctx.elicit_url("https://example.org/pay", "Pay there.", elicitation_id="pay-1")
        return "agreed"

    @server.tool(timeout=5.0)
    async def three(ctx: Context) -> str:
        """Three at once."""
        got = await ctx.ask(name=Elicit(Name), word=Sample(messages="Hi"), roots=Roots())
        return f"{got['name'].name} {got['word'].text} {len(got['roots'])}"

    @server.tool(timeout=5.0)
    async def hurried(ctx: Context) -> str:
        """Give the user ten seconds."""
        with trio.move_on_after(10.0):
            return (await ctx.elicit(Name)).name
        return "never mind"

    @server.tool(timeout=2.0)
    async def side_by_side(ctx: Context) -> str:
        """Two tasks ask; then a second of work."""

        async def ask(key: str) -> None:
            await ctx.elicit(Name, key=key)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "a")
            nursery.start_soon(ask, "b")
        await trio.sleep(1.0)
        return "both"

    @server.tool(timeout=2.0)
    async def slow_after(ctx: Context) -> str:
        """Ask, then work for longer than allowed."""
        await ctx.elicit(Name)
        await trio.sleep(3.0)
        return "never"

    @server.tool(timeout=5.0)
    async def able(ctx: Context) -> str:
        """What the client can be asked."""
        form, url = ctx.can(Elicit(Name)), ctx.can(ElicitUrl("https://example.org", "Go."))
        return f"{form} {url}"

    @server.tool(timeout=5.0)
    async def why(ctx: Context) -> str:
        """Say what the refusal says."""
        try:
            await ctx.elicit(Name)
        except Refused as refused:
            return f"{refused.action}: {refused}"
        return "given"

    return server


@contextlib.asynccontextmanager
async def client(version: str = LEGACY, **capabilities: Any) -> AsyncIterator[Pipes]:
    """A client that has shaken hands, with all capabilities or these."""
    server_in, client_out = os.pipe()
    client_in, server_out = os.pipe()
    pipes = Pipes(client_out, client_in)
    try:
        spec = child_spec(StdioOptions(), Channel(server_in, server_out, 1 << 20))
        async with node({"asking": make_server()}, spec):
            hello = initialize(version)
            everything = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
            hello["params"]["capabilities"] = capabilities or everything
            assert "result" in await pipes.ask(hello)
            yield pipes
    finally:
        os.close(server_in)
        os.close(server_out)
        await pipes.input.aclose()
        await pipes.output.aclose()


def reply_to(question: Any, **answer: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": question["id"], **answer}


def text(message: Any) -> str:
    return str(message["result"]["content"][0]["text"])


async def test_an_answer_reaches_the_handler_that_asked() -> None:
    async with client() as pipes:
        question = await pipes.ask(legacy_call("greet"))
        assert question["method"] == "elicitation/create"
        assert question["params"]["requestedSchema"]["properties"] == {"name": {"type": "string"}}
        assert text(await pipes.ask(reply_to(question, result=ANSWER))) == "Ada"


async def test_a_page_is_asked_for_by_its_url_and_id() -> None:
    async with client() as pipes:
        question = await pipes.ask(legacy_call("page"))
        assert question["params"] == {
            "mode": "url",
            "message": "Pay there.",
            "url": "https://example.org/pay",
            "elicitationId": "pay-1",
        }
        assert text(await pipes.ask(reply_to(question, result={"action": "accept"}))) == "agreed"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"error": {"code": -1, "message": "no user here"}}, "no user here (-1)"),
        ({"result": {"action": "decline"}}, "decline: the user declined"),
        ({"result": {"action": "cancel"}}, "cancel: the user closed"),
        ({"result": {"action": "maybe"}}, "cannot be used"),
        ({"result": {"action": "accept", "content": {"name": 7}}}, "cannot be used"),
    ],
)
async def test_what_is_no_answer_is_a_refusal_that_says_so(
    answer: dict[str, Any], says: str
) -> None:
    async with client() as pipes:
        question = await pipes.ask(legacy_call("why"))
        assert says in text(await pipes.ask(reply_to(question, **answer)))


async def test_a_client_that_does_not_answer_is_not_waited_for_for_ever(
    autojump_clock: MockClock,
) -> None:
    async with client() as pipes:
        began = trio.current_time()
        await pipes.send(legacy_call("why"))
        question = await receive_patiently(pipes)
        assert f"did not answer elicitation/create within {PATIENCE:g} s" in text(
            await receive_patiently(pipes, "result")
        )
        assert trio.current_time() - began >= PATIENCE
        # A late answer belongs to nobody, and disturbs nobody.
        await pipes.send(reply_to(question, result=ANSWER))
        question = await pipes.ask(legacy_call("greet", 2))
        assert text(await pipes.ask(reply_to(question, result=ANSWER))) == "Ada"


async def receive_patiently(pipes: Pipes, having: str = "method") -> Any:
    """The next message with this member, however long it takes in virtual time."""
    while True:
        while b"\n" not in pipes.buffer:
            pipes.buffer += await pipes.output.receive_some(65536)
        message = await pipes.receive()
        if having in message:
            return message


async def test_a_response_that_nobody_waits_for_is_ignored() -> None:
    async with client() as pipes:
        await pipes.send({"jsonrpc": "2.0", "id": "ask-77", "result": {}})
        await pipes.send({"jsonrpc": "2.0", "id": 5, "error": {"code": 1, "message": "x"}})
        question = await pipes.ask(legacy_call("greet"))
        assert text(await pipes.ask(reply_to(question, result=ANSWER))) == "Ada"


async def test_a_handler_that_is_cancelled_asks_no_more() -> None:
    async with client() as pipes:
        question = await pipes.ask(legacy_call("greet"))
        await pipes.send(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        )
        withdrawn = await pipes.receive()
        assert withdrawn["method"] == "notifications/cancelled"
        assert withdrawn["params"]["requestId"] == question["id"]


async def test_a_handler_that_loses_patience_withdraws_its_question_and_goes_on(
    autojump_clock: MockClock,
) -> None:
    async with client() as pipes:
        question = await pipes.ask(legacy_call("hurried"))
        withdrawn = await receive_patiently(pipes)
        assert withdrawn["method"] == "notifications/cancelled"
        assert withdrawn["params"]["requestId"] == question["id"]
        assert text(await pipes.receive()) == "never mind"


async def test_of_several_questions_the_first_refusal_withdraws_the_others() -> None:
    async with client() as pipes:
        await pipes.send(legacy_call("three"))
        questions = {q["method"]: q for q in [await pipes.receive() for _ in range(3)]}
        assert set(questions) == {"elicitation/create", "sampling/createMessage", "roots/list"}
        elicitation = questions.pop("elicitation/create")
        await pipes.send(reply_to(elicitation, result={"action": "decline"}))
        rest = [await pipes.receive() for _ in range(3)]
        withdrawn = {m["params"]["requestId"] for m in rest if "method" in m}
        assert withdrawn == {question["id"] for question in questions.values()}
        (result,) = [m["result"] for m in rest if "result" in m]
        assert result["isError"]


async def test_the_time_of_a_handler_stands_still_while_any_of_its_questions_waits(
    autojump_clock: MockClock,
) -> None:
    async with client() as pipes:
        await pipes.send(legacy_call("side_by_side"))
        first, second = await pipes.receive(), await pipes.receive()
        await trio.sleep(9.0)
        await pipes.send(reply_to(first, result=ANSWER))
        await trio.sleep(9.0)
        await pipes.send(reply_to(second, result=ANSWER))
        assert text(await pipes.receive()) == "both"


async def test_it_runs_on_afterwards(autojump_clock: MockClock) -> None:
    async with client() as pipes:
        question = await pipes.ask(legacy_call("slow_after"))
        await trio.sleep(9.0)
        assert "timed out after 2 s" in text(await pipes.ask(reply_to(question, result=ANSWER)))


@pytest.mark.parametrize(
    ("declared", "can"),
    [
        ({"elicitation": {}}, "True False"),
        ({"elicitation": {"form": {}}}, "True False"),
        ({"elicitation": {"url": {}}}, "False True"),
        ({"elicitation": {"form": {}, "url": {}}}, "True True"),
        ({"sampling": {}}, "False False"),
    ],
)
async def test_what_can_be_asked_follows_from_the_capabilities(
    declared: dict[str, Any], can: str
) -> None:
    async with client(**declared) as pipes:
        assert text(await pipes.ask(legacy_call("able"))) == can
        if can.startswith("False"):
            failed = await pipes.ask(legacy_call("greet", 2))
            assert failed["result"]["isError"]
            assert "elicitation" in text(failed)


@pytest.mark.parametrize(
    ("version", "can"),
    [("2025-11-25", "True True"), ("2025-06-18", "True False"), ("2025-03-26", "False False")],
)
async def test_what_a_revision_does_not_know_is_not_asked_whatever_was_declared(
    version: str, can: str
) -> None:
    async with client(version=version, elicitation={"form": {}, "url": {}}) as pipes:
        assert text(await pipes.ask(legacy_call("able"))) == can


async def test_a_session_that_is_killed_meanwhile_is_a_clear_failure() -> None:
    spec = http_spec(ListenerConfig(port=0))
    async with node({"asking": make_server()}, spec), connect() as stream:
        hello = initialize()
        hello["params"]["capabilities"] = {"elicitation": {}}
        answer = await stream.ask("POST", "/mcp", hello)
        session = answer.headers["mcp-session-id"]
        pid = await sessions.find(session)
        async with trio.open_nursery() as nursery:
            answers: list[Any] = []

            async def ask() -> None:
                answers.append(await stream.legacy(session, legacy_call("why")))

            nursery.start_soon(ask)
            while not (await call(pid, ("statistics",))).asks:
                await trio.sleep(0.01)
            await kill(pid)
        assert "the way to the client was lost" in answers[0].text


class TestTheTable:
    """`Asks`, by itself: what is sent is handed back."""

    def ask(self, asker: Any, ticket: object, sent: list[Any], heard: bool = True) -> Ask:
        def send(message: Any) -> bool:
            sent.append(message)
            return heard

        return Ask(asker, ticket, "roots/list", None, send)

    def test_no_more_than_a_client_can_be_expected_to_answer(self) -> None:
        asks, sent = Asks(), list[Any]()
        for number in range(LIMIT):
            assert asks.ask(self.ask(None, number, sent), number) is None
        assert asks.ask(self.ask(None, "one more", sent), 0) == (
            "failed",
            f"{LIMIT} requests wait at this client already",
        )
        assert len(sent) == len(asks) == LIMIT
        assert len({message.id for message in sent}) == LIMIT

    def test_nobody_is_asked_who_does_not_listen(self) -> None:
        asks = Asks()
        refused = asks.ask(self.ask(None, 1, [], heard=False), 0)
        assert refused == ("failed", "the client does not listen any more")
        assert len(asks) == 0

    def test_all_are_told_when_it_closes(self) -> None:
        asks = Asks()
        asks.ask(self.ask(None, 1, []), "a")
        asks.ask(self.ask(None, 2, []), "b")
        assert asks.close("over") == [("a", ("failed", "over")), ("b", ("failed", "over"))]
        assert len(asks) == 0
