"""Global names: unique over all connected nodes (1.11), written ``("global", term)``.

Every node has a copy of the table, so a look-up asks nobody. Whether a name is free is
decided in one place, the connected node whose name sorts first, and its answer is awaited;
so of nodes that see each other one gets a name. Nodes that did not see each other can both
get it: when they meet, each such name is resolved once, on the node of one of the two
processes, and by default the process on the node that sorts last is killed.

WHY only the node of a process speaks for its names, tells others that it has them and has
them no more: what comes from one node arrives in its order, so every copy goes through what
happened there and none can be left behind. Were a third node to pass on what it knows, a
name could come back after its end had been told, for nobody orders signals of two nodes.
Whoever else wants a name gone asks that node.

    >>> import supervisors
    >>> from supervisors.distribution import global_
    >>> async def main():
    ...     print(await global_.register_name("leader", supervisors.self()))
    ...     supervisors.send(("global", "leader"), "hello")
    ...     print(await supervisors.receive())
    ...     print(await global_.register_name("leader", supervisors.self()))
    >>> supervisors.run(main)
    yes
    hello
    no

A name goes with its process, or with the connection to its node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import trio

from .._cell import current_runtime
from .._errors import BadArg, Reason, format_reason, interrupts, shown
from .._pid import Pid
from .._process import Remote, Watch
from .._reports import WarningReport
from .._signals import exit_signal, send
from .signals import Service

if TYPE_CHECKING:
    from .endpoint import Endpoint

Resolve = Callable[[Any, Pid, Pid], Pid | None]
"""``(term, pid, pid) -> pid``: who keeps the name, None for neither."""


def random_exit_name(_term: Any, first: Pid, second: Pid) -> Pid:
    """One keeps the name, the other is killed: the default (OTP: random_exit_name)."""
    keeper, loser = sorted((first, second))
    exit_signal(loser, "kill")
    return keeper


def random_notify_name(term: Any, first: Pid, second: Pid) -> Pid:
    """One keeps the name, the other gets ``("global_name_conflict", term)``."""
    keeper, loser = sorted((first, second))
    send(loser, ("global_name_conflict", term))
    return keeper


def notify_all_name(term: Any, first: Pid, second: Pid) -> None:
    """Neither keeps it; both get ``("global_name_conflict", term, other)``."""
    send(first, ("global_name_conflict", term, second))
    send(second, ("global_name_conflict", term, first))


class _Holder(Watch):
    """Watches a process of this node that has a global name."""

    __slots__ = ("names", "term")

    def __init__(self, names: GlobalNames, term: Any) -> None:
        self.names = names
        self.term = term

    def down(self, pid: Pid, reason: Reason) -> None:
        self.names.gone(self.term, pid)


@dataclass(slots=True, eq=False)
class _Question:
    """A reservation that the deciding node was asked for; answer None: ask again."""

    node: str
    answered: trio.Event
    answer: bool | None = None


class GlobalNames:
    """One node's copy of the table, and its part in deciding.

    Until a conflict is resolved a name has several holders in the table, and the first in
    the order of pids is found, everywhere the same. Kept with a holder of this node is who
    decides a conflict about it.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._table: dict[Any, dict[Pid, Resolve | None]] = {}
        self._reserved: dict[Any, str] = {}
        self._watches: dict[Any, tuple[Pid, _Holder]] = {}
        self._questions: dict[int, _Question] = {}
        self._asked = 0
        endpoint.services["global"] = self._receive
        endpoint.on_up(self._up)
        endpoint.on_down(self._down)

    # --- the functions of a keeper of names (G19) --------------------------------------------

    def whereis_name(self, term: Any) -> Pid | None:
        """The process with that name, on whichever node."""
        holders = self._table.get(term)
        return min(holders) if holders else None

    def register_name(
        self, term: Any, pid: Pid, resolve: Resolve = random_exit_name
    ) -> Literal["yes", "no"]:
        """Enter a name that `reserve` has seen to be free everywhere."""
        endpoint = self._endpoint
        away = pid.node != endpoint.node
        if term in self._table or (away and pid.node not in endpoint.connected):
            self._release(term)
            return "no"
        if away:
            endpoint.send(pid.node, _service(("hold", term, pid, resolve)))
            self._set(term, pid, None)
        else:
            self._hold(term, pid, resolve, endpoint.node)
        return "yes"

    def _hold(self, term: Any, pid: Pid, resolve: Resolve, asker: str) -> None:
        """`pid`, a process of this node, has the name, which is kept free for `asker`."""
        # The others hear of it first: if the process has ended meanwhile, taking the name
        # away again is the next thing they hear.
        try:
            self._endpoint.broadcast("global", ("set", term, pid, asker))
        finally:
            self._freed(term, asker)
        if term in self._watches:
            self.gone(term, pid)  # somebody here was faster, through another decider
        else:
            self._set(term, pid, resolve)

    def unregister_name(self, term: Any) -> None:
        """Take the name away, everywhere."""
        for pid in list(self._table.get(term, ())):
            self._drop(term, pid)

    # --- deciding ------------------------------------------------------------------------------

    async def reserve(self, term: Any) -> bool:
        """Whether nobody has or is getting the name; it is kept free for us if so.

        What follows must be `register_name`, without waiting in between.
        """
        endpoint = self._endpoint
        await trio.lowlevel.checkpoint()
        while True:
            judge = min((endpoint.node, *endpoint.connected))
            if judge == endpoint.node:
                return self._grant(term, judge)
            self._asked += 1
            number = self._asked
            question = self._questions[number] = _Question(judge, trio.Event())
            try:
                endpoint.send(judge, _service(("reserve", number, term)))
                await question.answered.wait()
            except BaseException:
                if question.answer:
                    endpoint.send(judge, _service(("release", term)))
                raise
            finally:
                self._questions.pop(number, None)
            if question.answer is not None:
                return question.answer

    def _grant(self, term: Any, node: str) -> bool:
        if term in self._table or term in self._reserved:
            return False
        self._reserved[term] = node
        return True

    def _release(self, term: Any) -> None:
        """We do not take a name that was kept free for us, whoever did that."""
        self._freed(term, self._endpoint.node)
        self._endpoint.broadcast("global", ("release", term))

    def _freed(self, term: Any, node: str) -> None:
        if self._reserved.get(term) == node:
            del self._reserved[term]

    # --- the table ---------------------------------------------------------------------------

    def _set(self, term: Any, pid: Pid, resolve: Resolve | None) -> None:
        self._table.setdefault(term, {})[pid] = resolve
        process = pid._process
        if isinstance(process, Remote):
            return
        if process is None:
            self.gone(term, pid)
            return
        self._unwatch(term)
        holder = _Holder(self, term)
        self._watches[term] = (pid, holder)
        process.more().monitored_by[holder] = holder  # type: ignore[index]

    def gone(self, term: Any, pid: Pid) -> None:
        """`pid`, a process of this node, has the name no more: everywhere."""
        self._unset(term, pid)
        for node in list(self._endpoint.connected):
            self._say(node, term, ("unset", term, pid))

    def _drop(self, term: Any, pid: Pid) -> None:
        """Take the name away from `pid`, or have its node do that."""
        if pid.node == self._endpoint.node:
            self.gone(term, pid)
        else:
            self._unset(term, pid)
            self._endpoint.send(pid.node, _service(("drop", term, pid)))

    def _unset(self, term: Any, pid: Pid) -> None:
        holders = self._table.get(term)
        if holders is None or pid not in holders:
            return
        del holders[pid]
        if not holders:
            del self._table[term]
        if pid.node == self._endpoint.node:
            self._unwatch(term)

    def _unwatch(self, term: Any) -> None:
        watched = self._watches.pop(term, None)
        if watched is not None:
            pid, holder = watched
            if pid._process is not None and pid._process.extras is not None:
                pid._process.extras.monitored_by.pop(holder, None)  # type: ignore[call-overload]

    def _clash(self, term: Any, ours: Pid, other: Pid) -> None:
        """Two processes have the name. The node of the first of them resolves it, which hears
        of the second from its own node, and so once.
        """
        first, second = sorted((ours, other))
        resolve = self._table[term][ours]
        if first is not ours or resolve is None:
            return
        winner = self._resolved(resolve, term, first, second)
        for loser in (first, second):
            if loser is not winner:
                self._drop(term, loser)

    def _resolved(self, resolve: Resolve, term: Any, first: Pid, second: Pid) -> Pid | None:
        """Who keeps the name; nobody when `resolve` raises, as in OTP."""
        runtime = self._endpoint.runtime
        try:
            with runtime.active():
                return resolve(term, first, second)
        except BaseException as error:
            if interrupts(error):
                raise
            details = {"name": shown(term), "error": format_reason(error)}
            text = "the resolve function of a global name failed; nobody keeps it"
            runtime.reports.emit(WarningReport(None, text, details))
            return None

    def _say(self, node: str, term: Any, body: Any) -> None:
        """Tell a node of a name, unless that cannot travel: then it was never told of it."""
        try:
            self._endpoint.send(node, _service(body))
        except BadArg as error:
            details = {"name": shown(term), "node": node, "error": format_reason(error)}
            text = "a global name stays on this node, for it cannot travel"
            self._endpoint.runtime.reports.emit(WarningReport(None, text, details))

    # --- what other nodes say ----------------------------------------------------------------

    def _up(self, node: str) -> None:
        ours = [(term, pid) for term, (pid, _) in self._watches.items()]
        try:
            self._endpoint.send(node, _service(("sync", ours)))
        except BadArg:
            for term, pid in ours:
                self._say(node, term, ("sync", [(term, pid)]))

    def _down(self, node: str) -> None:
        for term, holders in list(self._table.items()):
            for pid in [pid for pid in holders if pid.node == node]:
                self._unset(term, pid)
        for term, holder in list(self._reserved.items()):
            if holder == node:
                del self._reserved[term]
        for question in self._questions.values():
            if question.node == node:
                question.answered.set()

    def _receive(self, node: str, body: Any) -> None:
        match body:
            case "hold", term, pid, resolve:
                self._hold(term, pid, resolve, node)
            case "set", term, pid, asker:
                self._freed(term, asker)
                self._heard(term, pid)
            case "sync", known:
                for term, pid in known:
                    self._heard(term, pid)
            case "unset", term, pid:
                self._unset(term, pid)
            case "drop", term, pid if pid in self._table.get(term, ()):
                self.gone(term, pid)
            case "reserve", number, term:
                self._endpoint.send(
                    node, _service(("granted", number, term, self._grant(term, node)))
                )
            case "granted", number, term, granted:
                question = self._questions.get(number)
                if question is not None:
                    question.answer = granted
                    question.answered.set()
                elif granted:  # whoever asked has been cancelled
                    self._endpoint.send(node, _service(("release", term)))
            case "release", term:
                self._freed(term, node)

    def _heard(self, term: Any, pid: Pid) -> None:
        """The node of `pid` says that it has the name."""
        self._set(term, pid, None)
        ours = self._watches.get(term)
        if ours is not None:
            self._clash(term, ours[0], pid)


def _service(body: Any) -> Service:
    return Service("global", body)


# --- what programs use ----------------------------------------------------------------------


async def register_name(
    term: Any, pid: Pid, resolve: Resolve = random_exit_name
) -> Literal["yes", "no"]:
    """Give a process a name on all connected nodes; "no" when one has it.

    resolve: who keeps it when two nodes meet that both have it; it must not wait, and for a
    process of another node it has to travel there. BadArg when the process is dead.
    """
    names = current_runtime().endpoint.globals
    if pid._process is None:
        raise BadArg(f"cannot register the global name {term!r}: process {pid} is dead")
    if not await names.reserve(term):
        return "no"
    return names.register_name(term, pid, resolve)


def unregister_name(term: Any) -> None:
    """Take the name away, everywhere; nothing when nobody has it."""
    current_runtime().endpoint.globals.unregister_name(term)


def whereis_name(term: Any) -> Pid | None:
    """The process with that name, on whichever node."""
    return current_runtime().endpoint.globals.whereis_name(term)


def registered_names() -> list[Any]:
    """All names that this node knows of."""
    return list(current_runtime().endpoint.globals._table)
