"""Nodes in one trio run, and a way to run a test's body as processes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import Runtime
from supervisors._pid import export_pid
from supervisors.distribution import InMemory


class Cluster:
    """Connected nodes by name, and what happens on them."""

    def __init__(self, runtimes: list[Runtime], delay: float) -> None:
        self.runtimes = {runtime.node: runtime for runtime in runtimes}
        self.network = InMemory(*runtimes, delay=delay)

    def spawn(self, node: str, fn: Callable[..., Any], *args: Any) -> otp.Pid:
        with self.runtimes[node].active():
            return otp.spawn(fn, *args)

    async def on(self, node: str, fn: Callable[..., Any], *args: Any) -> Any:
        """The result of ``fn(*args)``, run as a process of a node to its end."""
        done = trio.Event()
        result: list[Any] = []

        async def body() -> None:
            try:
                result.append(await fn(*args))
            except BaseException as error:
                result.append(error)
                raise
            finally:
                done.set()

        self.spawn(node, body)
        with trio.fail_after(1000):  # virtual seconds
            await done.wait()
        if isinstance(result[0], BaseException):
            raise AssertionError(f"the process on {node} raised") from result[0]
        return result[0]

    async def rest(self) -> None:
        await trio.testing.wait_all_tasks_blocked()

    def seen_from(self, node: str, pid: otp.Pid) -> otp.Pid:
        """A pid as another node has it."""
        if pid.node == node:
            return pid
        export_pid(pid)
        return self.runtimes[node].endpoint.pid(pid.node, pid.id, pid.serial, pid.creation)


@pytest.fixture
def cluster() -> Callable[..., Any]:
    """``async with cluster("a", "b") as nodes_:``; tests ask for the virtual clock themselves,
    pytest-trio finds it only among a test's own arguments.
    """

    @asynccontextmanager
    async def make(*names: str, delay: float = 0.0) -> AsyncIterator[Cluster]:
        async with AsyncExitStack() as stack:
            runtimes = [await stack.enter_async_context(Runtime(name)) for name in names]
            yield Cluster(runtimes, delay)

    return make
