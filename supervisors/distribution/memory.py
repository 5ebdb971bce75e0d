"""Several nodes in one program: a distribution without a network, with partitions on command.

For tests and simulation. Signals are encoded and decoded as for a network, so nodes share
no mutable value; each node takes in what is for it in a task of its own, after `delay`
seconds, so what is under way can be lost when a connection breaks. Functions, classes,
modules and exceptions are handed over as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from itertools import combinations, count
from math import inf
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, TypeAlias

import trio

from .._cell import active_runtime, task_process
from .._errors import Stack
from .._runtime import Runtime
from .endpoint import Endpoint
from .signals import Signal
from .wire import Codec

TURN: Final = 200
"""Signals taken in between two checkpoints."""

Delay: TypeAlias = float | Callable[[str, str], float]
"""Seconds that a signal is under way: always as many, or ``(from_node, to_node) -> seconds``."""

_AS_IT_IS: Final = (FunctionType, MethodType, ModuleType, type, BaseException, Stack)


class _Codec(Codec):
    """Lets pass by reference what could not be pickled and does not change."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.objects: list[Any] = []

    def external(self, item: Any) -> Any:
        if isinstance(item, _AS_IT_IS):
            self.objects.append(item)
            return "object", len(self.objects) - 1
        return super().external(item)

    def internal(self, known: Any) -> Any:
        if known[0] == "object":
            return self.objects[known[1]]
        return super().internal(known)


class Port:
    """The distribution of one node: a `Distribution`."""

    def __init__(self, network: InMemory, runtime: Runtime) -> None:
        self._network = network
        self.runtime = runtime
        self.node = runtime.node
        self.endpoint = runtime.endpoint
        self._codec = _Codec(self.endpoint)
        self._queue: list[tuple[float, int, Port, bytes, list[Any]]] = []
        self._last: dict[str, float] = {}
        self._numbers = count()
        self._arrived = trio.Event()

    def __repr__(self) -> str:
        return f"<InMemory {self.node}>"

    def send(self, node: str, signal: Signal) -> None:
        """See `Distribution`."""
        self._codec.objects = []
        data = self._codec.encode(signal)
        self._network._ports[node]._take(self, data, self._codec.objects)

    async def connect(self, node: str) -> bool:
        """See `Distribution`."""
        await trio.lowlevel.checkpoint()
        return self._network.connect(self.node, node)

    def disconnect(self, node: str) -> None:
        """See `Distribution`."""
        self._network.disconnect(self.node, node)

    def close(self) -> None:
        """See `Distribution`."""
        self._network._leave(self)

    def _take(self, sender: Port, data: bytes, objects: list[Any]) -> None:
        delay = self._network.delay
        seconds = delay(sender.node, self.node) if callable(delay) else delay
        # A signal is never faster than the one before it: P1.
        due = max(self.runtime.now() + seconds, self._last.get(sender.node, 0.0))
        self._last[sender.node] = due
        heappush(self._queue, (due, next(self._numbers), sender, data, objects))
        self._arrived.set()

    def _lose(self, sender: Port) -> None:
        """What `sender` has sent and what has not arrived never will."""
        self._queue = [entry for entry in self._queue if entry[2] is not sender]
        heapify(self._queue)
        self._last.pop(sender.node, None)

    async def _run(self) -> None:
        """Take in what arrives, for ever: a task of the runtime."""
        active_runtime.set(self.runtime)
        task_process.set(None)
        turn = TURN
        while True:
            due = self._queue[0][0] if self._queue else inf
            if due > self.runtime.now():
                self._arrived = trio.Event()
                with trio.move_on_at(due):
                    await self._arrived.wait()
                turn = TURN
                continue
            _, _, sender, data, objects = heappop(self._queue)
            self._codec.objects = objects
            self.endpoint.deliver(sender.node, self._codec.decode(data))
            turn -= 1
            if turn == 0:
                await trio.lowlevel.checkpoint()
                turn = TURN


class InMemory:
    """Connects the runtimes of one trio run, each with every other.

    runtimes: open ones, with different node names; more can `join`. delay: seconds that a
    signal is under way, for all connections or as a function ``(from_node, to_node)`` asked
    for each signal; signals of one node to another keep their order all the same.
    """

    def __init__(self, *runtimes: Runtime, delay: Delay = 0.0) -> None:
        self.delay = delay
        self._ports: dict[str, Port] = {}
        self._cut: set[frozenset[str]] = set()
        for runtime in runtimes:
            self.join(runtime)

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes that have joined."""
        return tuple(self._ports)

    def join(self, runtime: Runtime) -> None:
        """Take in a runtime and connect it with every node that is not cut off.

        ValueError when there is a node of its name, RuntimeError when it is not open or has
        a distribution already.
        """
        if runtime.node in self._ports:
            raise ValueError(
                f"a node named {runtime.node!r} has joined already; nodes need different names"
            )
        nursery = runtime.nursery
        port = Port(self, runtime)
        runtime.endpoint.attach(port)
        others = list(self._ports)
        self._ports[runtime.node] = port
        nursery.start_soon(port._run, name=f"supervisors distribution {runtime.node}")
        for other in others:
            if frozenset((runtime.node, other)) not in self._cut:
                self.connect(runtime.node, other)

    def connect(self, first: str, second: str) -> bool:
        """Connect two nodes; False while `partition` keeps them apart, or one is not there."""
        if frozenset((first, second)) in self._cut or first == second:
            return False
        if first not in self._ports or second not in self._ports:
            return False
        if not self._connected(first, second):
            one, other = self._ports[first].endpoint, self._ports[second].endpoint
            # Both know of each other before either can say anything.
            one.connected[second] = other.connected[first] = None
            one.came(second)
            other.came(first)
        return True

    def disconnect(self, first: str, second: str) -> None:
        """Break the connection of two nodes; what is under way is lost."""
        one, other = self._port(first), self._port(second)
        if self._connected(first, second):
            one._lose(other)
            other._lose(one)
            # Neither can say anything to the other while its processes hear of it.
            del one.endpoint.connected[second], other.endpoint.connected[first]
            one.endpoint.went(second)
            other.endpoint.went(first)

    def partition(self, *groups: Iterable[str]) -> None:
        """Keep groups of nodes apart until `heal`, nodes in no group from all of these."""
        sets = [set(group) for group in groups]
        for node in set().union(*sets):
            self._port(node)
        rest = set(self._ports).difference(*sets)
        for one, other in combinations([*sets, rest], 2):
            for first in sorted(one):
                for second in sorted(other):
                    self._cut.add(frozenset((first, second)))
                    self.disconnect(first, second)

    def heal(self) -> None:
        """End every partition and connect every node with every other."""
        self._cut.clear()
        for first, second in combinations(self._ports, 2):
            self.connect(first, second)

    def _connected(self, first: str, second: str) -> bool:
        return second in self._ports[first].endpoint.connected

    def _port(self, node: str) -> Port:
        port = self._ports.get(node)
        if port is None:
            known = ", ".join(self._ports) or "none"
            raise ValueError(f"no node named {node!r} has joined; there are: {known}")
        return port

    def _leave(self, port: Port) -> None:
        del self._ports[port.node]
        for other in self._ports.values():
            other._lose(port)
            other.endpoint.down(port.node)
