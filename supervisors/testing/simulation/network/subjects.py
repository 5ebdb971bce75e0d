"""The subjects of the simulated network; a new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from . import (
    aliases,
    calls,
    connections,
    groups,
    hazards,
    links,
    monitors,
    names,
    sequences,
)
from .subject import FaultKind, Subject

SUBJECTS: Final[tuple[Subject, ...]] = (
    connections.SUBJECT,
    sequences.SUBJECT,
    calls.SUBJECT,
    monitors.SUBJECT,
    links.SUBJECT,
    aliases.SUBJECT,
    names.SUBJECT,
    groups.SUBJECT,
    hazards.SUBJECT,
)

FAULTS: Final[dict[str, FaultKind]] = {
    kind: fault for subject in SUBJECTS for kind, fault in subject.faults.items()
}
"""The kinds of faults."""

REACTIONS: Final[dict[str, Callable[..., Any]]] = {
    kind: reaction for subject in SUBJECTS for kind, reaction in subject.reactions.items()
}
"""What workers do with messages."""
