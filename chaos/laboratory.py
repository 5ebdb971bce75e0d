"""The processes of chaos: the experiments, and the shelf with their reports.

::

    chaos (one_for_one 5/60)
    ├── chaos_reports       the last 100 reports
    ├── chaos_experiments   (simple_one_for_one, temporary) a process per experiment
    ├── chaos_proxies       (simple_one_for_one) a tree per fault proxy (`chaos.proxy`)
    └── chaos_commands      offers ``chaos ...`` to the console

An experiment outlives whoever asked for it: killing the console takes the operator's
connection with it, and the report must still be there for his next one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import supervisors
from supervisors import (
    ChildSpec,
    GenServer,
    Pid,
    Supervisor,
    SupFlags,
    call,
    cast,
    monitor,
    send,
    spawn_link,
    start_child,
)

if TYPE_CHECKING:
    from chaos.kill import Kill
    from chaos.report import KillReport

REPORTS = "chaos_reports"
EXPERIMENTS = "chaos_experiments"

KEPT = 100
"""Reports on the shelf."""


class Reports(GenServer):
    """The shelf. Cast ``("keep", report)``; call ``("report", id)`` -> KillReport | None."""

    def init(self) -> Any:
        """Start empty."""
        return "ok", OrderedDict()

    def handle_cast(self, request: Any, state: OrderedDict[str, KillReport]) -> Any:
        """Keep a report, and forget the oldest beyond the hundredth."""
        _keep, report = request
        state[report.id] = report
        if len(state) > KEPT:
            state.popitem(last=False)
        return "noreply", state

    def handle_call(self, request: Any, _from: Any, state: OrderedDict[str, KillReport]) -> Any:
        """Hand out a report."""
        _report, id = request
        return "reply", state.get(id), state


class Experiments(Supervisor):
    """The running experiments; a child is started with ``[kill, asker]``."""

    def init(self) -> tuple[SupFlags, list[ChildSpec]]:
        """Temporary children: an experiment is never repeated by accident."""
        return SupFlags("simple_one_for_one", 5, 60), [
            ChildSpec("experiment", (_start, ()), restart="temporary")
        ]


async def _start(kill: Kill, asker: Pid) -> Pid:
    return spawn_link(_experiment, kill, asker, label=f"experiment-{kill.id}")


async def _experiment(kill: Kill, asker: Pid) -> None:
    from chaos.kill import run

    report = await run(kill)
    cast(REPORTS, ("keep", report))
    send(asker, ("chaos_report", kill.id, report))


async def perform(kill: Kill) -> KillReport:
    """Run the experiment in a process of its own and wait for its report.

    To be called from a task process. Raises `Exit` when the experiment itself was ended.
    """
    experiment: Pid = await start_child(EXPERIMENTS, [kill, supervisors.self()])
    ref = monitor(experiment)
    answer = await supervisors.receive(
        lambda message: (
            isinstance(message, tuple)
            and (message[:2] == ("chaos_report", kill.id) or message[:2] == ("DOWN", ref))
        )
    )
    supervisors.demonitor(ref, flush=True)
    if answer[0] == "DOWN":
        raise supervisors.Exit(answer[4])
    report: KillReport = answer[2]
    return report


async def kept(id: str) -> KillReport | None:
    """The report of experiment `id`, if it is finished and still on the shelf."""
    report: KillReport | None = await call(REPORTS, ("report", id))
    return report
