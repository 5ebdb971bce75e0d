"""A node that is started twice, each time in an interpreter of its own: run by `test_two_runs`.

``python two_runs.py [LATE]`` opens the node "paris", which tells "rome" of a process and an
alias of its own and calls a server there, and prints what "rome" answers, in base64, with the
pickled pid. LATE: the same of an earlier run, which arrives now.
"""

from __future__ import annotations

import base64
import pickle
import sys
from typing import Any

import trio

import supervisors as otp
from supervisors import Runtime
from supervisors.distribution import Codec
from supervisors.distribution.signals import Signal
from supervisors.testing import wait_all_blocked


class Wire:
    """The end of a bus that keeps what it is to carry."""

    def __init__(self, runtime: Runtime) -> None:
        self.codec = Codec(runtime.endpoint)
        self.sent: list[bytes] = []

    def send(self, node: str, signal: Signal) -> None:
        self.sent.append(self.codec.encode(signal))

    async def connect(self, node: str) -> bool:
        return False

    def disconnect(self, node: str) -> None: ...

    def close(self) -> None: ...


async def traveller(told: list[Any], got: list[Any]) -> None:
    """Gives rome a pid and an alias, and takes what comes."""
    told.append((otp.self(), otp.alias()))
    otp.send(("clerk", "rome"), told[0])
    while True:
        got.append(await otp.receive())


async def customer(got: list[Any]) -> None:
    got.append(await otp.call(("shop", "rome"), "bread?", timeout=60))


class Shop(otp.GenServer):
    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", "bread", state


async def clerk() -> None:
    for address in await otp.receive():
        otp.send(address, "welcome")
    await trio.sleep_forever()


async def run(late: tuple[bytes, list[bytes]] | None) -> tuple[bytes, list[bytes]]:
    async with Runtime("paris") as paris, Runtime("rome") as rome:
        wires = [Wire(runtime) for runtime in (paris, rome)]
        for runtime, wire, other in zip((paris, rome), wires, ("rome", "paris"), strict=True):
            runtime.endpoint.attach(wire)
            runtime.endpoint.up(other)
            wire.sent.clear()
        with rome.active():
            otp.register("clerk", otp.spawn(clerk))
            await Shop.start(name="shop")
        told: list[Any] = []
        got: list[Any] = []
        with paris.active():
            otp.spawn(traveller, told, got)
            otp.spawn(customer, got)
        await wait_all_blocked()
        here = told[0][0]
        if late is not None:
            pickled, signals = late
            with paris.active():
                past = pickle.loads(pickled)
                assert repr(past) == repr(here), "the runs have to repeat their numbers"
                assert past != here
                assert (past < here) != (here < past)
                assert pickle.loads(pickle.dumps(past)) is past
                assert not otp.is_alive(past)
            for data in signals:
                paris.endpoint.deliver("rome", wires[0].codec.decode(data))
            otp.send(past, "for the past one")
            await wait_all_blocked()
            assert got == [], got
        for data in wires[0].sent:
            rome.endpoint.deliver("paris", wires[1].codec.decode(data))
        await wait_all_blocked()
        answers = list(wires[1].sent)
        for data in answers:
            paris.endpoint.deliver("rome", wires[0].codec.decode(data))
        await wait_all_blocked()
        assert sorted(got) == ["bread", "welcome", "welcome"], got
        return pickle.dumps(here), answers


if __name__ == "__main__":
    earlier = pickle.loads(base64.b64decode(sys.argv[1])) if len(sys.argv) > 1 else None
    sys.stdout.write(base64.b64encode(pickle.dumps(trio.run(run, earlier))).decode())
