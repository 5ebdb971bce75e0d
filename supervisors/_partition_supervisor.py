"""PartitionSupervisor: the same child several times over, and a way to pick one by key.

For a process that everybody calls and that has to wait: N copies wait side by side, and
whoever has the same key always meets the same copy.

    >>> import supervisors as otp
    >>> from supervisors import Agent, PartitionSupervisor
    >>> async def main():
    ...     await PartitionSupervisor.start_link(
    ...         Agent.child_spec(dict), name="counters", partitions=3
    ...     )
    ...     def counter(key):
    ...         return ("via", PartitionSupervisor, ("counters", key))
    ...     for visitor in (1, 4, 2):
    ...         await Agent.update(counter(visitor), lambda seen, who: {**seen, who: 1}, visitor)
    ...     return [await Agent.get(counter(n), sorted) for n in range(3)]
    >>> otp.run(main)
    [[], [1, 4], [2]]

The copies are children of an ordinary supervisor with the ids 0 to N - 1. A key that is an
int goes to the copy ``abs(key) % N``, any other by its hash.

Elixir: PartitionSupervisor (SEMANTICS 1.6).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from . import _proc_lib
from ._errors import BadArg
from ._names import Name, resolve
from ._pid import Pid
from ._process import info
from ._signals import seems_alive
from ._supervisor.behaviour import Supervisor
from ._supervisor.children import Children
from ._supervisor.process import SupervisorProcess, serve
from ._supervisor.regular import Regular
from ._supervisor.spec import (
    ChildSpec,
    Restart,
    Shutdown,
    Strategy,
    SupFlags,
    check_child_spec,
)
from ._task import TaskProcess

WithArguments = Callable[[list[Any], int], Sequence[Any]]


class _Copies(Supervisor):
    """N times one spec."""

    def init(self, flags: SupFlags, spec: ChildSpec, count: int, with_arguments: Any) -> Any:
        function, args = spec.start
        copies = []
        for number in range(count):
            own = args if with_arguments is None else with_arguments(list(args), number)
            copies.append(replace(spec, id=number, start=(function, tuple(own))))
        return flags, copies


class PartitionSupervisor:
    """Start one with `start_link`; see the module's text for an example."""

    @classmethod
    async def start_link(
        cls,
        child: ChildSpec | Mapping[str, Any],
        *,
        name: Name,
        partitions: int | None = None,
        strategy: Strategy = "one_for_one",
        intensity: int = 3,
        period: int = 5,
        with_arguments: WithArguments | None = None,
    ) -> Pid:
        """Start `partitions` copies of a child under a supervisor linked to this process.

        partitions: default, the number of CPUs. strategy, intensity, period: as in
        `SupFlags`. with_arguments: ``(args of the start function, number) -> args`` makes
        those of each copy. Raises StartError as `Supervisor.start_link` does, SupervisorError
        for a spec that makes no sense, ValueError for a bad `partitions`.
        """
        count = partitions if partitions is not None else os.cpu_count() or 1
        if count < 1:
            raise ValueError(f"partitions={partitions!r}; it is a whole number >= 1")
        spec = check_child_spec(child)
        args = (SupFlags(strategy, intensity, period), spec, count, with_arguments)
        pid: Pid = await _proc_lib.start(
            serve, _Copies(), args, name=name, link=True, behaviour=cls
        )
        return pid

    @classmethod
    def child_spec(
        cls,
        child: ChildSpec | Mapping[str, Any],
        *,
        name: Name,
        id: Hashable = None,
        restart: Restart = "permanent",
        shutdown: Shutdown = math.inf,
        **options: Any,
    ) -> ChildSpec:
        """This supervisor as a child of another; options: those of `start_link`."""
        return ChildSpec(
            id=id if id is not None else name,
            start=(partial(cls.start_link, name=name, **options), (child,)),
            restart=restart,
            shutdown=shutdown,
            type="supervisor",
            modules=(f"{cls.__module__}.{cls.__qualname__}",),
        )

    @staticmethod
    def partitions(supervisor: Pid | Name) -> int:
        """How many copies there are."""
        return _routing_table(supervisor)[1]

    # --- the module of via names (G19) --------------------------------------------------

    @staticmethod
    def whereis_name(term: tuple[Any, Hashable]) -> Pid | None:
        """The copy for ``(supervisor, key)``, None while it does not run."""
        match term:
            case (supervisor, key):
                copies, count = _routing_table(supervisor)
                number = abs(key) if isinstance(key, int) else hash(key)
                copy = copies.find(number % count)
                pid = None if copy is None else copy.pid
                return pid if seems_alive(pid) else None
        raise BadArg(f"{term!r} picks no partition; it is (supervisor, key)")

    @staticmethod
    def register_name(term: object, pid: Pid) -> Literal["no"]:
        """Refused: copies are started by the supervisor alone."""
        raise BadArg(f"{pid} cannot be registered as {term!r}: the supervisor starts its copies")

    @staticmethod
    def unregister_name(term: object) -> None:
        """Refused, as `register_name`."""
        raise BadArg(f"{term!r} cannot be unregistered: the supervisor keeps its copies")

    @staticmethod
    def send(term: tuple[Any, Hashable], message: Any) -> None:
        """Send to the copy for ``(supervisor, key)``; BadArg when it does not run."""
        pid = PartitionSupervisor.whereis_name(term)
        if pid is None:
            raise BadArg(f"the partition for {term[1]!r} in {term[0]!r} does not run")
        pid._post(info(message))


def _routing_table(supervisor: Pid | Name) -> tuple[Children, int]:
    """The copies by number, and how many there are meant to be.

    The supervisor's own table is the routing table; it loses temporary copies that end, and
    no key may be brought to another copy for that.
    """
    pid = supervisor if isinstance(supervisor, Pid) else resolve(supervisor)
    process = None if pid is None else pid._process
    if isinstance(process, TaskProcess) and isinstance(process.sys, SupervisorProcess):
        machine = process.sys.machine
        if process.behaviour is PartitionSupervisor and isinstance(machine, Regular):
            return machine.children, process.sys.args[2]
    raise BadArg(f"{supervisor!r} is no partition supervisor")
