"""A listener that is killed while its clients work."""

from __future__ import annotations

import random
import time
from typing import Any

import trio

from erlmcp_py import registry
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from supervisors import CrashReport, ErrorReport, whereis
from tests.attack.http.answers import Reader, Wrong
from tests.attack.http.battle import check_good, clean_request, dial, send
from tests.attack.http.mutation import call
from tests.erlmcp_py.transports.node import Probe, kill, make_server, node, until
from tests.fuzz.world import faults

VICTIMS = ("http_listener", "http_socket")


async def _ask(sock: Any, text: str) -> None:
    with sock:
        await send(sock, [call(random.Random(0), text)])
        check_good(await Reader(sock).answer(), text)


async def play(connections: int, kills: int) -> tuple[list[float], list[float]]:
    """Seconds from each kill until a client that came behind it was answered, and what a new client
    waited before, when nobody was killed. Raises Wrong if a request of anybody is lost, those who come
    just before a kill among them.
    """
    listener = child_spec(ListenerConfig(port=0))
    took: list[float] = []
    calm: list[float] = []
    async with node({"probe": make_server(Probe())}, listener) as reports:
        port = (await registry.transports())["http"].info["port"]
        socks = [await dial() for _ in range(connections)]
        over = False

        async def work(number: int, sock: Any) -> None:
            reader = Reader(sock)
            turn = 0
            with sock:
                while not over:
                    turn += 1
                    text = f"{number} {turn}"
                    await send(sock, [call(random.Random(0), text)])
                    check_good(await reader.answer(), text)

        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                for number, sock in enumerate(socks):
                    nursery.start_soon(work, number, sock)
                for turn in range(kills):
                    begun = time.monotonic()
                    await _ask(await dial(port), "calm")
                    calm.append(time.monotonic() - begun)
                    before = await dial(port)
                    victim = whereis(VICTIMS[turn % len(VICTIMS)])
                    begun = time.monotonic()
                    await kill(victim)
                    behind = await dial(port)
                    await _ask(behind, "behind")
                    took.append(time.monotonic() - begun)
                    await _ask(before, "before")
                    await until(lambda: whereis("http_listener"))
                over = True
        await clean_request()
        if found := [r for r in faults(reports) if isinstance(r, CrashReport | ErrorReport)]:
            raise Wrong(f"{found}")
    return took, calm
