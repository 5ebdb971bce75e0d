"""Parked calls by themselves, in virtual time: whenever the client comes back, there is an end."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from msgspec import Raw

from erlmcp_py.gateway import pages, tasks
from erlmcp_py.gateway.pages import Pages
from erlmcp_py.gateway.parked import LIFETIME, Parked, Passage, Ticket
from erlmcp_py.gateway.tasks import TaskNews
from erlmcp_py.protocol.elicitation import at_url, form
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.input import ElicitRequest
from erlmcp_py.protocol.jsonrpc import Request, Response
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.scope import Scope
from supervisors import Pid, Runtime, exit_signal, is_alive, receive, spawn, spawn_monitor
from supervisors import self as own_pid

QUESTION = ElicitRequest(form("n?", {"type": "object", "properties": {"n": {"type": "string"}}}))
YES = Raw(b'{"action":"accept","content":{"n":"Ada"}}')


def scope_of(pid: Pid, **further: Any) -> Scope:
    return Scope(era="modern", version="2026-07-28", key=(pid, 1), notify=lambda _: None, **further)


def book(limit: int = 10) -> Parked:
    return Parked(StateSealer(), lambda: limit, trio.current_time)


class Call:
    """A call at an upstream that asks twice. heard: the answers the upstream got."""

    def __init__(self, parked: Parked) -> None:
        self.parked = parked
        self.heard: list[Any] = []
        self.ended = ""
        self.request = Request(1, "tools/call")
        self.passage: Passage | None = None

    async def travel(self) -> Response:
        assert self.passage is not None
        try:
            for _ in range(2):
                self.heard.append(await self.passage.put(QUESTION, {}, "2025-11-25"))
            self.ended = "answered"
            return Response(1, self.heard)
        finally:
            self.ended = self.ended or "cancelled"

    async def first(self, owner: Pid) -> list[str]:
        """The client's first request: the keys of what it is asked."""
        passage = self.passage = Passage(
            self.parked, self.request, scope_of(own_pid()), "it/tools/call"
        )
        passage.start(self.travel, 1, owner)
        return await self._next(passage, 1)

    async def again(self, id: int, answers: dict[str, Raw]) -> Any:
        """A further request: the keys of what is asked then, or the answer. Raises McpError."""
        assert self.passage is not None
        passage = self.parked.find(Ticket(self.passage.id))
        passage.resume(Request(id, "tools/call"), scope_of(own_pid()), answers)
        return await self._next(passage, id)

    async def _next(self, passage: Passage, id: int) -> Any:
        outcome = await passage.outcome(id)
        if isinstance(outcome, dict):
            passage.park()
            return list(outcome)
        return outcome


async def in_process(work: Any, *args: Any) -> Any:
    """What comes of it in a process of its own, which then ends."""
    done: list[Any] = []

    async def run() -> None:
        try:
            done.append(await work(*args))
        except McpError as refused:
            done.append(refused)

    _, ref = spawn_monitor(run)
    await receive(lambda message: message[0] == "DOWN" and message[1] is ref)
    return done[0]


def owner() -> Pid:
    async def live() -> None:
        await trio.sleep_forever()

    return spawn(live)


async def emptied(parked: Parked) -> None:
    """Wait until no call is left."""
    while len(parked):
        await trio.sleep(0.01)


def in_runtime(test: Any) -> Any:
    """Have it run in a process."""

    async def wrapped(autojump_clock: Any, *args: Any, **named: Any) -> None:
        finished = trio.Event()
        failures: list[BaseException] = []

        async def run() -> None:
            try:
                await test(*args, **named)
            except BaseException as failure:
                failures.append(failure)
                raise
            finally:
                finished.set()

        async with Runtime("test"):
            with trio.fail_after(1_000_000):
                spawn(run)
                await finished.wait()
        if failures:
            raise failures[0]

    wrapped.__name__ = test.__name__
    return wrapped


@in_runtime
async def test_two_rounds_and_an_end() -> None:
    parked = book()
    call = Call(parked)
    (key,) = await in_process(call.first, owner())
    assert len(parked) == 1
    await trio.sleep(LIFETIME - 1)
    (other,) = await in_process(call.again, 2, {key: YES})
    assert other != key
    # What was answered is not asked again, and its time begins anew with each round.
    await trio.sleep(LIFETIME - 1)
    assert await in_process(call.again, 3, {key: YES}) == [other]
    await trio.sleep(LIFETIME - 1)
    answer = await in_process(call.again, 4, {other: YES})
    assert answer.id == 4
    assert len(answer.result) == 2
    await emptied(parked)


@in_runtime
async def test_at_whatever_moment_the_client_comes_back_there_is_an_end() -> None:
    for late in (-1.0, -0.001, 0.0, 0.001, 1.0):
        parked = book()
        call = Call(parked)
        (key,) = await in_process(call.first, owner())
        await trio.sleep(LIFETIME + late)
        found = await in_process(call.again, 2, {key: YES})
        if isinstance(found, list):
            assert late <= 0
            await in_process(call.again, 3, {found[0]: YES})
            assert call.ended == "answered"
        else:
            assert late >= 0
            assert "has ended; send the request anew" in str(found)
            assert call.ended == "cancelled"
        await emptied(parked)


@in_runtime
async def test_two_requests_do_not_continue_one_call() -> None:
    parked = book()
    call = Call(parked)
    (key,) = await in_process(call.first, owner())
    assert call.passage is not None
    waiting = trio.Event()

    async def hang() -> None:
        passage = parked.find(Ticket(call.passage.id))  # type: ignore[union-attr]
        passage.resume(call.request, scope_of(own_pid()), {})
        waiting.set()
        await trio.sleep_forever()

    pid = spawn(hang)
    await waiting.wait()
    refused = await in_process(call.again, 3, {key: YES})
    assert "another request is continuing" in str(refused)
    # Whoever continues it and is cancelled takes it along.
    exit_signal(pid, "kill")
    await emptied(parked)
    assert not is_alive(pid)
    assert call.ended == "cancelled"
    assert "has ended" in str(await in_process(call.again, 4, {key: YES}))


@in_runtime
async def test_it_ends_with_the_server_it_came_to() -> None:
    parked = book()
    call = Call(parked)
    server = owner()
    await in_process(call.first, server)
    exit_signal(server, "kill")
    began = trio.current_time()
    await emptied(parked)
    assert call.ended == "cancelled"
    assert trio.current_time() < began + LIFETIME  # not because its client was away for so long


@in_runtime
async def test_beyond_the_limit_the_upstream_is_told_and_the_call_goes_on() -> None:
    parked = book(1)
    first, second = Call(parked), Call(parked)
    await in_process(first.first, owner())
    refused = await in_process(second.first, owner())
    assert "1 calls wait for their clients already" in refused.error.message
    assert len(parked) == 1


@in_runtime
async def test_what_is_remembered_of_pages_and_tasks_is_bounded() -> None:
    peer = owner()
    scope = Scope(
        era="legacy",
        version="2025-11-25",
        key=(peer, 1),
        notify=lambda _: None,
        peer=peer,
    )
    visited, news = Pages(), TaskNews()
    for number in range(pages.LIMIT + 10):
        visited.asked(at_url("m", "https://example.org", f"e{number}"), scope)
        news.begun(f"t{number}", "shown", scope)
    assert len(visited) == pages.LIMIT
    assert len(news) == tasks.LIMIT


def test_a_state_says_nothing_and_expires() -> None:
    now = 1000.0
    parked = Parked(StateSealer(), lambda: 1, lambda: now)
    state = parked.seal(Ticket("secret"), b"binding")
    assert "secret" not in state
    assert parked.open(state, b"binding") == Ticket("secret")
    with pytest.raises(McpError):
        parked.open(state, b"another")
    with pytest.raises(McpError, match="has ended"):
        parked.find(Ticket("secret"))
    now += LIFETIME + 1
    with pytest.raises(McpError, match="expired"):
        parked.open(state, b"binding")
