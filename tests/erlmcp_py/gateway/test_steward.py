"""Instances that are started and stopped while requests come at every moment and processes are killed, in
virtual time.

The programs are links in memory that take their time to begin and to end; all else is what a node has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

import supervisors
from erlmcp_py.client import ClientError, connection
from erlmcp_py.client.calls import Answer, Call
from erlmcp_py.client.errors import ConnectionLost
from erlmcp_py.client.link import Hello
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import steward
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.instances import instances_spec
from erlmcp_py.gateway.passing import pass_on
from erlmcp_py.gateway.steward import steward_spec
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import Request, Response, raw
from erlmcp_py.protocol.versions import Era
from erlmcp_py.server.interaction.seal import StateSealer
from erlmcp_py.server.scope import Scope
from supervisors import Pid, Supervisor, SupFlags, current_runtime, exit_signal, process_info
from supervisors.testing import run

BEGINS, ENDS, WORKS = 0.5, 0.25, 0.125
"""Seconds that a program takes for it."""
IDLE = 4.0

ANSWERS: dict[str, Any] = {
    "server/discover": {
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {}},
        "resultType": "complete",
    },
    "tools/list": {"tools": [], "resultType": "complete"},
}


class Program:
    """A link to a program that answers everything after a while. alive: how many there are."""

    alive = 0
    most = 0
    started = 0

    def __init__(self) -> None:
        self.era: Era = "modern"
        self.version = "2026-07-28"
        self.hello: Hello | None = None
        self.keeps_time = False
        self.ended = trio.Event()

    async def send(self, call: Call) -> Answer:
        answer = ANSWERS.get(call.method)
        if answer is None:
            with trio.move_on_after(WORKS):
                await self.ended.wait()
        if self.ended.is_set():
            raise ConnectionLost("the program has ended", maybe_done=True)
        return Response(1, raw({} if answer is None else answer))

    async def tell(self, method: str, params: Any) -> None:
        pass

    def greeted(self, hello: Hello) -> None:
        self.hello = hello

    async def attend(self) -> None:
        await trio.sleep_forever()

    async def listening(self) -> None:
        pass

    def lose(self, make: Callable[[], BaseException]) -> None:
        self.ended.set()


@asynccontextmanager
async def open_program(*_: Any) -> AsyncIterator[Program]:
    await trio.sleep(BEGINS)
    program = Program()
    Program.alive += 1
    Program.started += 1
    Program.most = max(Program.most, Program.alive)
    try:
        yield program
    finally:
        program.lose(AssertionError)
        with trio.CancelScope(shield=True):
            await trio.sleep(ENDS)
            Program.alive -= 1


@asynccontextmanager
async def never_opened(*_: Any) -> AsyncIterator[Program]:
    await trio.sleep_forever()
    yield Program()


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "open_link", open_program)


class Above(Supervisor):
    def init(self, upstream: Upstream) -> Any:
        return SupFlags("one_for_one", 100, 1), [
            instances_spec(upstream),
            steward_spec(upstream),
        ]


def scope(client: str | None = None) -> Scope:
    return Scope(
        era="modern" if client is None else "legacy",
        version="2026-07-28",
        key=(None, 1),  # type: ignore[arg-type]
        notify=lambda _: None,
        client=client,
    )


async def ask(upstream: Upstream) -> None:
    async with upstream.admitted(scope()) as instance:
        await instance.forward("tools/call", {"name": "any"})


def upstream_of(**further: Any) -> Upstream:
    Program.alive = Program.most = Program.started = 0
    config = UpstreamConfig(command="it", **further)
    return Upstream("it", config, current_runtime().now, StateSealer())


async def checkpoints(count: int) -> None:
    for _ in range(count):
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("pool", [1, 2])
def test_a_request_at_any_step_of_falling_asleep_is_answered(pool: int) -> None:
    """The first step of a stop is the one at which its time is over; after `last`, it sleeps."""

    async def main(step: int) -> tuple[str, int]:
        upstream = upstream_of(idle_timeout=IDLE, pool=pool)
        await Above.start_link(upstream)
        await ask(upstream)
        await trio.sleep(IDLE)
        await checkpoints(step)
        phase = upstream.sleep.phase
        await ask(upstream)
        assert upstream.standing().failures == 0
        return phase, Program.started

    seen = [run(main, step, seed=step) for step in range(40)]
    phases = {phase for phase, _ in seen}
    assert phases >= {"awake", "stopping"}, "the steps do not reach what they are to try"
    assert {started for phase, started in seen if phase == "stopping"} == {2 * pool}


@given(
    offsets=st.lists(st.integers(0, 80), min_size=1, max_size=12),
    pool=st.integers(1, 3),
    concurrency=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_requests_at_any_time_are_answered_and_in_the_end_it_sleeps(
    offsets: list[int], pool: int, concurrency: int, seed: int
) -> None:
    async def main() -> None:
        upstream = upstream_of(
            idle_timeout=0.25, on_demand=True, pool=pool, concurrency=concurrency
        )
        await Above.start_link(upstream)
        async with trio.open_nursery() as nursery:

            async def one(offset: int) -> None:
                await trio.sleep(offset / 16)
                await ask(upstream)

            for offset in offsets:
                nursery.start_soon(one, offset)
        await trio.sleep(60)
        assert upstream.standing().state == "asleep"
        assert upstream.standing().failures == 0
        assert Program.alive == 0
        assert Program.most <= pool

    run(main, seed=seed)


@given(
    offsets=st.lists(st.integers(0, 80), min_size=1, max_size=8),
    kills=st.lists(
        st.tuples(
            st.integers(0, 80), st.integers(0, 30), st.sampled_from(["steward", "instances"])
        ),
        max_size=4,
    ),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100)
def test_whatever_of_it_is_killed_every_request_ends_and_the_next_one_is_answered(
    offsets: list[int], kills: list[tuple[int, int, str]], seed: int
) -> None:
    async def main() -> None:
        upstream = upstream_of(idle_timeout=0.25, on_demand=True, restarts=100)
        await Above.start_link(upstream)

        async def one(offset: int) -> None:
            await trio.sleep(offset / 16)
            with suppress(ClientError, McpError) if kills else nullcontext():
                await ask(upstream)

        async def kill(offset: int, step: int, what: str) -> None:
            await trio.sleep(offset / 16)
            await checkpoints(step)
            pid: Pid | None = getattr(upstream, "steward" if what == "steward" else "supervisor")
            if pid is not None:  # there are instances
                exit_signal(pid, "kill")

        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                for offset in offsets:
                    nursery.start_soon(one, offset)
                for each in kills:
                    nursery.start_soon(kill, *each)
        await trio.sleep(60)
        assert upstream.standing().state == "asleep"
        assert Program.alive == 0
        await ask(upstream)
        assert Program.alive == 1

    run(main, seed=seed)


def test_of_many_that_sleep_some_are_started_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steward, "STARTS", 2)
    begun: list[float] = []

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Program]:
        begun.append(current_runtime().now())
        async with open_program() as program:
            yield program

    monkeypatch.setattr(connection, "open_link", opened)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                upstream = upstream_of(on_demand=True)
                await Above.start_link(upstream)
                nursery.start_soon(ask, upstream)

    run(main)
    assert begun == [0, 0, BEGINS, BEGINS, 2 * BEGINS]


def test_whoever_waits_for_a_place_does_so_no_longer_than_for_an_answer() -> None:
    async def main() -> None:
        upstream = upstream_of(concurrency=1, timeout=10.0)
        await Above.start_link(upstream)
        async with upstream.admitted(scope()):
            began = current_runtime().now()
            with pytest.raises(McpError, match="has had no time for this within 10 s") as refused:
                await ask(upstream)
            assert refused.value.data["refusal"] == 1005
            assert current_runtime().now() == began + 10
            with trio.move_on_after(5):
                await ask(upstream)
            assert upstream.waiting == 0  # who has given up waits no longer
        await ask(upstream)

    run(main)


def test_whoever_waits_for_one_that_starts_does_so_no_longer_than_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "open_link", never_opened)

    async def main() -> None:
        upstream = upstream_of(timeout=10.0, on_demand=True)
        await Above.start_link(upstream)
        with pytest.raises(McpError, match=r"'it' is starting since .*: no answer within 10 s"):
            await ask(upstream)
        assert current_runtime().now() == pytest.approx(10)

    run(main)


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_call_to_one_that_starts_waits_no_longer_than_for_an_answer(
    era: Era, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "open_link", never_opened)

    async def main() -> None:
        upstream = upstream_of(timeout=10.0)
        await Above.start_link(upstream)
        face = Face("it", (upstream,), together=False)
        request = Request(1, "tools/call", raw({"name": "any"}))
        of = scope(None if era == "modern" else "one")
        with pytest.raises(McpError, match=r"'it' is starting since .*: no answer within 10 s"):
            await pass_on(face, request, of, supervisors.self())
        assert current_runtime().now() == pytest.approx(10)

    run(main)


@pytest.mark.parametrize("first", ["look", "reload", "restart"])
def test_however_often_it_is_told_to_look_it_looks_once_in_its_time(first: str) -> None:
    async def main() -> None:
        upstream = upstream_of(idle_timeout=IDLE)
        await Above.start_link(upstream)
        await ask(upstream)
        upstream.errands.begun(1, "a task", raw({}), current_runtime().now())  # keeps it awake
        for _ in range(5):
            before = upstream.steward
            assert before is not None
            if first == "restart":
                exit_signal(before, "kill")
                while upstream.steward == before:
                    await trio.lowlevel.checkpoint()
            elif first == "reload":
                upstream.adjust(upstream.config)
            else:
                upstream.look()
            await trio.sleep(IDLE / 16)
        heard = process_info(upstream.steward, "messages_in")
        await trio.sleep(10.5 * IDLE)
        assert process_info(upstream.steward, "messages_in") - heard == 10
        assert upstream.sleep.phase == "awake"

    run(main)
