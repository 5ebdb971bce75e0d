"""Who is killed, and who may notice.

A budget per kind keeps the restarts within the limits of the real tree: a supervisor that gives up
is right to, and the tests of the kernel look at that.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

import trio

from supervisors import CallExit, Pid, exit_signal, whereis
from tests.crash.node import SERVERS, TICK, World
from tests.crash.oracle import Oracle

Found = tuple[Pid, frozenset[Hashable] | None, str] | None
Find = Callable[[World, random.Random], Awaitable[Found]]


async def _tool(world: World, chance: random.Random) -> Found:
    if not world.running:
        return None
    token = chance.choice(sorted(world.running))
    return world.running[token], frozenset({token}), token


def _connection(listener: str) -> Find:
    async def find(world: World, chance: random.Random) -> Found:
        found = await world.connections(listener)
        if not found:
            return None
        peer = chance.choice(sorted(found))
        return found[peer], frozenset({peer}), peer

    return find


async def _session(world: World, chance: random.Random) -> Found:
    found = await world.sessions()
    if not found:
        return None
    # Ids are secrets, drawn by the system: their order is that of the processes.
    id, pid = chance.choice(list(found.items()))
    return pid, frozenset({id}), id


async def _server(_world: World, chance: random.Random) -> Found:
    name = chance.choice(SERVERS)
    pid = whereis(f"server_{name}")
    return None if pid is None else (pid, frozenset({name}), name)


def _named(name: str, *hit: Hashable) -> Find:
    async def find(_world: World, _chance: random.Random) -> Found:
        pid = whereis(name)
        return None if pid is None else (pid, frozenset(hit), "")

    return find


def _everybody(name: str) -> Find:
    async def find(_world: World, _chance: random.Random) -> Found:
        pid = whereis(name)
        return None if pid is None else (pid, None, "")

    return find


HTTP: Final = ("modern", "legacy")

KINDS: Final[dict[str, tuple[int, float, Find]]] = {
    # how often, virtual seconds that its supervisors need to forget it, how to find it
    "tool": (30, 0.0, _tool),
    "http_connection": (20, 0.0, _connection("http")),
    "tcp_connection": (6, 0.0, _connection("tcp")),
    "session": (20, 0.0, _session),
    "server": (8, 15.0, _server),
    "stdio": (8, 15.0, _named("stdio", "stdio")),
    "http_listener": (3, 15.0, _named("http_listener")),
    "http_socket": (3, 15.0, _named("http_socket")),
    "http_connections": (4, 15.0, _named("http_connections", *HTTP)),
    "http": (2, 15.0, _named("http", *HTTP)),
    "tcp_listener": (1, 15.0, _named("tcp_listener")),
    "tcp_socket": (1, 15.0, _named("tcp_socket")),
    "tcp_connections": (2, 15.0, _named("tcp_connections", "tcp")),
    "tcp": (1, 15.0, _named("tcp", "tcp")),
    "sessions": (5, 15.0, _named("sessions")),
    "session_pool": (3, 15.0, _named("session_pool", "legacy")),
    "tasks": (4, 15.0, _named("tasks")),
    "task_pool": (2, 15.0, _named("task_pool", "tasks")),
    "tasks_sup": (1, 30.0, _everybody("tasks_sup")),
    "subscriptions": (1, 30.0, _everybody("subscriptions")),
    "registry": (1, 30.0, _everybody("registry")),
    "sessions_sup": (1, 30.0, _everybody("sessions_sup")),
    "servers": (1, 30.0, _everybody("servers")),
    "transports": (1, 30.0, _everybody("transports")),
    "core": (1, 30.0, _everybody("core")),
}

_GROUPS: Final[dict[str, str]] = {
    **dict.fromkeys(("subscriptions", "registry", "sessions_sup", "servers", "core"), "core"),
    "tasks_sup": "core",
    "task_pool": "tasks",
    **dict.fromkeys(("http_connections", "http", "http_listener", "http_socket"), "transports"),
    **dict.fromkeys(("tcp_connections", "tcp", "tcp_listener", "tcp_socket"), "tcp"),
    "transports": "core",
    "stdio": "transports",
    "session_pool": "sessions",
}
"""Kinds that use up the restarts of the same supervisor."""


class Killer:
    """Kills one after the other."""

    def __init__(self, world: World, oracle: Oracle, chance: random.Random) -> None:
        self.world = world
        self.oracle = oracle
        self.chance = chance
        self._ready: dict[str, float] = {}

    async def step(self) -> None:
        """Kill somebody if there is somebody to be killed, then let some time pass, or none."""
        await self._strike()
        await self._pause()

    async def _strike(self) -> None:
        kind = self.chance.choices(list(KINDS), [weight for weight, _, _ in KINDS.values()])[0]
        _, rest, find = KINDS[kind]
        group = _GROUPS.get(kind, kind)
        if self._ready.get(group, 0.0) > trio.current_time():
            return
        try:
            found = await find(self.world, self.chance)
        except CallExit:
            return
        if found is None:
            return
        pid, hit, details = found
        self._ready[group] = trio.current_time() + rest
        self.oracle.kill(kind, hit, details)
        exit_signal(pid, "kill")

    async def _pause(self) -> None:
        """Until a moment at which clients and handlers move too, and then so many turns of the loop:
        the next kill falls into the middle of what they do. Or none at all, for kills in a row.
        """
        if self.chance.random() < 0.7:
            await trio.sleep(self.chance.choice((TICK, 2 * TICK, 4 * TICK, 12 * TICK)))
        for _ in range(self.chance.randrange(60)):
            await trio.lowlevel.checkpoint()
