"""How each component is asked whether it is well.

A check is an async function that returns what it found. It need not limit its time, the monitor does;
and it raises only for a fault of its own, not for a component that is ill. The components are those of SYSTEM 1.1: registry, the supervisors of servers,
sessions and transports, and the application, which here is the node's own supervisor.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from erlmcp_py.config import HealthConfig
from erlmcp_py.ops.component import Failed, Limping, Outcome, Passed
from erlmcp_py.ops.memory import Memory, read_memory
from supervisors import CallExit, Pid, call, format_reason, which_children

Check: TypeAlias = Callable[[], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Component:
    """Something to keep an eye on.

    interval: seconds between two checks; None follows the monitor's settings, with its shorter
    interval for a component that failed.
    """

    id: str
    check: Check
    interval: float | None = None


def server_check(name: str, request: object) -> Check:
    """A `GenServer` is well if it answers `request`, whatever the answer."""

    async def check() -> Outcome:
        try:
            await call(name, request, math.inf)
        except CallExit as failure:
            return _no_answer(name, failure)
        return Passed()

    return check


def supervisor_check(name: str) -> Check:
    """A supervisor is well if it answers and every child it should have runs."""

    async def check() -> Outcome:
        try:
            children = await which_children(name)
        except CallExit as failure:
            return _no_answer(name, failure)
        down = [str(child.id) for child in children if not isinstance(child.pid, Pid)]
        facts = {"children": len(children) - len(down)}
        if down:
            return Failed(f"not running: {', '.join(sorted(down))}", facts)
        return Passed(facts)

    return check


def memory_check(settings: HealthConfig, read: Callable[[], Memory] = read_memory) -> Check:
    """Memory in use against the two thresholds."""

    async def check() -> Outcome:
        memory = read()
        facts = {
            "memory_share": round(memory.share, 3),
            "memory_used": memory.used,
            "memory_limit": memory.limit,
            "memory_scope": memory.scope,
        }
        text = f"{memory.share:.1%} of the {memory.scope}'s memory is in use"
        if memory.share >= settings.memory_critical:
            return Failed(f"{text}, critical from {settings.memory_critical:.0%}", facts, True)
        if memory.share >= settings.memory_warning:
            return Limping(f"{text}, a warning from {settings.memory_warning:.0%}", facts)
        return Passed(facts)

    return check


def node_components(settings: HealthConfig) -> tuple[Component, ...]:
    """What a node watches about itself."""
    return (
        Component("registry", server_check("registry", ("default",))),
        Component("servers", supervisor_check("servers")),
        Component("sessions", supervisor_check("sessions_sup")),
        Component("transports", supervisor_check("transports")),
        Component("node", supervisor_check("node")),
        Component("system", memory_check(settings), settings.system_check_interval),
    )


def _no_answer(name: str, failure: CallExit) -> Failed:
    if failure.cause == "noproc":
        return Failed(f"{name} is not running")
    return Failed(f"{name} ended while it was asked: {format_reason(failure.cause)}")
