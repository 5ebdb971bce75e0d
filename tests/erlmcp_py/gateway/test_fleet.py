"""The upstreams of a node are those that were wanted last, whoever is killed while they change."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.application import start_node
from erlmcp_py.config import ALL, Config, HttpConfig, LogConfig, ServerConfig, UpstreamConfig
from erlmcp_py.gateway import reloading
from erlmcp_py.parts import Parts
from erlmcp_py.server import Server
from erlmcp_py.tree import child_specs
from supervisors import (
    CallExit,
    Pid,
    Runtime,
    application,
    exit_signal,
    is_alive,
    whereis,
    which_children,
)

NAMES = ("a", "b", "c", "d")


def drawn(chance: random.Random) -> dict[str, UpstreamConfig]:
    """Some upstreams that nobody starts, in some order."""
    names = chance.sample(NAMES, chance.randrange(len(NAMES) + 1))
    return {
        name: UpstreamConfig(
            command="never-started",
            args=(chance.choice("xyz"),),
            timeout=chance.choice([1.0, 2.0]),
            pool=chance.choice([1, 1, 2]),
            on_demand=True,
        )
        for name in names
    }


class Kept:
    """A configuration that is written anew, and the specs of who works with it."""

    def __init__(self) -> None:
        self.config = msgspec.structs.replace(
            Config(),
            http=HttpConfig(port=0),
            log=LogConfig(level="critical"),
            servers=(ServerConfig(name="own", target="somewhere:server"),),
        )

    def read(self) -> Config:
        return self.config


async def reload_in_the_end() -> None:
    """As somebody does it who tries again."""
    while True:
        try:
            await reloading.reload("a test", 1.0, 3600.0)
        except CallExit:
            await trio.sleep(0.1)
        else:
            return


async def tried() -> None:
    try:
        await reloading.reload("a test", 1.0, 3600.0)
    except CallExit:
        return


@pytest.mark.parametrize("seed", range(6))
async def test_whoever_is_killed_meanwhile_the_last_configuration_is_what_there_is(
    seed: int, autojump_clock: object
) -> None:
    chance = random.Random(seed)
    kept = Kept()
    parts = Parts({"own": Server("own", version="1")}, None, lambda _: None, again=kept.read)
    async with Runtime("test"):
        await start_node(child_specs(kept.config, parts))
        for _ in range(8):
            wanted = drawn(chance)
            kept.config = msgspec.structs.replace(kept.config, upstreams=wanted)
            async with trio.open_nursery() as nursery:
                for _ in range(chance.randrange(1, 3)):
                    nursery.start_soon(tried)
                for _ in range(chance.randrange(4)):
                    await trio.sleep(chance.choice([0.0, 0.05, 0.1, 0.101, 0.15, 0.3]))
                    kill(
                        chance.choice(["reload", "upstreams", "registry", "server_all", "server_a"])
                    )
            await reload_in_the_end()
            await stands(wanted)
            await trio.sleep(100)  # what was restarted often enough is forgotten
        await application.stop_all()


def kill(name: str) -> None:
    victim = whereis(name)
    if victim is not None:
        exit_signal(victim, "kill")


async def stands(wanted: dict[str, UpstreamConfig]) -> None:
    """Wait until the tree has settled: these upstreams and nothing else is there, and served."""
    served = {"own", *wanted, *([ALL] if wanted else [])}
    expected = (served, served - {"own"}, ALL if wanted else "own", list(wanted))
    with trio.move_on_after(600):
        while await seen() != expected:
            await trio.sleep(0.1)
    assert await seen() == expected


async def seen() -> Any:
    """Who is registered, who stands in the tree, the default, and what is served together."""
    try:
        servers = await registry.servers()
        children = await which_children("upstreams")
        alive = {
            str(child.id)
            for child in children
            if isinstance(child.pid, Pid) and is_alive(child.pid)
        }
        default = await registry.default()
    except CallExit:
        return None
    together = servers.get(ALL)
    names = [] if together is None else [each.name for each in together.server.upstreams]
    return set(servers), alive, default, names
