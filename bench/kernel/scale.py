"""The kernel with many processes: ``python -m bench.kernel.scale STEP N`` prints one JSON line.

Where Erlang stands beside, bench/erlang/scale.escript holds the same steps in the same order;
each checks that the work was done before it answers.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, Final, Never

import supervisors
from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Registry,
    call,
    cast,
    demonitor,
    is_alive,
    link,
    monitor,
    receive,
    register,
    send,
    send_after,
    spawn,
    start_child,
    stop,
    terminate_child,
    unlink,
    unregister,
)

RING = 10_000
OPERATIONS = 100_000
"""What `cost` does of each kind, whatever the number of processes alive."""
STARTED, TIMES = 10_000, 10
"""Starts, and stops, of `cost`, at a time, and how often. No collection falls into the stops: one
frees more than it makes. Into the starts fall twenty young ones and one of the middle
generation, with any number alive; a full one comes once in some two million starts."""
FLOODED = 1_000
CALLERS = (10, 100, 1_000)
TIMER = 0.001


class Counter(GenServer):
    def init(self):
        return "ok", 0

    def handle_call(self, request, from_, count):
        return "reply", count, count

    def handle_cast(self, request, count):
        if isinstance(request, Pid):
            send(request, "here")
        return "noreply", count + 1


class Relay(GenServer):
    """Passes whatever it is cast on to the next; a number counts down and reports at zero."""

    def init(self, observer):
        return "ok", (observer, None)

    def handle_call(self, next_, from_, state):
        return "reply", None, (state[0], next_)

    def handle_cast(self, left, state):
        if left == 0:
            send(state[0], "done")
        else:
            cast(state[1], left - 1)
        return "noreply", state


def _alive() -> int:
    """Counted one by one, which takes longer than many a step: never between two looks at the
    clock.
    """
    return len(supervisors.current_runtime().processes())


async def _started(n: int) -> list[Pid]:
    return [await Counter.start() for _ in range(n)]


# --- alive ----------------------------------------------------------------------------


async def alive_step(n: int) -> dict[str, float]:
    me = supervisors.self()
    for pid in await _started(n // 20):
        await stop(pid)
    before = _alive()
    begin = perf_counter()
    pids = await _started(n)
    started = perf_counter()
    assert _alive() - before == n
    sending = perf_counter()
    for pid in pids:
        cast(pid, me)
    for _ in pids:
        assert await receive() == "here"
    answered = perf_counter()
    for pid in pids:
        await stop(pid)
    stopped = perf_counter()
    assert _alive() == before
    return {
        "start": n / (started - begin),
        "message": n / (answered - sending),
        "stop": n / (stopped - answered),
    }


# --- rings ----------------------------------------------------------------------------


async def _lap(first: Pid, hops: int, put: Callable[[Pid, int], object]) -> float:
    """Messages per second of one token that is passed on `hops` times."""
    put(first, RING)
    assert await receive() == "done"
    begin = perf_counter()
    put(first, hops)
    assert await receive() == "done"
    return hops / (perf_counter() - begin)


async def _pass_on(observer: Pid) -> Never:
    _, next_ = await receive(lambda message: isinstance(message, tuple))
    while True:
        left = await receive()
        if left == 0:
            send(observer, "done")
        else:
            send(next_, left - 1)


async def ring_step(n: int) -> dict[str, float]:
    """Processes with a loop of their own around `receive`."""
    me = supervisors.self()
    pids = [spawn(_pass_on, me) for _ in range(RING)]
    for pid, next_ in zip(pids, pids[1:] + pids[:1], strict=True):
        send(pid, ("next", next_))
    return {"per_second": await _lap(pids[0], n, send)}


async def _relays(n: int) -> list[Pid]:
    """A ring of n servers that pass on what they are cast."""
    me = supervisors.self()
    pids = [await Relay.start(me) for _ in range(n)]
    for pid, next_ in zip(pids, pids[1:] + pids[:1], strict=True):
        await call(pid, next_)
    return pids


async def server_ring_step(n: int) -> dict[str, float]:
    pids = await _relays(RING)
    return {"per_second": await _lap(pids[0], n, cast)}


# --- supervisor -----------------------------------------------------------------------


async def children_step(n: int) -> dict[str, float]:
    """Start n, terminate them one by one, start n again, stop the supervisor with them."""
    spec = ChildSpec("child", (Counter.start_link, ()), restart="temporary")
    sup = await DynamicSupervisor.start_link()
    for _ in range(n // 20):
        await terminate_child(sup, await start_child(sup, spec))
    before = _alive()
    begin = perf_counter()
    pids = [await start_child(sup, spec) for _ in range(n)]
    started = perf_counter()
    assert _alive() - before == n
    terminating = perf_counter()
    for pid in pids:
        await terminate_child(sup, pid)
    terminated = perf_counter()
    assert _alive() == before
    pids = [await start_child(sup, spec) for _ in range(n)]
    again = perf_counter()
    await stop(sup)
    stopped = perf_counter()
    assert not any(is_alive(pid) for pid in pids)
    return {
        "start": n / (started - begin),
        "terminate": n / (terminated - terminating),
        "stop": n / (stopped - again),
    }


# --- registry -------------------------------------------------------------------------


_PASSES: Final = 5


async def registry_step(n: int) -> dict[str, float]:
    """A process under n keys of its own; n processes under a key each; every key looked up, again
    and again.
    """
    await Registry.start_link(name="own")
    await Registry.start_link(name="each")
    pids = await _started(n)
    begin = perf_counter()
    for key in range(n):
        Registry.register("own", key)
    own = perf_counter()
    for key, pid in enumerate(pids):
        Registry.register_name(("each", key), pid)
    each = perf_counter()
    for _ in range(_PASSES):
        found = [Registry.lookup("each", key) for key in range(n)]
    looked = perf_counter()
    assert found == [[(pid, None)] for pid in pids]
    assert Registry.count("own") == Registry.count("each") == n
    return {
        "own": n / (own - begin),
        "each": n / (each - own),
        "lookup": _PASSES * n / (looked - each),
    }


# --- fairness -------------------------------------------------------------------------


async def _greedy(server: Pid) -> Never:
    while True:
        await call(server, "value")


async def _lateness(n: int) -> dict[str, list[float]]:
    me = supervisors.self()
    late = []
    for _ in range(n):
        due = perf_counter() + TIMER
        send_after(TIMER, me, "timer")
        assert await receive() == "timer"
        late.append(perf_counter() - due)
    return {"seconds": late}


async def flooded_step(n: int) -> dict[str, list[float]]:
    """Lateness of n timers while a thousand servers always have a message waiting."""
    pids = await _relays(FLOODED)
    for pid in pids:
        cast(pid, 1 << 62)
    return await _lateness(n)


def callers_step(callers: int) -> Callable[[int], Awaitable[dict[str, list[float]]]]:
    """The same with so many more processes that call a server each and never rest."""

    async def step(n: int) -> dict[str, list[float]]:
        for pid in await _started(callers):
            spawn(_greedy, pid)
        return await flooded_step(n)

    return step


# --- cost per operation ---------------------------------------------------------------


def _monitor(pid: Pid) -> None:
    assert demonitor(monitor(pid), info=True)


def _link(pid: Pid) -> None:
    link(pid)
    unlink(pid)


def _register(pid: Pid) -> None:
    register("name", pid)
    unregister("name")


PAIRS: dict[str, Callable[[Pid], None]] = {
    "monitor": _monitor,
    "link": _link,
    "register": _register,
}
"""Each is done and undone, so that the process is as before."""


async def cost_step(n: int) -> dict[str, float]:
    """Operations per second with n processes alive, on 1,000 of them spread evenly.

    WHY not on all: a processor cache holds the state of a thousand servers and not that of
    a hundred thousand, and the row asks what the kernel does, not what the cache does.
    """
    pids = await _started(n)
    chosen = pids[:: n // 1_000]
    assert len(chosen) == 1_000
    laps = range(OPERATIONS // 1_000)
    for pid in chosen:
        await call(pid, "value")
    begin = perf_counter()
    for _ in laps:
        for pid in chosen:
            await call(pid, "value")
    called = perf_counter()
    for _ in laps:
        for pid in chosen:
            cast(pid, "increment")
    counts = [await call(pid, "value", timeout=float("inf")) for pid in chosen]
    casted = perf_counter()
    assert sum(counts) == OPERATIONS
    rates = {"call": OPERATIONS / (called - begin), "cast": OPERATIONS / (casted - called)}
    for name, pair in PAIRS.items():
        before = perf_counter()
        for _ in laps:
            for pid in chosen:
                pair(pid)
        rates[name] = OPERATIONS / (perf_counter() - before)
    starting = stopping = 0.0
    for _ in range(TIMES):
        before = perf_counter()
        kept = await _started(STARTED)
        starting += perf_counter() - before
        assert _alive() >= n + STARTED
        before = perf_counter()
        for pid in kept:
            await stop(pid)
        stopping += perf_counter() - before
        assert not any(is_alive(pid) for pid in kept)
    rates["start"] = TIMES * STARTED / starting
    rates["stop"] = TIMES * STARTED / stopping
    return rates


STEPS: dict[str, Callable[[int], Awaitable[dict[str, Any]]]] = {
    "alive": alive_step,
    "ring": ring_step,
    "server_ring": server_ring_step,
    "children": children_step,
    "registry": registry_step,
    "flooded": flooded_step,
    **{f"callers{callers}": callers_step(callers) for callers in CALLERS},
    "cost": cost_step,
}


def main(arguments: Sequence[str]) -> None:
    step, n = arguments
    print(json.dumps(supervisors.run(STEPS[step], int(n), log=False)))


if __name__ == "__main__":
    main(sys.argv[1:])
