"""The subjects of the simulation: each module has one of them, `SUBJECT`.

A subject is a part of the kernel: the processes it has in a tree, the faults that are its
own, and what must be true of it. A new one is a module and a line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import (
    agents,
    aliases,
    events,
    groups,
    machines,
    mailboxes,
    registries,
    requests,
    restarts,
    servers,
    signals,
    supervisors,
    system,
    task_processes,
    tasks,
    traffic,
)
from .subject import FaultKind, Subject, WorkerKind

if TYPE_CHECKING:
    from ..tree import Fault
    from ..world import World

SUBJECTS: Final[tuple[Subject, ...]] = (
    signals.SUBJECT,
    traffic.SUBJECT,
    mailboxes.SUBJECT,
    servers.SUBJECT,
    task_processes.SUBJECT,
    machines.SUBJECT,
    supervisors.SUBJECT,
    restarts.SUBJECT,
    agents.SUBJECT,
    aliases.SUBJECT,
    events.SUBJECT,
    groups.SUBJECT,
    registries.SUBJECT,
    requests.SUBJECT,
    system.SUBJECT,
    tasks.SUBJECT,
)

WORKERS: Final[dict[str, WorkerKind]] = {
    kind: worker for subject in SUBJECTS for kind, worker in subject.workers.items()
}
"""The kinds of leaves a tree may have."""

FAULTS: Final[dict[str, FaultKind]] = {
    kind: fault for subject in SUBJECTS for kind, fault in subject.faults.items()
}
"""The kinds of faults."""


def inject(world: World, fault: Fault) -> bool:
    """Let it happen; False when nobody was there to be hit.

    A plan that was made smaller may aim at a node that the fault is not made for any more.
    """
    kind = FAULTS[fault.kind]
    target, other = world.nodes.get(fault.target), world.nodes.get(fault.other)
    if target is None or not kind.hits(target):
        return False
    if kind.other is not None and (other is None or not kind.other(other)):
        return False
    return kind.inject(world, fault)
