"""The process of one scope: the only one that changes its groups.

It monitors every local member and every process that wants to be told, so the dead leave
by themselves, and every scope of the same name on other nodes. Reading goes past it,
straight to the table (`client`), as OTP reads an ETS table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .._gen_server.behaviour import GenServer
from .._gen_server.calls import From
from .._pid import Pid, Ref
from .._signals import demonitor, monitor, send
from .._signals import self as _me
from .groups import Group, Groups
from .peers import Peers

Verb = Literal["join", "leave"]


@dataclass(slots=True)
class Membership:
    """A local member: the monitor on it, and its groups, one entry per join."""

    watch: Ref
    groups: list[Group] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told, and of what; `everything` for the whole scope, else only of `group`."""

    pid: Pid
    watch: Ref
    group: Group
    everything: bool


@dataclass(slots=True)
class Peer:
    """The same scope on another node, as far as it has told us."""

    watch: Ref
    groups: dict[Group, list[Pid]] = field(default_factory=dict)


@dataclass(slots=True)
class ScopeState:
    """The state of a scope process.

    members: local ones. told: subscriptions by the reference their messages carry;
    listeners: the same by group, scope_listeners those of everything. watching: what each
    of our monitors is for.
    """

    name: str
    peers: Peers
    groups: Groups = field(default_factory=Groups)
    members: dict[Pid, Membership] = field(default_factory=dict)
    told: dict[Ref, Subscription] = field(default_factory=dict)
    listeners: dict[Group, dict[Ref, Pid]] = field(default_factory=dict)
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
            case ("join", group, pids):
                _join(state, group, pids)
                return "reply", True, state
            case ("leave", group, pids):
                return "reply", _leave(state, group, pids), state
            case ("monitor", pid, group):
                ref = _subscribe(state, pid, group, everything=False)
                return "reply", (ref, state.groups.members(group)), state
            case ("monitor_scope", pid):
                ref = _subscribe(state, pid, None, everything=True)
                return "reply", (ref, state.groups.everything()), state
            case ("demonitor", ref):
                return "reply", _unsubscribe(state, ref), state
        return super().handle_call(request, from_, state)

    def handle_cast(self, request: Any, state: ScopeState) -> Any:
        match request:
            case ("join", group, pids):
                _join(state, group, pids)
                return "noreply", state
            case ("leave", group, pids):
                _leave(state, group, pids)
                return "noreply", state
        return super().handle_cast(request, state)

    def handle_info(self, message: Any, state: ScopeState) -> Any:
        match message:
            case ("DOWN", ref, "process", _, _) if ref in state.watching:
                _gone(state, ref)
            case ("pg_join", peer, group, pids) if peer in state.others:
                _peer_join(state, state.others[peer], group, pids)
            case ("pg_leave", peer, pids, groups) if peer in state.others:
                for group in groups:
                    _peer_leave(state, state.others[peer], group, pids)
            case ("pg_join" | "pg_leave", _, _, _):
                pass  # of a peer that is down, or not known yet: its pg_sync will tell all
            case ("pg_sync", peer, groups):
                _peer_sync(state, peer, groups)
            case ("pg_discover", peer):
                send(peer, ("pg_sync", _me(), state.groups.everything_local()))
                if peer not in state.others:
                    _meet(state, peer)
                    send(peer, ("pg_discover", _me()))
            case ("nodeup", node):
                state.peers.send(node, state.name, ("pg_discover", _me()))
            case _:
                return super().handle_info(message, state)
        return "noreply", state


# --- local members ------------------------------------------------------------------------


def _join(state: ScopeState, group: Group, pids: list[Pid]) -> None:
    for pid in pids:
        member = state.members.get(pid)
        if member is None:
            member = state.members[pid] = Membership(monitor(pid))
            state.watching[member.watch] = "member", pid
        member.groups.append(group)
    state.groups.join(group, pids)
    _tell(state, "join", group, pids)
    _tell_peers(state, ("pg_join", _me(), group, pids))


def _leave(state: ScopeState, group: Group, pids: list[Pid]) -> bool:
    """Whether any of them was in the group."""
    left = [pid for pid in pids if _take_out(state, group, pid)]
    if not left:
        return False
    state.groups.leave(group, left)
    _tell(state, "leave", group, pids)
    _tell_peers(state, ("pg_leave", _me(), left, [group]))
    return True


def _take_out(state: ScopeState, group: Group, pid: Pid) -> bool:
    member = state.members.get(pid)
    if member is None or group not in member.groups:
        return False
    member.groups.remove(group)
    if not member.groups:
        del state.members[pid]
        del state.watching[member.watch]
        demonitor(member.watch, flush=True)
    return True


def _gone(state: ScopeState, ref: Ref) -> None:
    """Something we monitor is down: a member, a peer or a listener."""
    kind, key = state.watching.pop(ref)
    if kind == "member":
        groups = state.members.pop(key).groups[::-1]
        for group in groups:
            state.groups.leave(group, [key])
            _tell(state, "leave", group, [key])
        _tell_peers(state, ("pg_leave", _me(), [key], groups))
    elif kind == "peer":
        peer = state.others.pop(key)
        for group, pids in list(peer.groups.items()):
            _peer_leave(state, peer, group, list(pids))
    else:
        _drop(state, key)


# --- those who are told ---------------------------------------------------------------------


def _subscribe(state: ScopeState, pid: Pid, group: Group, *, everything: bool) -> Ref:
    ref = Ref()
    watch = monitor(pid)
    state.watching[watch] = "listener", ref
    state.told[ref] = Subscription(pid, watch, group, everything)
    if everything:
        state.scope_listeners[ref] = pid
    else:
        state.listeners.setdefault(group, {})[ref] = pid
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
    subscription = state.told.pop(ref)
    if subscription.everything:
        del state.scope_listeners[ref]
        return
    listeners = state.listeners[subscription.group]
    del listeners[ref]
    if not listeners:
        del state.listeners[subscription.group]


def _tell(state: ScopeState, verb: Verb, group: Group, pids: list[Pid]) -> None:
    for ref, pid in state.scope_listeners.items():
        send(pid, (ref, verb, group, list(pids)))
    for ref, pid in state.listeners.get(group, {}).items():
        send(pid, (ref, verb, group, list(pids)))


# --- the same scope elsewhere ----------------------------------------------------------------


def _tell_peers(state: ScopeState, message: tuple[Any, ...]) -> None:
    for peer in state.others:
        send(peer, message)


def _meet(state: ScopeState, pid: Pid) -> Peer:
    watch = monitor(pid)
    state.watching[watch] = "peer", pid
    peer = state.others[pid] = Peer(watch)
    return peer


def _peer_sync(state: ScopeState, pid: Pid, groups: dict[Group, list[Pid]]) -> None:
    """Take over what a peer says it has; who is told hears of the differences only."""
    peer = state.others.get(pid) or _meet(state, pid)
    for group in list(peer.groups):
        gone = _without(peer.groups[group], groups.get(group, []))
        if gone:
            _peer_leave(state, peer, group, gone)
    for group, pids in groups.items():
        new = _without(pids, peer.groups.get(group, []))
        if new:
            _peer_join(state, peer, group, new)


def _without(pids: list[Pid], taken: list[Pid]) -> list[Pid]:
    """`pids` less one occurrence for each in `taken`: Erlang's ``--``."""
    rest = list(pids)
    for pid in taken:
        if pid in rest:
            rest.remove(pid)
    return rest


def _peer_join(state: ScopeState, peer: Peer, group: Group, pids: list[Pid]) -> None:
    peer.groups.setdefault(group, []).extend(pids)
    state.groups.join(group, pids, remote=True)
    _tell(state, "join", group, pids)


def _peer_leave(state: ScopeState, peer: Peer, group: Group, pids: list[Pid]) -> None:
    peer.groups[group] = _without(peer.groups.get(group, []), pids)
    if not peer.groups[group]:
        del peer.groups[group]
    state.groups.leave(group, pids, remote=True)
    _tell(state, "leave", group, pids)
