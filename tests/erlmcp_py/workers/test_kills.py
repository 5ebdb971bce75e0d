"""Workers are killed while clients of both eras call: nobody else's requests fail."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter

import trio

from tests.erlmcp_py.ports.conftest import state, until
from tests.erlmcp_py.transports.http.client import LEGACY, Client, http, legacy_call

from .conftest import Node, descriptors

KILLS = 4


class Caller:
    """Calls on one connection after the other. A request may be lost with the worker that has it, and
    with no other.
    """

    def __init__(self, node: Node, killed: set[int]) -> None:
        self.node = node
        self.killed = killed
        self.counts: Counter[str] = Counter()
        self.enough = False
        self.serving: int | None = None
        self.client: Client | None = None

    async def run(self) -> None:
        while not self.enough:
            with trio.fail_after(20):
                try:
                    await self.step()
                except (AssertionError, OSError, trio.BrokenResourceError):
                    self.lost()
        await self.hang_up()

    async def step(self) -> None:
        client = await self.connected()
        answer = await client.call("later", seconds=random.random() * 0.01)
        assert answer.status == 200, answer.body
        self.answered(answer.text)

    async def connected(self) -> Client:
        if self.client is None:
            self.client = await self.node.connect()
            self.serving = None
        return self.client

    def answered(self, text: str) -> None:
        self.counts["answered"] += 1
        self.serving = int(text)

    def lost(self) -> None:
        """Only what a killed worker had; on a fresh connection that could be any that was killed."""
        assert self.killed if self.serving is None else self.serving in self.killed
        self.counts["lost"] += 1
        self.client = self.serving = None

    async def hang_up(self) -> None:
        if self.client is not None:
            await self.client.stream.aclose()


class HastyCaller(Caller):
    """A connection for every request."""

    async def step(self) -> None:
        await super().step()
        await self.hang_up()
        self.client = None


class LegacyCaller(Caller):
    """A session with a stream of its own, and a fresh connection every few requests."""

    session: str | None = None
    home: int | None = None

    async def step(self) -> None:
        client = await self.connected()
        if self.session is None:
            self.session = await client.initialize()
            self.counts["sessions"] += 1
            self.home = None
            stream = await self.node.connect()
            headers = {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": LEGACY}
            await stream.send(http("GET", "/mcp", headers=headers))
        answer = await client.legacy(self.session, legacy_call("later", 1, seconds=0.005))
        if answer.status == 404:
            assert self.killed, "the session was lost, and no worker was killed"
            self.session = None
            return
        assert answer.status == 200, answer.body
        self.answered(answer.text)
        assert self.home in (None, self.serving), "a session stays with its worker"
        self.home = self.serving
        if random.random() < 0.2:
            await client.stream.aclose()
            self.client = None


async def test_only_the_requests_of_a_killed_worker_are_lost(node: Node) -> None:
    workers = await node.until_healthy()
    parent = node.process.pid
    before = descriptors(parent)
    killed: set[int] = set()
    callers: list[Caller] = [Caller(node, killed) for _ in range(4)]
    callers += [HastyCaller(node, killed) for _ in range(2)]
    callers += [LegacyCaller(node, killed) for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for caller in callers:
            nursery.start_soon(caller.run)
        for _ in range(KILLS):
            await trio.sleep(0.3)
            victim = random.choice([worker["os_pid"] for worker in workers])
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)
            await until(lambda pid=victim: state(pid) is None, "it was reaped")
            workers = await node.until_healthy()
        for caller in callers:
            caller.enough = True
    assert len(killed) == KILLS
    for caller in callers:
        assert caller.counts["answered"] > 5 * (1 + caller.counts["lost"]), caller.counts
    assert sum(worker["restarts"] for worker in workers) == KILLS
    for stream in node.streams:
        await stream.aclose()
    await until(lambda: descriptors(parent) <= before + 1, "the parent holds what it held")
