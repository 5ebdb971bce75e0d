"""DynamicSupervisor: a supervisor that starts empty and is given its children as they come.

Each child has a spec of its own and is known by its pid; ids mean nothing, so the same
spec may be started any number of times:

    >>> import supervisors as otp
    >>> from supervisors import Agent, DynamicSupervisor
    >>> async def main():
    ...     sup = await DynamicSupervisor.start_link(max_children=2)
    ...     first = await otp.start_child(sup, Agent.child_spec(lambda: 1))
    ...     await otp.start_child(sup, Agent.child_spec(lambda: 2))
    ...     try:
    ...         await otp.start_child(sup, Agent.child_spec(lambda: 3))
    ...     except otp.SupervisorError as refused:
    ...         print(refused.reason)
    ...     await otp.terminate_child(sup, first)
    ...     return await otp.count_children(sup)
    >>> otp.run(main)
    max_children
    ChildCounts(specs=1, active=1, supervisors=0, workers=1)

The administration functions are those of every supervisor: `start_child` with a spec,
`terminate_child` with a pid ("not_found" when it is dead), `which_children`,
`count_children`. When it stops, all children are signalled at once.

Elixir: DynamicSupervisor (SEMANTICS 1.6). WHY beside simple_one_for_one: that has one
spec for all and appends to its arguments; here every child is what it wants to be.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple

from . import _proc_lib
from ._cell import task_process
from ._names import Name
from ._pid import Pid
from ._supervisor.behaviour import Supervisor
from ._supervisor.dynamic import Dynamic
from ._supervisor.errors import SupervisorError
from ._supervisor.process import SupervisorProcess
from ._supervisor.spec import ChildSpec, Restart, Shutdown, Strategy, SupFlags


class DynamicOptions(NamedTuple):
    """What a dynamic supervisor was started with; see `DynamicSupervisor.start_link`."""

    flags: SupFlags
    max_children: float = math.inf
    extra_arguments: Sequence[Any] = ()


class _Dynamic(Supervisor):
    """What a supervisor process asks how to supervise: here, as it was started."""

    def init(self, options: DynamicOptions) -> DynamicOptions:
        return options


class DynamicProcess(SupervisorProcess):
    """One running dynamic supervisor: the supervisor process with another machine."""

    __slots__ = ()

    async def _boot(self, wanted: DynamicOptions) -> None:
        try:
            self.machine = Dynamic(wanted.flags, wanted.max_children, wanted.extra_arguments)
        except SupervisorError as fault:
            self._fail(fault.reason)


async def _serve(options: DynamicOptions) -> None:
    process = task_process.get()
    assert process is not None, "a supervisor runs in a process of its own"
    await DynamicProcess(process, _Dynamic()).run((options,))


async def start_dynamic(behaviour: type, options: DynamicOptions, name: Name | None) -> Pid:
    """Start a dynamic supervisor linked to the calling process; shown as `behaviour`."""
    pid: Pid = await _proc_lib.start(_serve, options, name=name, link=True, behaviour=behaviour)
    return pid


def dynamic_child_spec(
    behaviour: Any,
    id: Hashable,
    name: Name | None,
    restart: Restart,
    shutdown: Shutdown,
    options: dict[str, Any],
) -> ChildSpec:
    """A dynamic supervisor as a child of another; options: those of its `start_link`."""
    return ChildSpec(
        id=id if id is not None else name or behaviour.__qualname__,
        start=(partial(behaviour.start_link, name=name, **options), ()),
        restart=restart,
        shutdown=shutdown,
        type="supervisor",
        modules=(f"{behaviour.__module__}.{behaviour.__qualname__}",),
    )


class DynamicSupervisor:
    """Start one with `start_link`; see the module's text for an example."""

    @classmethod
    async def start_link(
        cls,
        *,
        strategy: Strategy = "one_for_one",
        intensity: int = 3,
        period: int = 5,
        max_children: float = math.inf,
        extra_arguments: Sequence[Any] = (),
        name: Name | None = None,
    ) -> Pid:
        """Start a supervisor without children, linked to the calling process.

        strategy: one_for_one is the only one there is. intensity, period: more than so
        many restarts in so many whole seconds and it gives up (V9). max_children: a start
        beyond it is refused with "max_children". extra_arguments: go before the arguments
        of each child's start function.
        Raises StartError ``("already_started", pid)`` or ``("supervisor_data", fault)``.
        """
        flags = SupFlags(strategy, intensity, period)
        return await start_dynamic(cls, DynamicOptions(flags, max_children, extra_arguments), name)

    @classmethod
    def child_spec(
        cls,
        *,
        id: Hashable = None,
        name: Name | None = None,
        restart: Restart = "permanent",
        shutdown: Shutdown = math.inf,
        **options: Any,
    ) -> ChildSpec:
        """This supervisor as a child of another; options: those of `start_link`."""
        return dynamic_child_spec(cls, id, name, restart, shutdown, options)
