"""What an experiment found, as data."""

from __future__ import annotations

import msgspec

LONGEST = 120.0
"""Seconds an experiment may wait for the tree."""
MOST = 200
"""Entries one list of a report holds; the total is kept beside it."""


class Ended(msgspec.Struct, frozen=True):
    """A process that ended during the experiment.

    process: its place in the tree, else its name, label or what it was started to run.
    reason: its exit reason in a line.
    """

    pid: str
    process: str
    reason: str


class Restarted(msgspec.Struct, frozen=True):
    """A place that has another process than before; `by` is the supervisor's place.

    ms: milliseconds from the signal to the report that the new process runs.
    """

    place: str
    by: str
    was: str
    pid: str
    ms: float


class Missing(msgspec.Struct, frozen=True):
    """A place that a supervisor owes a process and has none, and what is there instead."""

    place: str
    why: str


class Recovery(msgspec.Struct, frozen=True):
    """What became of the program of an upstream.

    upstream: its name, with the instance's number if it has several. where: its command. signal: what was
    sent. was, pid: of the program before and now, the operating system's. ended: how it did, None if it
    did not. noticed_ms, up_ms: milliseconds from the signal until the node knew that it was gone, and
    until the upstream was up again with another; None if that did not come. reason: why it is not up.
    lost: calls that had no answer.
    """

    upstream: str
    where: str
    signal: str
    was: int | None
    pid: int | None
    ended: str | None
    noticed_ms: float | None
    up_ms: float | None
    reason: str | None
    lost: int


class KillReport(msgspec.Struct, frozen=True):
    """The outcome of ``chaos kill``.

    id: of the experiment. target: as it was given. process: its place or name. reason: what
    was sent. died: whether the target ended. whole: whether it ended and the tree is whole
    again: every child that its supervisor has to keep running does run, and every name
    held by such a child is registered again. whole_after_ms: when a look first found it so
    (a look every 20 ms, the first at once).
    ended, restarted, kept: processes that ended, in that order, places with a new process, places that
    kept their process (by name of the place; at most 200 each), with their totals.
    missing: what keeps the tree from being whole. remarks: what a reader should know. recovery: if the
    target was the program of an upstream, which then has to be up again for `whole`.
    """

    id: str
    target: str
    process: str
    pid: str
    reason: str
    died: bool
    whole: bool
    whole_after_ms: float | None
    ended_total: int
    ended: tuple[Ended, ...]
    restarted_total: int
    restarted: tuple[Restarted, ...]
    kept_total: int
    kept: tuple[str, ...]
    missing: tuple[Missing, ...]
    remarks: tuple[str, ...] = ()
    recovery: Recovery | None = None
