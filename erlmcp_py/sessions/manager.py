"""Which session is which process, how many there may be, and when an unused one ends.

The manager never starts a process: a start has to be waited for, and a manager that waits
cannot answer. It decides, and the caller does (`directory`).

An entry is in one of three states. *Up*: its process is known. *Coming*: its process is
being started or restarted, and who looks it up waits for it. *Absent*: there is a record,
but nobody starts it (the pool of sessions was restarted, say); the first one who looks it up
is told to revive it, and is watched meanwhile: if it ends over it, the next one is told.

Its entries are read past it (`at_hand`), as the registry's are and for the same reason: every request
of a client looks its session up.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec

from erlmcp_py.sessions.record import Kept, SessionRecord, SessionView
from erlmcp_py.sessions.store import SessionStore
from erlmcp_py.sessions.streams import MAX_BYTES, MAX_STREAMS
from supervisors import (
    From,
    GenServer,
    Pid,
    cast,
    current_runtime,
    demonitor,
    is_alive,
    is_normal,
    limit_mailbox,
    monitor,
    reply,
    send_after,
    whereis,
)
from supervisors import self as own_pid

NAME: Final = "sessions"
PATIENCE: Final = 2.0
"""Seconds a lookup waits for a session process that is being restarted."""


class SessionLimits(msgspec.Struct, frozen=True):
    """max: sessions at once. idle_timeout: seconds without a request after which one ends.

    mailbox, manager_mailbox: messages that may wait at one session, and at their manager.
    replay_bytes, replay_streams: of one session, kept for a client that comes back for events it lost.
    """

    max: int = 10_000
    idle_timeout: float = 1800.0
    mailbox: int = 1000
    manager_mailbox: int = 10_000
    replay_bytes: int = MAX_BYTES
    replay_streams: int = MAX_STREAMS


class SessionsStatistics(msgspec.Struct, frozen=True):
    """Counts since the manager started, but `open` and `live`, which are now.

    open: sessions with a record. live: those with a process. created, refused (limit reached),
    deleted (by the client, or with their server), expired (idle), lost (processes that crashed or were
    killed).
    """

    open: int
    live: int
    created: int
    refused: int
    deleted: int
    expired: int
    lost: int


class _Entry:
    __slots__ = ("busy", "coming", "pid", "ref", "reviver", "waiting")

    def __init__(self) -> None:
        self.pid: Pid | None = None
        self.ref: Any = None
        self.reviver: Any = None
        self.coming = False
        self.busy = False
        self.waiting: list[Any] = []


class _State:
    def __init__(self, store: SessionStore, limits: SessionLimits) -> None:
        self.store = store
        self.limits = limits
        self.entries: dict[str, _Entry] = {}
        self.by_ref: dict[Any, str] = {}
        """Of session processes, and of those who were told to revive one."""
        self.created = self.refused = self.deleted = self.expired = self.lost = 0

    def at_hand(self, id: str) -> tuple[Pid, SessionView] | None:
        record = self.store.get(id)
        entry = self.entries.get(id)
        if record is None or entry is None or (pid := entry.pid) is None or not is_alive(pid):
            return None
        view = record.kept.view
        if view is None:
            return None
        self.store.touch(id, current_runtime().now())
        return pid, view

    def entry(self, id: str) -> _Entry:
        entry = self.entries.get(id)
        if entry is None:
            entry = self.entries[id] = _Entry()
        return entry


_managers: WeakKeyDictionary[Pid, _State] = WeakKeyDictionary()


def at_hand(id: str) -> tuple[Pid, SessionView] | None:
    """A session whose process is up, and what it is; without a wait. Counts as a use of the session.

    None: the manager has to be asked.
    """
    manager = whereis(NAME)
    state = None if manager is None else _managers.get(manager)
    return None if state is None else state.at_hand(id)


def _is_no_request(message: Any) -> bool:
    """What clients cause is refused when too much waits; what session processes tell is not."""
    return not (isinstance(message, tuple) and message[:1] in (("lookup",), ("create",)))


class SessionManager(GenServer):
    """The process named "sessions"; call it through `erlmcp_py.sessions`."""

    def init(
        self, store: SessionStore, limits: SessionLimits, adopted: list[tuple[str, Pid]]
    ) -> tuple[Any, ...]:
        """Adopt the session processes that live already: only the manager was restarted."""
        limit_mailbox(limits.manager_mailbox, "refuse", exempt=_is_no_request)
        state = _State(store, limits)
        for id, pid in adopted:
            self._up(id, pid, state)
        self._arm(state)
        _managers[own_pid()] = state
        return ("ok", state)

    def handle_call(self, request: Any, from_: Any, state: _State) -> tuple[Any, ...]:
        """``("lookup", id)`` -> Pid | None | ("revive", record) | "unavailable";
        ``("create", server, params, version, subject)`` -> SessionRecord | "full";
        ``("failed", id)``; ``("delete", id)`` -> whether it existed; ``("delete_of", server)`` -> how many;
        ``("statistics",)``.
        """
        match request:
            case ("lookup", id):
                return self._lookup(id, from_, state)
            case ("create", server, params, version, subject):
                return ("reply", self._create(server, params, version, subject, state), state)
            case ("delete", id):
                known = self._end(id, state)
                state.deleted += known
                return ("reply", known, state)
            case ("delete_of", server):
                ids = state.store.of(server)
                for id in ids:
                    self._end(id, state)
                state.deleted += len(ids)
                return ("reply", len(ids), state)
            case ("failed", id):
                self._failed(id, state)
                return ("reply", None, state)
            case ("statistics",):
                return ("reply", self._statistics(state), state)
        return ("reply", None, state)

    def handle_cast(self, request: Any, state: _State) -> tuple[Any, ...]:
        """What session processes tell: up, busy, calm; of one that was deleted meanwhile it is too late."""
        match request:
            case ("up", id, pid):
                self._up(id, pid, state)
            case ("busy", id) if state.store.get(id) is not None:
                state.entry(id).busy = True
            case ("calm", id) if state.store.get(id) is not None:
                state.entry(id).busy = False
                state.store.touch(id, current_runtime().now())
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """DOWN of a session, the reaper's tick, or the end of a waiter's patience."""
        match message:
            case ("DOWN", ref, "process", _, reason):
                self._down(ref, reason, state)
            case "reap":
                self._reap(state)
                self._arm(state)
            case ("impatient", id, from_):
                entry = state.entries.get(id)
                if entry is not None and from_ in entry.waiting:
                    entry.waiting.remove(from_)
                    reply(from_, "unavailable")
        return ("noreply", state)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show the counts instead of every session."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": msgspec.structs.asdict(self._statistics(state))}

    # --- requests -----------------------------------------------------------------------

    def _lookup(self, id: str, from_: Any, state: _State) -> tuple[Any, ...]:
        record = state.store.get(id)
        if record is None:
            return ("reply", None, state)
        state.store.touch(id, current_runtime().now())
        entry = state.entry(id)
        if entry.pid is not None:
            return ("reply", entry.pid, state)
        if not entry.coming:
            self._have_revived(entry, from_, record, state)
            return ("noreply", state)
        entry.waiting.append(from_)
        send_after(PATIENCE, own_pid(), ("impatient", id, from_))
        return ("noreply", state)

    def _have_revived(
        self, entry: _Entry, from_: From, record: SessionRecord, state: _State
    ) -> None:
        entry.coming = True
        if from_.pid is not None:
            entry.reviver = monitor(from_.pid)
            state.by_ref[entry.reviver] = record.id
        reply(from_, ("revive", record))

    def _create(
        self, server: str | None, params: Any, version: str, subject: str | None, state: _State
    ) -> SessionRecord | str:
        if len(state.store) >= state.limits.max:
            self._reap(state)
        if len(state.store) >= state.limits.max:
            state.refused += 1
            return "full"
        now = current_runtime().now()
        kept = Kept(state.limits.replay_bytes, state.limits.replay_streams)
        id = state.store.ids.new()
        record = SessionRecord(id, server, params, version, now, subject, kept)
        state.store.add(record)
        state.entry(record.id).coming = True
        state.created += 1
        return record

    def _end(self, id: str, state: _State) -> bool:
        """Forget a session and end its process; whoever waits for it learns it is gone."""
        known = state.store.remove(id) is not None
        entry = state.entries.pop(id, None)
        if entry is not None:
            self._unwatch(entry, state)
            if entry.pid is not None:
                cast(entry.pid, "close")
            for from_ in entry.waiting:
                reply(from_, None)
        return known

    def _failed(self, id: str, state: _State) -> None:
        """Whoever was to start the process could not."""
        entry = state.entry(id)
        self._unwatch(entry, state)
        entry.coming = False
        waiting, entry.waiting = entry.waiting, []
        for from_ in waiting:
            reply(from_, "unavailable")

    def _statistics(self, state: _State) -> SessionsStatistics:
        return SessionsStatistics(
            open=len(state.store),
            live=sum(1 for entry in state.entries.values() if entry.pid is not None),
            created=state.created,
            refused=state.refused,
            deleted=state.deleted,
            expired=state.expired,
            lost=state.lost,
        )

    # --- processes ----------------------------------------------------------------------

    def _up(self, id: str, pid: Pid, state: _State) -> None:
        if state.store.get(id) is None:
            cast(pid, "close")
            return
        entry = state.entry(id)
        if entry.pid is not None and entry.pid is not pid and is_alive(entry.pid):
            cast(pid, "close")  # revived twice: the one who was told first had not quite failed
            return
        self._unwatch(entry, state)
        entry.pid = pid
        entry.coming = entry.busy = False
        entry.ref = monitor(pid)
        state.by_ref[entry.ref] = id
        waiting, entry.waiting = entry.waiting, []
        for from_ in waiting:
            reply(from_, pid)

    def _unwatch(self, entry: _Entry, state: _State) -> None:
        for ref in (entry.ref, entry.reviver):
            if ref is not None:
                demonitor(ref, flush=True)
                state.by_ref.pop(ref, None)
        entry.ref = entry.reviver = None

    def _down(self, ref: Any, reason: Any, state: _State) -> None:
        id = state.by_ref.pop(ref, None)
        if id is None:
            return
        entry = state.entries[id]
        if ref is entry.reviver:
            self._abandoned(id, entry, state)
            return
        entry.pid = entry.ref = None
        entry.busy = False
        # The supervisor brings back what ended abnormally; else the next lookup does.
        entry.coming = not is_normal(reason)
        if entry.coming:
            state.lost += 1

    def _abandoned(self, id: str, entry: _Entry, state: _State) -> None:
        """Who was to start the process has ended; whoever waits for it longest does it instead."""
        entry.reviver = None
        entry.coming = False
        record = state.store.get(id)
        if entry.waiting and record is not None:
            self._have_revived(entry, entry.waiting.pop(0), record, state)

    # --- idle sessions ------------------------------------------------------------------

    def _arm(self, state: _State) -> None:
        send_after(min(60.0, state.limits.idle_timeout / 4), own_pid(), "reap")

    def _reap(self, state: _State) -> None:
        moment = current_runtime().now() - state.limits.idle_timeout
        for id in state.store.unused_since(moment):
            entry = state.entries.get(id)
            if entry is None or not entry.busy:
                self._end(id, state)
                state.expired += 1
