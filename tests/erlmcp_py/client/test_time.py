"""The time of requests, under a virtual clock."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from erlmcp_py.client import ConnectError, ConnectionLost, NotConnected, RequestTimeout
from erlmcp_py.client.calls import Call, InFlight, TimeIsUp
from erlmcp_py.client.deadlines import Deadlines
from erlmcp_py.client.desk import Desk
from erlmcp_py.client.handlers import Handlers
from erlmcp_py.client.requesting import LONGEST, Requests
from erlmcp_py.protocol.notifications import ProgressParams
from erlmcp_py.server import Context, Server
from supervisors import Runtime
from tests.erlmcp_py.client.serving import connected

ways = pytest.mark.parametrize("transport", ["http", "in_process"])


def slow() -> Server:
    server = Server("slow", version="1")

    @server.tool(timeout=10 * LONGEST)
    async def steps(ctx: Context, count: int) -> str:
        """A step every twenty seconds."""
        for number in range(count):
            await trio.sleep(20)
            ctx.report_progress(number + 1, count)
        return "done"

    return server


@ways
async def test_progress_gives_a_request_its_time_again(
    transport: str, autojump_clock: object
) -> None:
    async with connected(slow(), transport) as client:
        told: list[object] = []
        await client.call_tool("steps", {"count": 5}, on_progress=told.append)
        assert len(told) == 5
        began = trio.current_time()
        with pytest.raises(RequestTimeout):
            await client.call_tool("steps", {"count": 5})
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)


@ways
async def test_but_not_for_ever(transport: str, autojump_clock: object) -> None:
    async with connected(slow(), transport) as client:
        began = trio.current_time()
        with pytest.raises(RequestTimeout, match="3600 s, only progress"):
            await client.call_tool("steps", {"count": 10_000}, on_progress=lambda _: None)
        assert trio.current_time() - began == pytest.approx(LONGEST, abs=0.1)


@pytest.mark.parametrize("transport", ["http", "tcp"])
async def test_while_its_server_waits_for_an_answer_a_request_has_time(
    transport: str, autojump_clock: object
) -> None:
    server = Server("asking", version="1")

    @server.tool(timeout=10 * LONGEST)
    async def ask(ctx: Context, then: float) -> str:
        """Ask, then take as long."""
        form = {"type": "object", "properties": {"n": {"type": "string"}}}
        name = (await ctx.elicit(form, "your name?"))["n"]
        await trio.sleep(then)
        return f"hello {name}"

    async def slowly(_: object) -> dict[str, str]:
        await trio.sleep(300)
        return {"n": "Ada"}

    async with connected(server, transport, "legacy", elicit=slowly) as client:
        told = await client.call_tool("ask", {"then": 20})
        assert told.content[0].text == "hello Ada"
        with pytest.raises(RequestTimeout, match="no answer within 30 s"):
            await client.call_tool("ask", {"then": 40})


times = st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, 30.0])


@given(st.lists(st.tuples(times, times, st.booleans()), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_every_call_of_a_link_has_its_own_time(calls: list[tuple[float, float, bool]]) -> None:
    """Each begins when the one before has been there for a while, may report progress once, one second
    after its beginning, and ends when its time is up.
    """
    ends: dict[int, float] = {}

    async def caller(
        number: int, patience: float, progress: bool, link: InFlight, note: Any
    ) -> None:
        call = Call("tools/call", {})
        began = trio.current_time()
        call.patience, call.deadline, call.note = patience, began + patience, note
        link.begin(call)
        note(call.deadline)
        try:
            if progress and patience > 1:
                await trio.sleep(1)
                call.progressed(ProgressParams(call.id, 1))
            with pytest.raises(TimeIsUp):
                await call.wait()
        finally:
            link.end(call)
        ends[number] = trio.current_time() - began

    async def main() -> None:
        link = InFlight()
        deadlines = Deadlines(link)
        async with trio.open_nursery() as watch:
            watch.start_soon(deadlines.run)
            async with trio.open_nursery() as nursery:
                for number, (after, patience, progress) in enumerate(calls):
                    await trio.sleep(after)
                    nursery.start_soon(caller, number, patience, progress, link, deadlines.note)
            watch.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    for number, (_, patience, progress) in enumerate(calls):
        late = 1 if progress and patience > 1 else 0
        assert ends[number] == pytest.approx(patience + late, abs=1e-6)


class Broken:
    """A link whose other end is gone, which nobody has noticed yet."""

    version = "2026-07-28"
    keeps_time = False
    tries = 0

    async def send(self, _call: Call) -> Any:
        self.tries += 1
        raise ConnectionLost("nobody reads", maybe_done=False)


class Whole(Broken):
    async def send(self, _call: Call) -> Any:
        return "the answer"


async def test_what_could_not_be_sent_goes_with_the_next_connection_at_once(
    autojump_clock: object,
) -> None:
    desk: Any = Desk()
    async with Runtime("test"):
        broken, whole = Broken(), Whole()
        desk.up(broken, None)

        async def reconnect() -> None:
            await trio.sleep(0.01)
            assert broken.tries == 2
            desk.down(broken, ConnectionLost("it has ended"))
            await trio.sleep(0.01)
            desk.up(whole, None)

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reconnect)
            answer, _ = await Requests(desk, Handlers()).answer(Call("tools/call", {}), 30)
        assert answer == "the answer"
        assert trio.current_time() - began == pytest.approx(0.02)


class Refused(Broken):
    async def send(self, _call: Call) -> Any:
        raise ConnectError("nobody listens")


async def test_what_could_never_be_sent_says_why(autojump_clock: object) -> None:
    desk: Any = Desk()
    async with Runtime("test"):
        desk.up(Refused(), None)
        with pytest.raises(NotConnected, match="not connected for 30 s: nobody listens"):
            await Requests(desk, Handlers()).answer(Call("tools/call", {}), 30)
