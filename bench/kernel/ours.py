"""The kernel steps on `supervisors`: ``python -m bench.kernel.ours STEP N`` prints one JSON line.

The same steps in the same order as bench/erlang/kernel.escript; each checks that the work
was done before it answers.
"""

import gc
import json
import sys
from pathlib import Path
from time import perf_counter

import supervisors
from supervisors import (
    ChildSpec,
    GenServer,
    Pid,
    Supervisor,
    SupFlags,
    call,
    cast,
    exit_signal,
    receive,
    send,
)


class Counter(GenServer):
    def init(self):
        return "ok", 0

    def handle_call(self, request, from_, count):
        if request == "increment":
            return "reply", count + 1, count + 1
        return "reply", count, count

    def handle_cast(self, request, count):
        return "noreply", count + 1


class AsyncCounter(GenServer):
    """The same with a handler that may wait, which makes it a task process."""

    def init(self):
        return "ok", 0

    async def handle_call(self, request, from_, count):
        if request == "increment":
            return "reply", count + 1, count + 1
        return "reply", count, count


class Child(Counter):
    def init(self, observer):
        send(observer, ("up", supervisors.self()))
        return "ok", 0


class Tree(Supervisor):
    def init(self, observer):
        flags = SupFlags(strategy="one_for_one", intensity=1_000_000, period=1)
        return flags, [ChildSpec("child", (Child.start_link, (observer,)))]


async def _calls(server: type[GenServer], n: int) -> dict[str, float]:
    pid = await server.start()
    for _ in range(n // 20):
        await call(pid, "increment")
    before = await call(pid, "value")
    start = perf_counter()
    for _ in range(n):
        await call(pid, "increment")
    seconds = perf_counter() - start
    assert await call(pid, "value") - before == n
    return {"per_second": n / seconds}


async def call_step(n: int) -> dict[str, float]:
    return await _calls(Counter, n)


async def async_call_step(n: int) -> dict[str, float]:
    return await _calls(AsyncCounter, n)


async def cast_step(n: int) -> dict[str, float]:
    pid = await Counter.start()
    for _ in range(n // 20):
        cast(pid, "increment")
    before = await call(pid, "value")
    start = perf_counter()
    for _ in range(n):
        cast(pid, "increment")
    total = await call(pid, "value", timeout=float("inf"))
    seconds = perf_counter() - start
    assert total - before == n
    return {"per_second": n / seconds}


async def _keep(n: int) -> list[Pid]:
    return [await Counter.start() for _ in range(n)]


async def start_step(n: int) -> dict[str, float]:
    warm = await _keep(n // 20)
    runtime = supervisors.current_runtime()
    before = len(runtime.processes())
    start = perf_counter()
    kept = await _keep(n)
    seconds = perf_counter() - start
    assert len(runtime.processes()) - before == n == len(kept)
    assert len(warm) == n // 20
    return {"per_second": n / seconds}


def resident_bytes() -> int:
    """What the process really holds, allocator slack and all: the figure a user pays for."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def idle_step(n: int) -> dict[str, float]:
    first = await _keep(100)
    gc.collect()
    before = resident_bytes()
    kept = await _keep(n)
    gc.collect()
    grown = resident_bytes() - before
    assert len(kept) == n
    assert await call(first[0], "value") == await call(kept[-1], "value") == 0
    return {"bytes": grown / n}


async def _kills(pid: Pid, n: int) -> tuple[Pid, list[float]]:
    times = []
    for _ in range(n):
        start = perf_counter()
        exit_signal(pid, "kill")
        _, pid = await receive(lambda message: message[0] == "up")
        assert await call(pid, "value") == 0
        times.append(perf_counter() - start)
    return pid, times


async def restart_step(n: int) -> dict[str, list[float]]:
    supervisors.trap_exit(True)
    sup = await Tree.start_link(supervisors.self())
    _, pid = await receive()
    pid, _ = await _kills(pid, 200)
    pid, times = await _kills(pid, n)
    assert supervisors.is_alive(sup)
    return {"seconds": times}


STEPS = {
    "call": call_step,
    "async_call": async_call_step,
    "cast": cast_step,
    "start": start_step,
    "idle": idle_step,
    "restart": restart_step,
}


def main() -> None:
    step, n = sys.argv[1:]
    print(json.dumps(supervisors.run(STEPS[step], int(n), log=False)))


if __name__ == "__main__":
    main()
