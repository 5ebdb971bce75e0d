"""What was pickled on one node and cannot be unpickled on the other: the fault of who sent it.

An exception whose ``__init__`` takes more than it hands on is enough, or a class that the
other node does not have.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import CallExit, GenServer, WarningReport
from supervisors.distribution import Codec, global_, nodes
from supervisors.distribution.signals import Down
from supervisors.testing import events


def explode() -> None:
    raise RuntimeError("not on this node")


class Odd:
    """Can be pickled, and not unpickled."""

    def __init__(self) -> None:
        self.more = [{"of": "it"}, {1, 2}]

    def __reduce__(self) -> Any:
        return explode, (), {"more": self.more}, iter(self.more), iter({"key": self}.items())


class Fussy(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)


class Echo(GenServer):
    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        replies = {"odd": Odd(), "generator": (n for n in ())}
        return (
            "reply",
            replies.get(request, request) if isinstance(request, str) else request,
            state,
        )

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "stop", ("odd", Odd()), state


ECHO = ("echo", "b")


async def start() -> None:
    await Echo.start(name="echo")


async def test_a_message_that_cannot_be_read_is_lost_alone(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        await nodes_.on("b", start)
        with nodes_.runtimes["b"].active(), events() as seen:

            async def main():
                for odd in (Odd(), ["nested", Odd()]):
                    otp.send(ECHO, odd)
                    otp.cast(ECHO, odd)
                assert await otp.call(ECHO, "there") == "there"
                assert nodes() == ["b"]

            await nodes_.on("a", main)
        reports = seen.of(WarningReport)
        assert len(reports) == 4
        assert reports[0].details == {"node": "a", "error": "RuntimeError: not on this node"}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ("odd", "RuntimeError: not on this node"),
        (("odd", Odd()), "RuntimeError: not on this node"),
        ("generator", "cannot send to another node"),
    ],
    ids=["reply", "request", "reply that cannot be sent"],
)
async def test_a_call_that_cannot_be_read_fails_alone(autojump_clock, cluster, request_, why):
    async with cluster("a", "b") as nodes_:
        await nodes_.on("b", start)

        async def main():
            with pytest.raises(CallExit) as failed:
                await otp.call(ECHO, request_)
            assert failed.value.cause[0] == "badarg"
            assert why in failed.value.cause[1]
            assert await otp.call(ECHO, "there") == "there"

        await nodes_.on("a", main)
        await nodes_.rest()
        for runtime in nodes_.runtimes.values():
            assert runtime.endpoint.watching == runtime.endpoint.asked == {}


async def test_an_end_whose_reason_cannot_be_read_is_told(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        await nodes_.on("b", start)

        async def main():
            otp.trap_exit()
            pid = nodes_.seen_from("a", nodes_.runtimes["b"].names["echo"])
            otp.link(pid)
            ref = otp.monitor(pid)
            otp.cast(pid, "stop")
            told = {(await otp.receive(timeout=9))[0:2]: None for _ in range(2)}
            assert set(told) == {("EXIT", pid), ("DOWN", ref)}

        await nodes_.on("a", main)


async def test_an_exception_that_wants_more_arguments_is_told_as_text(cluster):
    async with cluster("a", "b") as nodes_:
        one, other = (Codec(runtime.endpoint) for runtime in nodes_.runtimes.values())
        signal = other.decode(one.encode(Down(5, (Fussy(1, "no bread"), "stack"))))
        assert isinstance(signal, Down)
        assert signal.number == 5
        assert "Fussy" in signal.reason


async def test_a_resolve_function_that_raises_leaves_the_name_to_nobody(autojump_clock, cluster):
    async with cluster("a", "b") as nodes_:
        nodes_.network.disconnect("a", "b")

        def resolve(*_: Any) -> otp.Pid:
            raise RuntimeError("cannot decide")

        async def take():
            pid = otp.spawn(trio.sleep_forever)
            assert await global_.register_name("leader", pid, resolve) == "yes"
            return pid

        pids = [await nodes_.on(node, take) for node in ("a", "b")]
        nodes_.network.connect("a", "b")
        await nodes_.rest()

        async def look():
            return global_.whereis_name("leader"), nodes()

        assert await nodes_.on("a", look) == (None, ["b"])
        assert await nodes_.on("b", look) == (None, ["a"])
        assert all(otp.is_alive(pid) for pid in pids)
