"""Many clients at once, of both eras, doing everything: each request has one answer, none is lost."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.transports.conversation import Limits
from tests.erlmcp_py.transports.http.client import initialize, legacy_call
from tests.erlmcp_py.transports.messages import ask_name, cancel, modern
from tests.erlmcp_py.transports.tcp.client import Framing, TcpClient, World, listening

ANSWER = {"action": "accept", "content": {"name": "Ada"}}


class Member:
    """A client that sends at random, and keeps book."""

    def __init__(self, client: TcpClient, seed: int) -> None:
        self.client = client
        self.chance = random.Random(seed)
        self.legacy = seed % 2 == 0
        self.waiting: set[str] = set()
        self.cancelled: set[str] = set()
        self.answered = 0
        self.writing = trio.Lock()
        self.quiet = trio.Event()

    async def run(self, rounds: int) -> None:
        if self.legacy:
            hello = initialize()
            hello["params"]["capabilities"] = {"elicitation": {}}
            await self.client.query(hello)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.read)
            for number in range(rounds):
                await self.send(*self.some(number))
                await trio.sleep(self.chance.choice([0, 0, 0.001, 0.01]))
            with trio.fail_after(30):
                while self.waiting:
                    self.quiet = trio.Event()
                    await self.quiet.wait()
            nursery.cancel_scope.cancel()

    async def send(self, *messages: Any) -> None:
        async with self.writing:
            await self.client.say(*messages)

    def some(self, number: int) -> list[Any]:
        messages = []
        for index in range(self.chance.choice([1, 1, 3, 40])):
            id = f"{number}.{index}"
            messages.append(self.request(id))
            if self.chance.random() < 0.05:
                self.cancelled.add(id)
                messages.append(cancel(id))
            else:
                self.waiting.add(id)
        return messages

    def request(self, id: str) -> dict[str, Any]:
        call: Any = legacy_call if self.legacy and self.chance.random() < 0.7 else modern
        match self.chance.randrange(4):
            case 0:
                return call("echo", id, text="x" * self.chance.choice([1, 100, 70_000]))  # type: ignore[no-any-return]
            case 1:
                return call("later", id, text="x", seconds=self.chance.choice([0, 0.001, 0.02]))  # type: ignore[no-any-return]
            case 2 if self.legacy:
                return legacy_call("ask_name", id)
            case _:
                message = call("steps", id, count=5)
                message["params"].setdefault("_meta", {})["progressToken"] = id
                return message  # type: ignore[no-any-return]

    async def read(self) -> None:
        while True:
            message = await self.client.receive()
            if "method" in message:
                if "id" in message:
                    await self.send({"jsonrpc": "2.0", "id": message["id"], "result": ANSWER})
                continue
            id = message["id"]
            assert "result" in message, message
            if id in self.cancelled:
                self.cancelled.remove(id)  # it may have been on its way; a second one may not
                continue
            self.waiting.remove(id)
            self.answered += 1
            self.quiet.set()


@pytest.mark.parametrize("framing", ["newline", "length"])
async def test_every_request_of_a_crowd_has_one_answer(framing: Framing) -> None:
    async with listening(framing=framing, limits=Limits(in_flight=10)) as world:
        (await registry.servers())["probe"].server.tool()(ask_name)
        answered = 0

        async def member(world: World, seed: int) -> None:
            nonlocal answered
            async with world.client() as client:
                one = Member(client, seed)
                await one.run(20)
                answered += one.answered

        async with trio.open_nursery() as nursery:
            for seed in range(8):
                nursery.start_soon(member, world, seed)
        assert answered > 1000
