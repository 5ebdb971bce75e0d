"""All that can happen between two nodes: every order of what their processes do and of what
arrives, with signals under way for as long as it takes.

The endpoints are the real ones, the bytes between them too; only time is played by the
explorer, one step after the other, without trio. States that look alike from then on are
visited once, so that all orders can be walked and not some.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import fields
from typing import Any

from supervisors import Pid, Runtime
from supervisors._process import Process, finish, running_as
from supervisors.distribution import Codec
from supervisors.distribution.signals import Signal


class Recorder(Process):
    """A process that traps exits and keeps its mail."""

    __slots__ = ("mail",)

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, None)
        self.mail: list[Any] = []
        self.trap_exit = True
        self.pid._post = lambda envelope: self.mail.append(envelope.body)

    def clear_mailbox(self) -> list[Any]:
        return []


class Port:
    """What one node has sent and the other has not received."""

    def __init__(self, runtime: Runtime) -> None:
        self.codec = Codec(runtime.endpoint)
        self.sent: deque[tuple[Signal, bytes]] = deque()
        runtime.endpoint.attach(self)

    def send(self, node: str, signal: Signal) -> None:
        self.sent.append((signal, self.codec.encode(signal)))

    def close(self) -> None:
        self.sent.clear()


class World:
    """Two nodes, a process on each, and what is under way between them."""

    def __init__(self) -> None:
        self.nodes = {name: Runtime(name) for name in "ab"}
        self.ports = {name: Port(runtime) for name, runtime in self.nodes.items()}
        self.processes = {name: Recorder(runtime) for name, runtime in self.nodes.items()}
        self.connect()
        self.drain()

    def connect(self) -> None:
        for name in "ab":
            self.nodes[name].endpoint.connected[other(name)] = None
        for name in "ab":
            self.nodes[name].endpoint.came(other(name))

    def cut(self) -> None:
        """The connection breaks, what is under way is lost, and there is a new one at once."""
        for name in "ab":
            self.ports[name].sent.clear()
            del self.nodes[name].endpoint.connected[other(name)]
        for name in "ab":
            self.nodes[name].endpoint.went(other(name))
        self.connect()

    def do(self, name: str, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """``fn(…)`` as the process of a node."""
        previous = running_as(self.processes[name])
        try:
            return fn(*args, **options)
        finally:
            running_as(previous)

    def end(self, name: str) -> None:
        finish(self.processes[name], "boom")

    def seen(self, name: str) -> Pid:
        """The other node's process as node `name` has it."""
        pid = self.processes[other(name)].pid
        self.ports[name].codec.external(pid)  # it has left its node
        return self.nodes[name].endpoint.pid(pid.node, pid.id, pid.serial, pid.creation)

    def under_way(self, name: str) -> list[Signal]:
        """What the node has sent and the other has not received, oldest first."""
        return [signal for signal, _ in self.ports[name].sent]

    def deliver(self, name: str) -> Signal:
        """The oldest signal under way to a node arrives."""
        signal, data = self.ports[other(name)].sent.popleft()
        endpoint = self.nodes[name].endpoint
        endpoint.deliver(other(name), self.ports[name].codec.decode(data))
        return signal

    def drain(self) -> None:
        while any(port.sent for port in self.ports.values()):
            for name in "ab":
                if self.ports[name].sent:
                    self.deliver(other(name))

    def shape(self) -> Hashable:
        """What decides what can happen next; numbers by their place, not their value."""
        places: dict[Any, int] = {}

        def place(value: Any) -> Any:
            if isinstance(value, int) and not isinstance(value, bool):
                return places.setdefault(value, len(places))
            return value.node if isinstance(value, Pid) else repr(value)

        flows = tuple(
            tuple(
                (type(s).__name__, *(place(getattr(s, f.name)) for f in fields(s)))
                for s in self.under_way(name)
            )
            for name in "ab"
        )
        numbers = tuple(
            place(number)
            for name in "ab"
            for number in self.nodes[name].endpoint.links.unlinking.values()
        )
        watches = tuple(
            (name, place(number))
            for name in "ab"
            for number in (
                *self.nodes[name].endpoint.asked,
                *(number for _, number in self.nodes[name].endpoint.watching),
            )
        )
        return (
            flows,
            numbers,
            watches,
            tuple((self.processes[n].alive, self.linked(n)) for n in "ab"),
        )

    def linked(self, name: str) -> bool:
        """Whether the process of a node has an active link with the other."""
        links = self.processes[name].links
        return bool(links) and any(o.pid is self.seen(name) for o in links)


def other(name: str) -> str:
    return "b" if name == "a" else "a"


def explore(
    start: Callable[[], Any], steps: Callable[[Any], list[Any]], check: Callable[[Any], None]
) -> int:
    """Visit every state that can be reached, and `check` those in which nothing is under way.

    start: makes a case, which has `world`, `play(step)` and `shape()`. steps: what can happen
    next in it. `check` may go on with the case. Answers how many states there are.
    """
    seen: set[Hashable] = set()
    todo: list[tuple[Any, ...]] = [()]
    while todo:
        path = todo.pop()
        case = start()
        for step in path:
            case.play(step)
        shape = case.shape()
        if shape in seen:
            continue
        seen.add(shape)
        todo.extend((*path, step) for step in steps(case))
        if not any(case.world.under_way(name) for name in "ab"):
            try:
                check(case)
            except AssertionError as error:
                error.add_note(f"after {path}")
                raise
    return len(seen)
