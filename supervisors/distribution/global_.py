"""Global names: unique over all connected nodes (1.11), written ``("global", term)``.

Every node has a copy of the table, so a look-up asks nobody. Whether a name is free is
decided in one place, the connected node whose name sorts first, and its answer is awaited;
so two nodes that see each other can never both get one name. Nodes that did not see each
other can: when they meet, each such name is resolved once, on the node of one of the two
processes, and by default the process on the node that sorts last is killed.

    from supervisors.distribution import global_

    await global_.register_name("leader", self())      # "yes" or "no"
    send(("global", "leader"), "hello")
    await Server.start_link(name=("global", "leader"))

A name goes with its process, or with the connection to its node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import trio

from .._cell import current_runtime
from .._errors import BadArg, Reason
from .._pid import Pid
from .._process import Remote, Watch
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


@dataclass(slots=True)
class _Entry:
    pid: Pid
    resolve: Resolve


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
    """One node's copy of the table, and its part in deciding."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._table: dict[Any, _Entry] = {}
        self._reserved: dict[Any, str] = {}
        self._watches: dict[Any, tuple[Pid, _Holder]] = {}
        self._questions: dict[int, _Question] = {}
        self._asked = 0
        self._losers: WeakKeyDictionary[Pid, set[Any]] = WeakKeyDictionary()
        endpoint.services["global"] = self._receive
        endpoint.on_up(self._up)
        endpoint.on_down(self._down)

    # --- the functions of a keeper of names (G19) --------------------------------------------

    def whereis_name(self, term: Any) -> Pid | None:
        """The process with that name, on whichever node."""
        entry = self._table.get(term)
        return None if entry is None else entry.pid

    def register_name(
        self, term: Any, pid: Pid, resolve: Resolve = random_exit_name
    ) -> Literal["yes", "no"]:
        """Enter a name that `reserve` has seen to be free everywhere."""
        if term in self._table:
            return "no"
        self._set(term, pid, resolve)
        self._endpoint.broadcast("global", ("set", term, pid))
        return "yes"

    def unregister_name(self, term: Any) -> None:
        """Take the name away, everywhere."""
        entry = self._table.get(term)
        if entry is not None:
            self.gone(term, entry.pid)

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
            endpoint.send(judge, _service(("reserve", number, term)))
            try:
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

    # --- the table ---------------------------------------------------------------------------

    def _set(self, term: Any, pid: Pid, resolve: Resolve = random_exit_name) -> None:
        self._reserved.pop(term, None)
        self._unwatch(term)
        self._table[term] = _Entry(pid, resolve)
        process = pid._process
        if isinstance(process, Remote):
            return
        if process is None:
            self.gone(term, pid)
            return
        holder = _Holder(self, term)
        self._watches[term] = (pid, holder)
        process.more().monitored_by[holder] = holder  # type: ignore[index]

    def gone(self, term: Any, pid: Pid) -> None:
        """`pid` has the name no more: everywhere."""
        self._unset(term, pid)
        self._endpoint.broadcast("global", ("unset", term, pid))

    def _unset(self, term: Any, pid: Pid) -> None:
        entry = self._table.get(term)
        if entry is not None and entry.pid is pid:
            del self._table[term]
            self._unwatch(term)

    def _unwatch(self, term: Any) -> None:
        watched = self._watches.pop(term, None)
        if watched is not None:
            pid, holder = watched
            if pid._process is not None and pid._process.extras is not None:
                pid._process.extras.monitored_by.pop(holder, None)  # type: ignore[call-overload]

    def _clash(self, term: Any, entry: _Entry, pid: Pid) -> None:
        """Two processes have the name. The node of the first of them resolves it, once,
        however many nodes it hears of the other from.
        """
        first, second = sorted((entry.pid, pid))
        if first.node != self._endpoint.node or first._process is None:
            return
        with self._endpoint.runtime.active():
            winner = entry.resolve(term, first, second)
        for loser in (first, second):
            if loser is not winner:
                self._losers.setdefault(loser, set()).add(term)
                self.gone(term, loser)
        if winner is not None:
            self._set(term, winner, entry.resolve)
            self._endpoint.broadcast("global", ("resolved", term, winner))

    # --- what other nodes say ----------------------------------------------------------------

    def _up(self, node: str) -> None:
        known = [(term, entry.pid) for term, entry in self._table.items()]
        self._endpoint.send(node, _service(("sync", known)))

    def _down(self, node: str) -> None:
        for term, entry in list(self._table.items()):
            if entry.pid.node == node:
                self._unset(term, entry.pid)
        for term, holder in list(self._reserved.items()):
            if holder == node:
                del self._reserved[term]
        for question in self._questions.values():
            if question.node == node:
                question.answered.set()

    def _receive(self, node: str, body: Any) -> None:
        match body:
            case "set", term, pid:
                self._losers.pop(pid, None)
                self._heard(term, pid)
            case "sync", known:
                for term, pid in known:
                    self._heard(term, pid)
            case "unset", term, pid:
                self._unset(term, pid)
            case "resolved", term, pid:
                self._set(term, pid)
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
            case "release", term if self._reserved.get(term) == node:
                del self._reserved[term]

    def _heard(self, term: Any, pid: Pid) -> None:
        if pid.node != self._endpoint.node and pid.node not in self._endpoint.connected:
            return  # of a node that we do not see
        if term in self._losers.get(pid, ()):
            return
        entry = self._table.get(term)
        if entry is None:
            self._set(term, pid)
        elif entry.pid is not pid:
            self._clash(term, entry, pid)


def _service(body: Any) -> Service:
    return Service("global", body)


# --- what programs use ----------------------------------------------------------------------


async def register_name(
    term: Any, pid: Pid, resolve: Resolve = random_exit_name
) -> Literal["yes", "no"]:
    """Give a process a name on all connected nodes; "no" when one has it.

    resolve: who keeps it when two nodes meet that both have it; it must not wait.
    BadArg when the process is dead.
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
