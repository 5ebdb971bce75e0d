"""Handlers that ask a client of 2026-07-28: the request ends, and is continued by another one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

import supervisors
from erlmcp_py.protocol.errors import INVALID_PARAMS
from erlmcp_py.protocol.lifecycle import ClientCapabilities
from erlmcp_py.server import Context, Elicit, Refused, Roots, Sample, Server
from erlmcp_py.server.interaction.seal import MAX_STATE
from erlmcp_py.server.scope import Scope
from tests.erlmcp_py.server.conftest import Connect, Peer

ALL = msgspec.convert({"elicitation": {}, "sampling": {}, "roots": {}}, ClientCapabilities)


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


def accepted(**content: Any) -> dict[str, Any]:
    return {"action": "accept", "content": content}


class Rounds:
    """A client that answers round by round. Its scope can be changed in between."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.principal: str | None = None
        self.capabilities: ClientCapabilities | None = ALL
        plain = peer.scope

        def scope(id: int | str = 1) -> Scope:
            return msgspec.structs.replace(
                plain(id), client_capabilities=self.capabilities, principal=self.principal
            )

        peer.scope = scope  # type: ignore[method-assign]

    async def call(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        params = {"name": tool, "arguments": arguments or {}, **more}
        return await self.peer.answer("tools/call", params)

    async def ask(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        """A round that must end with questions."""
        answer = await self.call(tool, arguments, **more)
        assert answer["result"]["resultType"] == "input_required", answer
        return answer["result"]

    async def done(self, tool: str, state: str | None, **responses: Any) -> str:
        """A round that must end with the result."""
        more: dict[str, Any] = {} if state is None else {"requestState": state}
        answer = await self.call(tool, inputResponses=responses, **more)
        return str(answer["result"]["content"][0]["text"])


@pytest.fixture
def client(connect: Connect) -> Callable[[Server], Any]:
    async def started(server: Server) -> Rounds:
        return Rounds(await connect(server))

    return started


def one_question(server: Server) -> None:
    @server.tool()
    async def greet(ctx: Context) -> str:
        """Ask."""
        return f"Hello, {(await ctx.elicit(Name)).name}!"


async def test_a_question_ends_the_round_and_its_answer_the_next(client: Any) -> None:
    server = Server("s", version="1")
    one_question(server)
    rounds = await client(server)
    asked = await rounds.ask("greet")
    (question,) = asked["inputRequests"].values()
    assert question["method"] == "elicitation/create"
    assert question["params"]["message"] == "What is your name?"
    text = await rounds.done("greet", asked["requestState"], **{"elicit-1": accepted(name="Ada")})
    assert text == "Hello, Ada!"


async def test_questions_of_one_nursery_are_asked_together(client: Any) -> None:
    server = Server("s", version="1")

    @server.tool()
    async def both(ctx: Context) -> str:
        """Ask side by side."""
        got: dict[str, str] = {}

        async def name(key: str) -> None:
            got[key] = (await ctx.elicit(Name, key=key)).name

        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            outer.start_soon(name, "first")
            inner.start_soon(name, "second")
        return f"{got['first']} {got['second']}"

    rounds = await client(server)
    asked = await rounds.ask("both")
    assert set(asked["inputRequests"]) == {"first", "second"}
    answers = {"first": accepted(name="Ada"), "second": accepted(name="Bob")}
    assert await rounds.done("both", asked["requestState"], **answers) == "Ada Bob"


async def test_a_failure_beside_a_question_matters_more(client: Any) -> None:
    server = Server("s", version="1")

    @server.tool()
    async def half(ctx: Context) -> str:
        """Ask, and fail."""

        async def fail() -> None:
            raise RuntimeError("boom")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ctx.roots)
            nursery.start_soon(fail)
        return "never"

    rounds = await client(server)
    result = (await rounds.call("half"))["result"]
    assert result["isError"]
    assert "crashed" in result["content"][0]["text"]
    (report,) = [r for r in rounds.peer.reports if isinstance(r, supervisors.CrashReport)]
    assert "RuntimeError('boom')" in repr(report.reason)


async def test_what_catches_every_exception_does_not_catch_the_question(client: Any) -> None:
    server = Server("s", version="1")

    @server.tool()
    async def careless(ctx: Context) -> str:
        """Catch what comes."""
        try:
            return (await ctx.elicit(Name)).name
        except Exception:
            return "swallowed"

    @server.tool()
    async def careless_beside(ctx: Context) -> str:
        """Catch what comes out of a nursery."""
        text = "asked and answered"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ctx.elicit, Name)
        except* Exception:
            text = "swallowed"
        return text

    rounds = await client(server)
    for tool in ("careless", "careless_beside"):
        assert (await rounds.ask(tool))["inputRequests"].keys() == {"elicit-1"}


@pytest.mark.parametrize(
    "useless", [{"action": "accept"}, {"action": "maybe"}, 7, None, accepted(name=7), accepted()]
)
async def test_an_answer_that_does_not_fit_is_asked_for_again(client: Any, useless: Any) -> None:
    server = Server("s", version="1")
    one_question(server)
    rounds = await client(server)
    state = (await rounds.ask("greet"))["requestState"]
    again = await rounds.ask(
        "greet", requestState=state, inputResponses={"elicit-1": useless, "unknown": accepted()}
    )
    assert again["inputRequests"].keys() == {"elicit-1"}
    answers = {"elicit-1": accepted(name="Ada"), "nobody asked": 3}
    assert await rounds.done("greet", again["requestState"], **answers) == "Hello, Ada!"


@pytest.mark.parametrize("nothing", [{}, {"inputResponses": None}, {"inputResponses": {}}])
async def test_no_answers_at_all_are_no_answers(client: Any, nothing: dict[str, Any]) -> None:
    server = Server("s", version="1")
    one_question(server)
    rounds = await client(server)
    state = (await rounds.ask("greet"))["requestState"]
    assert (await rounds.ask("greet", requestState=state, **nothing))["inputRequests"]


async def test_an_earlier_answer_counts_and_not_the_one_that_is_sent_again(client: Any) -> None:
    server = Server("s", version="1")

    @server.tool()
    async def two(ctx: Context) -> str:
        """Ask twice."""
        first = await ctx.elicit(Name)
        second = await ctx.elicit(Name)
        return f"{first.name} {second.name}"

    rounds = await client(server)
    state = (await rounds.ask("two"))["requestState"]
    second = await rounds.ask(
        "two", requestState=state, inputResponses={"elicit-1": accepted(name="Ada")}
    )
    assert second["inputRequests"].keys() == {"elicit-2"}
    answers = {"elicit-1": accepted(name="Eve"), "elicit-2": accepted(name="Bob")}
    assert await rounds.done("two", second["requestState"], **answers) == "Ada Bob"


async def test_a_refusal_is_kept_over_the_rounds(client: Any) -> None:
    server = Server("s", version="1")

    @server.tool()
    async def careful(ctx: Context) -> str:
        """Take a no."""
        try:
            await ctx.elicit(Name, key="name")
        except Refused as refused:
            roots = await ctx.roots()
            return f"{refused.action}, {len(roots)} roots"
        return "given"

    rounds = await client(server)
    state = (await rounds.ask("careful"))["requestState"]
    again = await rounds.ask(
        "careful", requestState=state, inputResponses={"name": {"action": "decline"}}
    )
    assert again["inputRequests"].keys() == {"roots-1"}
    text = await rounds.done("careful", again["requestState"], **{"roots-1": {"roots": []}})
    assert text == "decline, 0 roots"


async def test_a_step_happens_once_however_many_rounds_it_takes(client: Any) -> None:
    server = Server("s", version="1")
    booked: list[int] = []

    @server.tool()
    async def order(ctx: Context) -> str:
        """Book between questions."""

        def book() -> dict[str, int]:
            booked.append(1)
            return {"number": len(booked)}

        await ctx.elicit(Name)
        number = (await ctx.once("book", book))["number"]
        await ctx.elicit(Name)
        return f"{number}"

    rounds = await client(server)
    state = (await rounds.ask("order"))["requestState"]
    answers = {"elicit-1": accepted(name="Ada")}
    state = (await rounds.ask("order", requestState=state, inputResponses=answers))["requestState"]
    state = (await rounds.ask("order", requestState=state))["requestState"]
    assert await rounds.done("order", state, **{"elicit-2": accepted(name="Ada")}) == "1"
    assert len(booked) == 1


class TestAState:
    """Is good for the caller, the request and the time it was given for."""

    @pytest.fixture
    async def rounds(self, client: Any) -> Rounds:
        server = Server("s", version="1")
        for name in ("greet", "other"):

            @server.tool(name=name)
            async def ask(ctx: Context, title: str = "") -> str:
                """Ask."""
                return title + (await ctx.elicit(Name)).name

        rounds: Rounds = await client(server)
        rounds.principal = "alice"
        return rounds

    async def refused(self, rounds: Rounds, tool: str, state: str, **arguments: Any) -> str:
        answers = {"elicit-1": accepted(name="Ada")}
        answer = await rounds.call(tool, arguments, requestState=state, inputResponses=answers)
        assert answer["error"]["code"] == INVALID_PARAMS, answer
        return str(answer["error"]["message"])

    async def test_of_another_caller(self, rounds: Rounds) -> None:
        state = (await rounds.ask("greet"))["requestState"]
        rounds.principal = "mallory"
        assert "not one that this server gave" in await self.refused(rounds, "greet", state)
        rounds.principal = None
        assert "not one that this server gave" in await self.refused(rounds, "greet", state)

    async def test_of_another_tool(self, rounds: Rounds) -> None:
        state = (await rounds.ask("greet"))["requestState"]
        assert "not one that this server gave" in await self.refused(rounds, "other", state)

    async def test_of_other_arguments(self, rounds: Rounds) -> None:
        state = (await rounds.ask("greet", {"title": "Dr. "}))["requestState"]
        assert "not one" in await self.refused(rounds, "greet", state, title="Sir ")
        assert "not one" in await self.refused(rounds, "greet", state)

    async def test_of_another_server(self, rounds: Rounds, client: Any) -> None:
        state = (await rounds.ask("greet"))["requestState"]
        twin = Server("s", version="1")
        one_question(twin)
        stranger = await client(twin)
        stranger.principal = "alice"
        assert "not one that this server gave" in await self.refused(stranger, "greet", state)

    async def test_that_has_expired(self, rounds: Rounds) -> None:
        state = (await rounds.ask("greet"))["requestState"]

        def later(was: Any) -> Any:
            clock = was.host.clock
            was.host = dataclasses.replace(was.host, clock=lambda: clock() + 601.0)
            return was

        await supervisors.sys.replace_state(rounds.peer.pid, later)
        assert "expired" in await self.refused(rounds, "greet", state)

    async def test_that_is_too_large_to_travel(self, client: Any) -> None:
        server = Server("s", version="1")

        @server.tool()
        async def hoard(ctx: Context) -> str:
            """Remember too much."""
            await ctx.once("much", lambda: "x" * MAX_STATE)
            return (await ctx.elicit(Name)).name

        rounds = await client(server)
        error = (await rounds.call("hoard"))["error"]
        assert error["code"] == -32603
        assert f"at most {MAX_STATE}" in error["message"]


@pytest.mark.parametrize(
    ("question", "lacks"),
    [
        (Elicit(Name), {"elicitation": {}}),
        (Sample(messages="Hi"), {"sampling": {}}),
        (Roots(), {"roots": {}}),
    ],
)
async def test_what_the_client_has_not_declared_is_not_asked(
    client: Any, question: Any, lacks: dict[str, Any]
) -> None:
    server = Server("s", version="1")

    @server.tool()
    async def ask(ctx: Context) -> str:
        """Ask."""
        return str(await ctx.ask(it=question))

    rounds = await client(server)
    rounds.capabilities = ClientCapabilities()
    error = (await rounds.call("ask"))["error"]
    assert error["code"] == -32021
    assert error["data"]["requiredCapabilities"] == lacks
