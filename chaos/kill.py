"""The experiment ``kill``: end one process, and watch the tree until it is whole again.

Everything is observed, nothing inferred: ends come from monitors on every process that
lived before, starts from the supervisors' progress reports, and the verdict from asking all
supervisors again. Whole for a moment is not enough: after `SETTLES` seconds nothing may
have moved, so that a process that crashes again at once is not taken for repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import trio

import supervisors
from chaos.census import Census, lost, missing, owed, take
from chaos.report import MOST, Ended, KillReport, Missing, Restarted
from supervisors import (
    Pid,
    ProgressReport,
    Report,
    current_runtime,
    exit_signal,
    format_reason,
    is_alive,
    monitor,
    process_info,
    receive,
    registered,
)

if TYPE_CHECKING:
    from chaos.program import Program

SETTLES = 0.2
"""Seconds the tree must stay whole, nothing moving, to count as whole."""

OBEYS_WITHIN = 1.0
"""Seconds a process gets to end after a signal that it may trap; ``kill`` it cannot."""

_LOOKS_EVERY = 0.02


class Kill(msgspec.Struct, frozen=True):
    """What to do.

    id: names the experiment. target: as the operator called it. pid: the process. reason:
    the exit signal's. root: registered name of the supervisor at the top. within: seconds
    the tree gets to become whole. spare: processes whose end is of no interest (the
    console connection that asks). program: what gets a signal instead, if it is no process; `pid` is
    then the one that it belongs to.
    """

    id: str
    target: str
    pid: Pid
    reason: str
    root: str
    root_pid: Pid
    within: float
    spare: frozenset[Pid] = frozenset()
    program: Any = None  # a `Program`


@dataclass
class _Observed:
    """What was seen so far.

    names: what to call each process. refs: the monitors. ended: exit reasons. started: when
    a supervisor reported the process, on the runtime's clock.
    """

    names: dict[Pid, str]
    refs: dict[Any, Pid] = field(default_factory=dict)
    ended: dict[Pid, Any] = field(default_factory=dict)
    started: dict[Pid, float] = field(default_factory=dict)

    def report(self, report: Report) -> None:
        if isinstance(report, ProgressReport) and isinstance(report.started.get("pid"), Pid):
            self.started[report.started["pid"]] = trio.current_time()

    def down(self, message: Any) -> None:
        pid = self.refs.get(message[1])
        if pid is not None:
            self.ended[pid] = message[4]


async def run(kill: Kill) -> KillReport:
    """Do it; needs a process of its own, whose mailbox it uses."""
    before = await take(kill.root_pid, kill.root)
    seen = _Observed(_names(before))
    stop_listening = current_runtime().subscribe(seen.report)
    try:
        return await _observe(kill, before, seen)
    finally:
        stop_listening()


async def _observe(kill: Kill, before: Census, seen: _Observed) -> KillReport:
    me = supervisors.self()
    for pid in seen.names:
        if pid is not me and pid not in kill.spare:
            seen.refs[monitor(pid)] = pid
    program: Program | None = kill.program
    sent = trio.current_time()
    deadline = sent + kill.within
    if program is None:
        exit_signal(kill.pid, kill.reason)
        patience = deadline if kill.reason == "kill" else min(deadline, sent + OBEYS_WITHIN)
        after, left, whole_at = await _until_ended(kill, before, seen, patience, deadline)
        died = kill.pid in seen.ended
        return _report(kill, before, after, seen, sent, left, whole_at, died=died)
    up = False
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            nonlocal up
            await program.watch()
            up = True

        nursery.start_soon(watch)
        program.strike()
        after, left, whole_at = await _until_ended(kill, before, seen, deadline, deadline)
        died = _has_ended(kill, seen)
        while died and not up and trio.current_time() < deadline:
            await _wait(seen, trio.current_time() + _LOOKS_EVERY, lambda: False)
        nursery.cancel_scope.cancel()
    if not up:
        whole_at = None
    report = _report(kill, before, after, seen, sent, left, whole_at, died=died)
    return msgspec.structs.replace(
        report, process=program.called, pid=program.pid, recovery=program.recovery(sent)
    )


def _has_ended(kill: Kill, seen: _Observed) -> bool:
    """Whether the victim has."""
    return kill.pid in seen.ended or (kill.program is not None and kill.program.has_ended)


async def _until_ended(
    kill: Kill, before: Census, seen: _Observed, patience: float, deadline: float
) -> tuple[Census, list[Missing], float | None]:
    """Wait for the victim's end, and then until the tree is whole; returns what `_until_whole` does."""
    while not _has_ended(kill, seen) and (left := patience - trio.current_time()) > 0:
        # Of a program there may be no word but its own: its process can have started another at once.
        pause = left if kill.program is None else min(left, _LOOKS_EVERY)
        await _wait(seen, trio.current_time() + pause, lambda: kill.pid in seen.ended)
    if _has_ended(kill, seen):
        return await _until_whole(kill, before, seen, deadline)
    return before, [], None


async def _wait(seen: _Observed, deadline: float, done: Callable[[], bool]) -> None:
    """Take in what ends until `done()` or the deadline."""
    while not done():
        left = deadline - trio.current_time()
        if left <= 0:
            return
        try:
            seen.down(await receive(_is_down, timeout=left))
        except trio.TooSlowError:
            return


def _is_down(message: Any) -> bool:
    return isinstance(message, tuple) and len(message) == 5 and message[0] == "DOWN"


async def _until_whole(
    kill: Kill, before: Census, seen: _Observed, deadline: float
) -> tuple[Census, list[Missing], float | None]:
    """Look until the tree is whole and rests, or until the deadline.

    Returns the last census, what it misses, and since when it was whole.
    """
    resting: dict[str, Pid | None] | None = None
    whole_at: float | None = None
    while True:
        after, left = await _look(kill, before, seen)
        now = trio.current_time()
        if left:
            resting = whole_at = None
        elif resting is not None and resting == after.lasting():
            return after, left, whole_at
        else:
            resting, whole_at = after.lasting(), now
        if now >= deadline:
            return after, left, whole_at
        pause = SETTLES if resting is not None else _LOOKS_EVERY
        await _wait(seen, now + pause, lambda: False)


async def _look(kill: Kill, before: Census, seen: _Observed) -> tuple[Census, list[Missing]]:
    """A census and what it misses, all ends known so far taken in."""
    if not is_alive(kill.root_pid):
        return Census(), [Missing(kill.root, "the top supervisor has ended")]
    after = await take(kill.root_pid, kill.root)
    await _wait(seen, trio.current_time(), lambda: False)
    return after, missing(before, after, seen.ended, registered())


def _report(
    kill: Kill,
    before: Census,
    after: Census,
    seen: _Observed,
    sent: float,
    left: list[Missing],
    whole_at: float | None,
    *,
    died: bool,
) -> KillReport:
    def ms(at: float) -> float:
        return round((at - sent) * 1000, 3)

    ended = [
        Ended(str(pid), seen.names[pid], format_reason(reason))
        for pid, reason in seen.ended.items()
    ]
    was = {path: place.pid for path, place in before.regular().items()}
    restarted, kept = [], []
    for path, place in after.regular().items():
        old = was.get(path)
        if place.pid is None or old is None:
            continue
        if place.pid is old:
            kept.append(path)
        else:
            at = seen.started.get(place.pid, trio.current_time())
            restarted.append(Restarted(path, place.by, str(old), str(place.pid), ms(at)))
    remarks = lost(before)
    if not died:
        remarks.append(
            f"{kill.target} did not end: the signal {kill.reason!r} was trapped or ignored"
        )
    for place in before.places:
        if place.pid is kill.pid and not owed(place, seen.ended) and died:
            remarks.append(f"{place.path} is {place.restart}: nobody has to restart it")
    return KillReport(
        id=kill.id,
        target=kill.target,
        process=seen.names.get(kill.pid, str(kill.pid)),
        pid=str(kill.pid),
        reason=kill.reason,
        died=died,
        whole=died and not left and whole_at is not None,
        whole_after_ms=None if whole_at is None else ms(whole_at),
        ended_total=len(ended),
        ended=tuple(ended[:MOST]),
        restarted_total=len(restarted),
        restarted=tuple(restarted[:MOST]),
        kept_total=len(kept),
        kept=tuple(kept[:MOST]),
        missing=tuple(left[:MOST]),
        remarks=tuple(remarks),
    )


def _names(census: Census) -> dict[Pid, str]:
    """What to call every process alive: its place, else its name, label or code."""
    places = census.called()
    names: dict[Pid, str] = {}
    for pid in current_runtime().processes():
        info = process_info(pid)
        if info is not None:
            label = None if info.label is None else str(info.label)
            names[pid] = places.get(pid) or info.registered_name or label or info.initial_call
    return names
