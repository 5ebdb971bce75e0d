"""One simulation: a real node, a proxy before it, clients that call through it, and the books.

All of it is one process in virtual time: the sockets are real, on 127.0.0.1, where the system
delivers before `send` returns, so that time passes only when nobody has anything to do.
"""

from __future__ import annotations

import gc
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

import trio
from trio.testing import wait_all_tasks_blocked

from chaos import proxy
from erlmcp_py import registry
from erlmcp_py.transports.net.address import parse_address
from supervisors import CrashReport, Report, current_runtime, exit_signal, trap_exit
from supervisors.testing import run
from tests.attack.faults.callers import WAYS, Address, Caller, Garbled, Lost
from tests.attack.faults.faults import Fault
from tests.crash.node import World
from tests.crash.oracle import within

DEADLINE: Final = 300.0
"""Virtual seconds that a client waits for an answer."""

QUIET: Final = 1500.0
"""Virtual seconds after the last request: all that ends by itself has ended."""

WAYS_AT_ONCE: Final = 3
CLIENTS_EACH: Final = 2
CALLS: Final = 5
_OURS: Final = ("erlmcp_py.", "supervisors.", "chaos.")
_KEPT: Final = frozenset(
    {
        "erlmcp_py.transports.http.access.Accepted",  # header values seen, emptied when they are many
        "erlmcp_py.transports.http.heads.Head",  # heads seen twice, likewise
        "erlmcp_py.guards.tally._Tally",  # the one count of refusals, made with the first of them
    }
)
"""What a node keeps on purpose, and bounded."""


def play(
    seed: int,
    faults: Mapping[str, Fault],
    forget: Callable[[], object] = lambda: None,
    size: int = 1000,
    ways: Collection[str] = (),
) -> Counter[str]:
    """How the calls ended. AssertionError if one ended wrongly, or something was left behind.

    forget: has the test's own instruments let go of what they remember of processes. size: bytes of
    the longer arguments and answers. ways: some of `WAYS`; otherwise they are drawn from the seed.
    """
    endings: Counter[str] = Counter()
    chance = random.Random(seed)
    chosen = [WAYS[way] for way in ways or chance.sample(sorted(WAYS), WAYS_AT_ONCE)]
    run(_play, endings, chance, faults, forget, size, chosen, seed=seed)
    return endings


async def _play(
    endings: Counter[str],
    chance: random.Random,
    faults: Mapping[str, Fault],
    forget: Callable[[], object],
    size: int,
    ways: list[type[Caller]],
) -> None:
    trap_exit()
    crashes: list[Report] = []
    current_runtime().subscribe(
        lambda report: crashes.append(report) if isinstance(report, CrashReport) else None
    )
    world = World(chance.choice(("newline", "length")))
    try:
        await world.start()
        proxies = await proxy.Proxies.start_link(name=proxy.PROXIES)
        through = partial(_through, world, ways, chance, size)
        # Twice without faults: what is made once is there, before it is counted.
        for _ in range(2):
            assert (await through({})).keys() == {"answered"}
            await _settle()
        forget()
        before = await _remains(world)

        allowed = frozenset({"answered"}).union(*(fault.endings for fault in faults.values()))
        endings += await through(faults)
        assert endings.keys() <= allowed, (endings, faults)
        await _settle()

        assert not crashes, crashes
        forget()
        after = await _remains(world)
        for part, was in before.items():
            assert after[part] == was, f"{part}: {_difference(was, after[part])}"
        for top in (proxies, world.root):
            assert top is not None
            exit_signal(top, "shutdown")
        await within(100.0, "all stops", lambda: len(current_runtime().processes()) <= 1)
    finally:
        world.close()


async def _through(
    world: World,
    ways: list[type[Caller]],
    chance: random.Random,
    size: int,
    faults: Mapping[str, Fault],
) -> Counter[str]:
    """Every client's calls through proxies with these faults, and one more each without."""
    toxics = {name: fault.toxic for name, fault in faults.items()}
    between: dict[str, Address] = {}
    for name in sorted({way.listener for way in ways}):
        info = (await registry.transports())[name].info
        settings = proxy.ProxySettings(
            name=name,
            upstream=(info["host"], info["port"]),
            seed=chance.randrange(2**32),
            toxics=toxics,
        )
        between[name] = parse_address((await proxy.start(settings)).listen)
    callers = [
        way(between[way.listener], world.framing) for way in ways for _ in range(CLIENTS_EACH)
    ]
    endings: Counter[str] = Counter()
    try:
        async with trio.open_nursery() as nursery:
            for caller in callers:
                nursery.start_soon(_work, caller, random.Random(chance.random()), size, endings)
        for name in between:
            await proxy.remove_toxic(name)
        for caller in callers:
            await caller.drop()
            ending = await _attempt(caller, random.Random(0), size)
            assert ending == "answered", f"{caller} without faults: {ending}"
            await caller.drop()
        for name in between:
            await proxy.stop(name)
    finally:
        with trio.CancelScope(shield=True):
            for caller in callers:
                await caller.drop()
    return endings


async def _work(caller: Caller, chance: random.Random, size: int, endings: Counter[str]) -> None:
    for _ in range(CALLS):
        endings[await _attempt(caller, chance, size)] += 1


async def _attempt(caller: Caller, chance: random.Random, size: int) -> str:
    """One call, and how it ended."""
    tool, more = chance.choice(
        [
            ("echo", {}),
            ("later", {"seconds": 20.0}),
            ("steps", {"count": 4}),
            ("steps", {"count": 0}),
        ]
    )
    token = f"{chance.random()}"
    token *= chance.choice([1, 1, size // len(token)])
    heard: list[Any] = []
    try:
        with trio.move_on_after(DEADLINE):
            answer = await caller.call(tool, {"token": token, **more}, heard.append)
            return _judge(answer, token, heard, more.get("count", 0))
    except Lost:
        return "lost"
    except Garbled:
        return "garbled"
    await caller.drop()
    return "late"


def _judge(answer: Any, token: str, heard: list[Any], steps: int) -> str:
    """Right, or refused; anything else only if bytes were changed."""
    if "error" in answer:
        return "refused"
    try:
        (content,) = answer["result"]["content"]
        right = content["text"] == token and not answer["result"].get("isError")
        told = [each["progress"] for each in heard]
    except (KeyError, TypeError, ValueError):
        return "garbled"
    return "answered" if right and told == list(range(steps)) else "garbled"


async def _settle() -> None:
    await trio.sleep(QUIET)
    await wait_all_tasks_blocked()


async def _remains(world: World) -> dict[str, Any]:
    """What is the same again if nothing was left behind."""
    found = await world.remains()
    gc.collect()
    found["tasks"] = trio.lowlevel.current_statistics().tasks_living
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    found["objects"] = dict(
        Counter(name for name in names if name.startswith(_OURS) and name not in _KEPT)
    )
    return found


def _difference(was: Any, now: Any) -> Any:
    if not isinstance(was, dict):
        return was, now
    return {
        key: (was.get(key), now.get(key))
        for key in was.keys() | now.keys()
        if was.get(key) != now.get(key)
    }
