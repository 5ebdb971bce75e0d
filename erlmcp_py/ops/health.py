"""The health monitor: asks every component in turn how it is, and remembers the answers.

The monitor itself never waits, so it answers `/health` at once however stuck the node is: each
check runs in a process of its own, which reports back, and a check that crashes, hangs or is killed
counts as failed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from erlmcp_py.config import HealthConfig
from erlmcp_py.ops.checks import Check, Component
from erlmcp_py.ops.component import (
    ComponentHealth,
    Failed,
    HealthReport,
    Outcome,
    Passed,
    summarise,
)
from erlmcp_py.telemetry.entry import Level
from erlmcp_py.telemetry.log import log
from supervisors import (
    GenServer,
    Pid,
    Ref,
    call,
    demonitor,
    format_reason,
    send,
    send_after,
    spawn_monitor,
)
from supervisors import self as own_pid

NAME: Final = "health"
"""The registered name of the monitor."""


@dataclass(slots=True)
class _State:
    settings: HealthConfig
    components: dict[str, Component]
    records: dict[str, ComponentHealth]
    checking: dict[Pid, tuple[str, Ref]] = field(default_factory=dict)


class HealthMonitor(GenServer):
    """Checks `components` for as long as it lives, each for the first time at once.

    Requests: ("report",) -> `HealthReport`.
    """

    def init(self, settings: HealthConfig, components: tuple[Component, ...]) -> Any:
        """Ask everybody; until they have answered, they are unknown."""
        for component in components:
            send(own_pid(), ("check", component.id))
        by_id = {component.id: component for component in components}
        return ("ok", _State(settings, by_id, {id: ComponentHealth(id=id) for id in by_id}))

    def handle_call(self, request: Any, _from: Any, state: _State) -> Any:
        """Answer what is known now."""
        if request == ("report",):
            return ("reply", summarise(state.records.values()), state)
        return ("reply", ("error", f"the health monitor does not know {request!r}"), state)

    def handle_info(self, message: Any, state: _State) -> Any:
        """Begin a check, or take note of how one ended."""
        match message:
            case ("check", str() as id) if id in state.components:
                pid, ref = spawn_monitor(
                    _check, own_pid(), state.components[id].check, state.settings.check_timeout
                )
                state.checking[pid] = (id, ref)
            case ("checked", Pid() as pid, outcome) if pid in state.checking:
                id, ref = state.checking.pop(pid)
                demonitor(ref, flush=True)
                _note(id, outcome, state)
            case ("DOWN", _, "process", Pid() as pid, reason) if pid in state.checking:
                id, _ = state.checking.pop(pid)
                _note(id, Failed(f"the check itself failed: {format_reason(reason)}"), state)
        return ("noreply", state)


async def _check(monitor: Pid, check: Check, timeout: float) -> None:
    """One check's life."""
    outcome: Outcome = Failed(f"no answer within {timeout:g} s")
    with trio.move_on_after(timeout):
        outcome = await check()
    send(monitor, ("checked", own_pid(), outcome))


def _note(id: str, outcome: Outcome, state: _State) -> None:
    """Keep the outcome, say so in the log if it changes anything, and plan the next check."""
    before = state.records[id]
    after = before.after(outcome, time.time(), state.settings.max_consecutive_failures)
    state.records[id] = after
    if before.status != after.status and (before.status, after.status) != ("unknown", "healthy"):
        level: Level = "info" if after.status == "healthy" else "warning"
        why = "" if isinstance(outcome, Passed) else f": {outcome.reason}"
        log(level, f"health: {id} was {before.status}, is {after.status}{why}")
    interval = state.components[id].interval or after.next_check(state.settings)
    send_after(interval, own_pid(), ("check", id))


async def report(timeout: float = 1.0) -> HealthReport:
    """What the monitor knows. Raises `CallExit` while there is no monitor."""
    answer = await call(NAME, ("report",), timeout)
    assert isinstance(answer, HealthReport)
    return answer
