"""What users call: change a scope through its process, read its table directly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .._cell import current_process, current_runtime, require_process
from .._errors import BadArg
from .._flush import take_back
from .._gen_server.calls import call, cast
from .._gen_server.plain import PlainServer
from .._names import resolve
from .._pid import Pid, Ref
from .._supervisor.spec import ChildSpec
from .groups import Group, Groups, expand
from .peers import Alone, Peers
from .scope import Failed, Scope, ScopeState

ALONE = Alone()


async def start_link(scope: str = "pg", peers: Peers = ALONE) -> Pid:
    """Start a scope, registered under its name, linked to the calling process.

    peers: how scopes of this name on other nodes are found (`_pg.peers`).
    Raises StartError ``("already_started", pid)``.
    """
    return await Scope.start_link(scope, peers, name=scope)


async def start(scope: str = "pg", peers: Peers = ALONE) -> Pid:
    """As `start_link`, without the link."""
    return await Scope.start(scope, peers, name=scope)


def child_spec(scope: str = "pg", peers: Peers = ALONE) -> ChildSpec:
    """A scope as a child of a supervisor; its id is its name."""
    return Scope.child_spec(scope, peers, name=scope)


def _checked(pids: Pid | Iterable[Pid], doing: str) -> list[Pid]:
    """One pid or several, as a list; BadArg for anything but processes of this node."""
    several = [pids] if isinstance(pids, Pid) else list(pids)
    node = current_runtime().node
    for pid in several:
        if not isinstance(pid, Pid):
            raise BadArg(f"{doing}: members of a group are pids, not {pid!r}")
        if pid.node != node:
            raise BadArg(
                f"{doing}: {pid} lives on node {pid.node!r}; a process joins and leaves "
                f"on its own node, here {node!r}"
            )
    return several


def _usable(scope: str, group: Group) -> Group:
    """The group; what is wrong with a key is raised here and not in the scope.

    A key that does not hash or compare would otherwise end the scope of everybody.
    """
    table = _table(scope)
    if table is None:
        hash(group)
    else:
        table.find(group)
    return group


async def _ask(scope: str, request: tuple[Any, ...]) -> Any:
    """What the scope answers; raises what was wrong with the key of a group."""
    answer = await call(scope, request, math.inf)
    if isinstance(answer, Failed):
        raise answer.error
    return answer


async def join(scope: str, group: Group, pids: Pid | Iterable[Pid]) -> None:
    """Put processes into a group, which is made if need be; each call adds each once more.

    A dead process leaves again at once. Raises BadArg for a process of another node and,
    where there are other nodes, for a group that cannot travel there; CallExit ("noproc")
    when there is no such scope; what ``hash`` and ``==`` of the group raise.
    """
    await _ask(scope, ("join", _usable(scope, group), _checked(pids, "pg.join()")))


async def leave(scope: str, group: Group, pids: Pid | Iterable[Pid]) -> bool:
    """Take processes out of a group once; False, ``not_joined``, if none was in it.

    Those who are told get the pids as they were given here. Errors as of `join`.
    """
    left: bool = await _ask(scope, ("leave", _usable(scope, group), _checked(pids, "pg.leave()")))
    return left


def join_soon(scope: str, group: Group, pids: Pid | Iterable[Pid]) -> None:
    """`join` from a plain callback, which cannot wait: done when the scope gets to it.

    Nobody is told whether there is such a scope. Raises BadArg as `join` does; what goes
    wrong in the scope is reported.
    """
    cast(scope, ("join", _usable(scope, group), _checked(pids, "pg.join_soon()")))


def leave_soon(scope: str, group: Group, pids: Pid | Iterable[Pid]) -> None:
    """`leave` from a plain callback, which cannot wait."""
    cast(scope, ("leave", _usable(scope, group), _checked(pids, "pg.leave_soon()")))


async def monitor(scope: str, group: Group) -> tuple[Ref, list[Pid]]:
    """Be told of a group: ``(ref, "join" | "leave", group, pids)`` for every change.

    Answers the reference and the members now; between the two nothing is missed. A process
    that dies leaves once for each time it had joined. Ends with `demonitor` or the process.
    """
    me = require_process("pg.monitor()").pid
    answer: tuple[Ref, list[Pid]] = await _ask(scope, ("monitor", me, _usable(scope, group)))
    return answer


async def monitor_scope(scope: str) -> tuple[Ref, dict[Group, list[Pid]]]:
    """Be told of all groups of a scope; answers the reference and ``{group: pids}`` now.

    A group whose key does not hash any more is not in it.
    """
    me = require_process("pg.monitor_scope()").pid
    answer: tuple[Ref, dict[Group, list[Pid]]] = await call(scope, ("monitor_scope", me), math.inf)
    return answer


async def demonitor(scope: str, ref: Ref) -> bool:
    """Be told no more; what lies in the mailbox unread is taken back.

    False if the scope does not know `ref`.
    """
    known: bool = await call(scope, ("demonitor", ref), math.inf)
    me = current_process()
    if known and me is not None:
        while take_back(me, lambda message: _is_news(message, ref)):
            pass
    return known


def _is_news(message: object, ref: Ref) -> bool:
    return type(message) is tuple and len(message) == 4 and message[0] is ref


def _table(scope: str) -> Groups | None:
    pid = resolve(scope)
    process = None if pid is None else pid._process
    if isinstance(process, PlainServer) and isinstance(process.state, ScopeState):
        return process.state.groups
    return None


def get_members(scope: str, group: Group) -> list[Pid]:
    """All members, each as often as it joined, in no particular order; ``[]`` if there is
    no such group or scope. Reads directly: works in plain callbacks too.
    """
    table = _table(scope)
    entry = None if table is None else table.find(group)
    return [] if entry is None else entry.members()


def get_local_members(scope: str, group: Group) -> list[Pid]:
    """As `get_members`, only those of this node."""
    table = _table(scope)
    entry = None if table is None else table.find(group)
    return [] if entry is None else expand(entry.local)


def which_groups(scope: str) -> list[Group]:
    """All groups of a scope. BadArg if there is no such scope."""
    table = _table(scope)
    if table is None:
        raise BadArg(f"pg.which_groups(): no scope runs under the name {scope!r}")
    return [entry.group for entry in table if entry.there]
