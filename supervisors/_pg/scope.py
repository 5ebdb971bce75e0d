"""The process of one scope: the only one that changes its groups.

It monitors every local member and every process that wants to be told, so the dead leave
by themselves, and every scope of the same name on other nodes. Reading goes past it,
straight to the table (`client`), as OTP reads an ETS table.

What a group's key raises, and that it cannot travel to another node, is the fault of who
uses it: a request is looked at in full before anything is changed, so its sender gets the
error and the scope goes on. Where nobody waits for an answer it is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .._cell import require_process
from .._errors import BadArg, format_reason, interrupts, shown
from .._gen_server.behaviour import GenServer
from .._gen_server.calls import From
from .._pid import Pid, Ref
from .._reports import WarningReport
from .._signals import demonitor, monitor, send
from .._signals import self as _me
from .groups import Entry, Group, Groups, expand
from .peers import Peers

Verb = Literal["join", "leave"]


@dataclass(slots=True)
class Membership:
    """A local member: the monitor on it, and its groups, one entry per join."""

    watch: Ref
    groups: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told, and of what: of one group, or with None of the whole scope."""

    pid: Pid
    watch: Ref
    entry: Entry | None


@dataclass(slots=True)
class Peer:
    """The same scope on another node, as far as it has told us."""

    watch: Ref
    groups: dict[Entry, list[Pid]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer to a request that could not be met: what the caller raises."""

    error: BaseException


@dataclass(slots=True)
class ScopeState:
    """The state of a scope process.

    members: local ones. told: subscriptions by the reference their messages carry;
    scope_listeners: those of everything. watching: what each of our monitors is for.
    """

    name: str
    peers: Peers
    groups: Groups = field(default_factory=Groups)
    members: dict[Pid, Membership] = field(default_factory=dict)
    told: dict[Ref, Subscription] = field(default_factory=dict)
    scope_listeners: dict[Ref, Pid] = field(default_factory=dict)
    others: dict[Pid, Peer] = field(default_factory=dict)
    watching: dict[Ref, tuple[Literal["member", "peer", "listener"], Any]] = field(
        default_factory=dict
    )


class Scope(GenServer):
    """Requests: ``("join"|"leave", group, pids)``, ``("monitor", pid, group)``,
    ``("monitor_scope", pid)``, ``("demonitor", ref)``; join and leave also as casts.
    """

    def init(self, name: str, peers: Peers) -> Any:
        state = ScopeState(name, peers)
        me = _me()
        for node in peers.nodes(me):
            peers.send(node, name, ("pg_discover", me))
        return "ok", state

    def handle_call(self, request: Any, from_: From, state: ScopeState) -> Any:
        match request:
            case ("join" | "leave" | "monitor", _, _):
                return "reply", _attempted(state, request), state
            case ("monitor_scope", pid):
                ref = _subscribe(state, pid, None)
                return "reply", (ref, _snapshot(state)), state
            case ("demonitor", ref):
                return "reply", _unsubscribe(state, ref), state
        return super().handle_call(request, from_, state)

    def handle_cast(self, request: Any, state: ScopeState) -> Any:
        match request:
            case ("join" | "leave", group, _):
                done = _attempted(state, request)
                if isinstance(done, Failed):
                    _warn(f"{request[0]}_soon() of a group failed", group, done.error)
                return "noreply", state
        return super().handle_cast(request, state)

    def handle_info(self, message: Any, state: ScopeState) -> Any:
        match message:
            case (str("DOWN"), Ref() as ref, str("process"), _, _) if ref in state.watching:
                _gone(state, ref)
            case (str("pg_join"), Pid() as peer, group, pids) if peer in state.others:
                entry = _of_peer(state, group)
                if entry is not None:
                    _peer_join(state, state.others[peer], entry, pids)
            case (str("pg_leave"), Pid() as peer, pids, groups) if peer in state.others:
                for group in groups:
                    entry = _of_peer(state, group)
                    if entry is not None:
                        _peer_leave(state, state.others[peer], entry, pids)
            case (str("pg_join" | "pg_leave"), _, _, _):
                pass  # of a peer that is down, or not known yet: its pg_sync will tell all
            case (str("pg_sync"), Pid() as peer, groups):
                _peer_sync(state, peer, groups)
            case (str("pg_discover"), Pid() as peer):
                _introduce(state, peer)
                if peer not in state.others:
                    _meet(state, peer)
                    send(peer, ("pg_discover", _me()))
            case (str("nodeup"), node):
                state.peers.send(node, state.name, ("pg_discover", _me()))
            case _:
                return super().handle_info(message, state)
        return "noreply", state


def _attempted(state: ScopeState, request: tuple[Any, ...]) -> Any:
    """Do what a request about one group says; Failed, with nothing changed, if it cannot be."""
    try:
        match request:
            case ("join", group, pids):
                entry = _announced(state, group, pids)
            case ("leave", group, _):
                found = state.groups.find(group)
                if found is None:
                    return False
                entry = found
            case (_, _, group):
                entry = state.groups.open(group)
    except BaseException as error:
        if interrupts(error):
            raise
        return Failed(error)
    match request:
        case ("join", _, pids):
            _join(state, entry, pids)
            return True
        case ("leave", _, pids):
            return _leave(state, entry, pids)
        case (_, pid, _):
            return _subscribe(state, pid, entry), entry.members()


def _warn(text: str, group: Group, error: BaseException) -> None:
    process = require_process("a scope")
    details = {"group": shown(group), "error": format_reason(error)}
    process.runtime.reports.emit(WarningReport(process.pid, text, details))


# --- local members ------------------------------------------------------------------------


def _announced(state: ScopeState, group: Group, pids: list[Pid]) -> Entry:
    """The entry of a group, after the peers were told who joins; BadArg if that cannot be."""
    entry = state.groups.open(group)
    try:
        for peer in state.others:
            send(peer, ("pg_join", _me(), entry.group, pids))
    except BadArg:
        state.groups.close(entry)
        raise
    return entry


def _join(state: ScopeState, entry: Entry, pids: list[Pid]) -> None:
    for pid in pids:
        member = state.members.get(pid)
        if member is None:
            member = state.members[pid] = Membership(monitor(pid))
            state.watching[member.watch] = "member", pid
        member.groups.append(entry)
    state.groups.join(entry, pids)
    _tell(state, "join", entry, pids)


def _leave(state: ScopeState, entry: Entry, pids: list[Pid]) -> bool:
    """Whether any of them was in the group."""
    left = [pid for pid in pids if _take_out(state, entry, pid)]
    if not left:
        return False
    state.groups.leave(entry, left)
    _tell(state, "leave", entry, pids)
    _tell_peers_of_leave(state, left, [entry])
    return True


def _take_out(state: ScopeState, entry: Entry, pid: Pid) -> bool:
    member = state.members.get(pid)
    if member is None or entry not in member.groups:
        return False
    member.groups.remove(entry)
    if not member.groups:
        del state.members[pid]
        del state.watching[member.watch]
        demonitor(member.watch, flush=True)
    return True


def _gone(state: ScopeState, ref: Ref) -> None:
    """Something we monitor is down: a member, a peer or a listener."""
    kind, key = state.watching.pop(ref)
    if kind == "member":
        entries = state.members.pop(key).groups[::-1]
        for entry in entries:
            state.groups.leave(entry, [key])
            _tell(state, "leave", entry, [key])
        _tell_peers_of_leave(state, [key], entries)
    elif kind == "peer":
        peer = state.others.pop(key)
        for entry, pids in list(peer.groups.items()):
            _peer_leave(state, peer, entry, list(pids))
    else:
        _drop(state, key)


# --- those who are told ---------------------------------------------------------------------


def _subscribe(state: ScopeState, pid: Pid, entry: Entry | None) -> Ref:
    ref = Ref()
    watch = monitor(pid)
    state.watching[watch] = "listener", ref
    state.told[ref] = Subscription(pid, watch, entry)
    listeners = state.scope_listeners if entry is None else entry.listeners
    listeners[ref] = pid
    return ref


def _unsubscribe(state: ScopeState, ref: Ref) -> bool:
    if ref not in state.told:
        return False
    watch = state.told[ref].watch
    del state.watching[watch]
    demonitor(watch, flush=True)
    _drop(state, ref)
    return True


def _drop(state: ScopeState, ref: Ref) -> None:
    entry = state.told.pop(ref).entry
    if entry is None:
        del state.scope_listeners[ref]
    else:
        del entry.listeners[ref]
        state.groups.close(entry)


def _tell(state: ScopeState, verb: Verb, entry: Entry, pids: list[Pid]) -> None:
    for listeners in (state.scope_listeners, entry.listeners):
        for ref, pid in listeners.items():
            _post(pid, (ref, verb, entry.group, list(pids)), entry)


def _snapshot(state: ScopeState) -> dict[Group, list[Pid]]:
    """All groups whose key can still be one."""
    groups: dict[Group, list[Pid]] = {}
    for entry in state.groups:
        if entry.there:
            try:
                groups[entry.group] = entry.members()
            except BaseException as error:
                if interrupts(error):
                    raise
                _warn("a group is missing in a snapshot, for its key is broken", entry.group, error)
    return groups


# --- the same scope elsewhere ----------------------------------------------------------------


def _post(pid: Pid, message: tuple[Any, ...], entry: Entry) -> None:
    """Send news of a group to somebody who may live on another node."""
    try:
        send(pid, message)
    except BadArg as error:
        _warn("a group stays on this node, for its key cannot travel", entry.group, error)


def _tell_peers_of_leave(state: ScopeState, pids: list[Pid], entries: list[Entry]) -> None:
    for peer in state.others:
        try:
            send(peer, ("pg_leave", _me(), pids, [entry.group for entry in entries]))
        except BadArg:
            for entry in entries:
                _post(peer, ("pg_leave", _me(), pids, [entry.group]), entry)


def _introduce(state: ScopeState, peer: Pid) -> None:
    """Tell a peer of all our members."""
    ours = [(entry, expand(entry.local)) for entry in state.groups if entry.local]
    try:
        send(peer, ("pg_sync", _me(), [(entry.group, pids) for entry, pids in ours]))
    except BadArg:
        send(peer, ("pg_sync", _me(), []))
        for entry, pids in ours:
            _post(peer, ("pg_join", _me(), entry.group, pids), entry)


def _meet(state: ScopeState, pid: Pid) -> Peer:
    watch = monitor(pid)
    state.watching[watch] = "peer", pid
    peer = state.others[pid] = Peer(watch)
    return peer


def _of_peer(state: ScopeState, group: Group) -> Entry | None:
    """The entry of a group that a peer speaks of; None if its key, which came from there, is
    broken here.
    """
    try:
        return state.groups.open(group)
    except BaseException as error:
        if interrupts(error):
            raise
        _warn("a group of another node is not known here, for its key is broken", group, error)
        return None


def _peer_sync(state: ScopeState, pid: Pid, groups: list[tuple[Group, list[Pid]]]) -> None:
    """Take over what a peer says it has; who is told hears of the differences only."""
    peer = state.others.get(pid) or _meet(state, pid)
    has = {entry: pids for group, pids in groups if (entry := _of_peer(state, group)) is not None}
    for entry in list(peer.groups):
        gone = _without(peer.groups[entry], has.get(entry, []))
        if gone:
            _peer_leave(state, peer, entry, gone)
    for entry, pids in has.items():
        new = _without(pids, peer.groups.get(entry, []))
        if new:
            _peer_join(state, peer, entry, new)
        state.groups.close(entry)


def _without(pids: list[Pid], taken: list[Pid]) -> list[Pid]:
    """`pids` less one occurrence for each in `taken`: Erlang's ``--``."""
    rest = list(pids)
    for pid in taken:
        if pid in rest:
            rest.remove(pid)
    return rest


def _peer_join(state: ScopeState, peer: Peer, entry: Entry, pids: list[Pid]) -> None:
    peer.groups.setdefault(entry, []).extend(pids)
    state.groups.join(entry, pids, remote=True)
    _tell(state, "join", entry, pids)


def _peer_leave(state: ScopeState, peer: Peer, entry: Entry, pids: list[Pid]) -> None:
    """Of a group the peer has not told of: nothing, it may be one that cannot travel."""
    if entry not in peer.groups:
        state.groups.close(entry)
        return
    peer.groups[entry] = _without(peer.groups[entry], pids)
    if not peer.groups[entry]:
        del peer.groups[entry]
    state.groups.leave(entry, pids, remote=True)
    _tell(state, "leave", entry, pids)
