"""One node's end of the distribution: from signals to kernel operations and back.

Whatever carries signals (`Distribution`) tells the endpoint of a node which nodes came and
went (`up`, `down`) and hands in what arrived (`deliver`), in the order it was sent. The
rules of 1.11 are kept here, once for every carrier.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

from .._errors import Reason
from .._gen_server.calls import From, Waiter, reply
from .._pid import CREATION, Alias, Numbers, Pid, Ref
from .._process import CALL, Envelope, Process, Watch, info, signal_exit
from .._reports import WarningReport
from .._sys.requests import arrived
from . import signals
from .links import Links
from .remote import RemoteAlias, RemotePid, RemoteProcess, RemoteRef, RemoteWatches, Watcher

if TYPE_CHECKING:
    from .._runtime import Runtime
    from .global_ import GlobalNames

ServiceHandler = Callable[[str, Any], object]


class Distribution(Protocol):
    """What a bus has to offer to one node.

    It calls the node's `Endpoint`: `up` and `down` as connections come and go, `deliver`
    for each signal; all in the trio thread, never from within `send`, one pair of nodes in the
    order of sending, and nothing of a connection after its `down`. A node that was started
    again is another one: `down` for the earlier run comes before `up`. Each connection is
    mutual. Signals hold pids, references and `From` objects: `wire.Codec` makes bytes of them.
    """

    def send(self, node: str, signal: signals.Signal) -> None:
        """Carry a signal to a connected node. Neither waits nor fails for a bad connection:
        what cannot be delivered is lost, and `down` follows.
        """

    async def connect(self, node: str) -> bool:
        """Connect to a node, if it can be reached; `up` comes before this returns."""

    def disconnect(self, node: str) -> None:
        """Give up a connection; `down` comes on both sides."""

    def close(self) -> None:
        """The node ends: the others see it go down."""


class Caller(Waiter):
    """Who waits on another node for the reply to a call."""

    __slots__ = ("endpoint", "node", "number")

    def __init__(self, endpoint: Endpoint, node: str, number: int) -> None:
        self.endpoint = endpoint
        self.node = node
        self.number = number

    @property
    def released(self) -> bool:
        """Unknown here."""
        return False

    def answer(self, value: Any) -> None:
        """The reply, back to the node that asked."""
        self.endpoint.reply(self.node, self.number, value)

    def down(self, pid: Pid, reason: Reason) -> None:
        """The call failed here: a full mailbox."""
        self.endpoint.refuse(self.node, self.number, reason)


class Subscriber(Watch):
    """A process that is told of nodes, `held` times each; forgotten at its end."""

    __slots__ = ("book", "held", "process")

    def __init__(self, book: dict[Process, Subscriber], process: Process) -> None:
        self.book = book
        self.process = process
        self.held = 0
        book[process] = self
        process.more().monitored_by[self] = self  # type: ignore[index]

    def down(self, pid: Pid, reason: Reason) -> None:
        """It has ended."""
        self.book.pop(self.process, None)

    def leave(self) -> None:
        """It wants to know no more."""
        del self.book[self.process]
        self.process.more().monitored_by.pop(self, None)  # type: ignore[call-overload]


class Endpoint:
    """The distribution of one runtime; `runtime.endpoint`.

    connected: the other nodes, in the order they came. asked: our monitors of remote
    processes by number. watching: theirs of ours. services: who takes `Service` signals.
    links: the links between our processes and theirs.
    """

    def __init__(self, runtime: Runtime) -> None:
        from .global_ import GlobalNames

        self.runtime = runtime
        self.node = runtime.node
        self.carrier: Distribution | None = None
        self.connected: dict[str, None] = {}
        self.asked: dict[int, tuple[RemoteWatches, Any]] = {}
        self.watching: dict[tuple[str, int], Watcher] = {}
        self.services: dict[str, ServiceHandler] = {}
        self.links = Links(self)
        # No number of an earlier run of this node: a reply to one of its calls may still come.
        self._numbers = count((((runtime.serial << 32) + CREATION) << 32) + 1)
        self._pids: WeakValueDictionary[Numbers, RemotePid] = WeakValueDictionary()
        self._names: WeakValueDictionary[tuple[str, str], RemotePid] = WeakValueDictionary()
        self._refs: WeakValueDictionary[tuple[str, int, int], Ref] = WeakValueDictionary()
        self._aliases: dict[int, Alias] = {}
        self._many_aliases = 64
        self._calls: dict[int, From] = {}
        self._many_calls = 64
        self._subscribers: dict[Process, Subscriber] = {}
        self._on_up: list[Callable[[str], object]] = []
        self._on_down: list[Callable[[str], object]] = []
        self.globals: GlobalNames = GlobalNames(self)

    # --- for the carrier --------------------------------------------------------------------

    def attach(self, carrier: Distribution) -> None:
        """Have `carrier` carry this node's signals; RuntimeError when it has one."""
        if self.carrier is not None:
            raise RuntimeError(f"node {self.node!r} has a distribution already: {self.carrier!r}")
        self.carrier = carrier

    def up(self, node: str) -> None:
        """A connection is there; nothing of `node` has arrived over it yet."""
        if node not in self.connected:
            self.connected[node] = None
            self.came(node)

    def came(self, node: str) -> None:
        """The rest of `up`, for a carrier that enters both ends in `connected` first."""
        self._tell("nodeup", node)
        for hook in list(self._on_up):
            hook(node)

    def down(self, node: str) -> None:
        """A connection is gone, and nothing more will arrive over it (1.11, S31)."""
        if node in self.connected:
            del self.connected[node]
            self.went(node)

    def went(self, node: str) -> None:
        """The rest of `down`, for a carrier that takes both ends out of `connected` first."""
        for key in [key for key in self.watching if key[0] == node]:
            self.watching.pop(key).forget()
        for pid in [*self._pids.values(), *self._names.values()]:
            if pid.node == node and isinstance(pid._process, RemoteProcess):
                pid._process.lost()
        self.links.lost(node)
        for hook in list(self._on_down):
            hook(node)
        self._tell("nodedown", node)

    def deliver(self, node: str, signal: signals.Signal) -> None:
        """Do here what `signal`, which arrived from `node`, says."""
        match signal:
            case signals.Message(to, body):
                self._post(to, info(body))
            case signals.Cast(to, body):
                self._post(to, body)
            case signals.Call(number, caller, to, body):
                self._post(to, self._request(node, number, caller, body))
            case signals.System(number, to, request):
                target = self._process(to)
                if target is not None:  # otherwise the monitor of that number says so
                    waiter = None if number is None else Caller(self, node, number)
                    arrived(target, request, waiter)
            case signals.Reply(number, value):
                self._replied(number, value)
            case signals.Exit(sender, Pid() as to, reason, True):
                self.links.exited(sender, to, reason)
            case signals.Exit(sender, to, reason, _):
                target = self._process(to)
                if target is not None:
                    signal_exit(target, sender, reason, linked=False)
            case signals.Link(sender, to):
                self.links.linked(sender, to)
            case signals.Unlink(number, sender, to):
                self.links.unlinked(number, sender, to)
            case signals.UnlinkAck(number, sender, to):
                self.links.acknowledged(number, sender, to)
            case signals.Monitor(number, to):
                self._monitor(node, number, self._process(to))
            case signals.Demonitor(number):
                watcher = self.watching.pop((node, number), None)
                if watcher is not None:
                    watcher.forget()
            case signals.Down(number, reason):
                asked = self.asked.get(number)
                if asked is not None:
                    asked[0].fire(asked[1], reason)
            case signals.Unreadable(asked_by, error):
                details = {"node": node, "error": error}
                text = "a signal of another node cannot be read here; dropped"
                self.runtime.reports.emit(WarningReport(None, text, details))
                if asked_by is not None:
                    self.refuse(
                        node, asked_by, ("badarg", f"cannot be read on {self.node}: {error}")
                    )
            case signals.Service(name, body):
                handler = self.services.get(name)
                if handler is not None:
                    handler(node, body)

    # --- the objects that stand for things of other nodes --------------------------------------

    def pid(self, node: str, id: int, serial: int, creation: int) -> RemotePid:
        """This node's object for a pid of another node."""
        key = (node, id, serial, creation)
        pid = self._pids.get(key)
        if pid is None:
            pid = self._pids[key] = RemotePid(*key)
            RemoteProcess(self, pid, pid)
        return pid

    def named(self, name: str, node: str) -> RemotePid:
        """The stand-in for whoever has `name` on another node when a signal gets there."""
        pid = self._names.get((name, node))
        if pid is None:
            pid = self._names[name, node] = RemotePid(node, 0, 0, 0)
            RemoteProcess(self, pid, name)
        return pid

    def export_ref(self, ref: Ref) -> tuple[str, int, int, bool]:
        """Node, number, creation and whether it is an alias: what another node knows a reference
        by.
        """
        if isinstance(ref, RemoteRef | RemoteAlias):
            return ref.node, ref.number, ref.creation, isinstance(ref, RemoteAlias)
        self._refs[self.node, ref.number, CREATION] = ref
        if isinstance(ref, Alias):
            self._keep(ref)
        return self.node, ref.number, CREATION, isinstance(ref, Alias)

    def _keep(self, alias: Alias) -> None:
        """An alias that was given away works though nobody here holds it; the ended ones are
        let go each time their number has doubled.
        """
        self._aliases[alias.number] = alias
        if len(self._aliases) > self._many_aliases:
            self._aliases = {
                number: kept
                for number, kept in self._aliases.items()
                if kept.mode is not None and kept.owner.alive
            }
            self._many_aliases = max(64, 2 * len(self._aliases))

    def ref(self, node: str, number: int, creation: int, is_alias: bool) -> Ref:
        """This node's object for a reference."""
        key = (node, number, creation)
        ref = self._refs.get(key)
        if ref is None:
            ref = RemoteAlias(self, *key) if is_alias else RemoteRef(*key)
            self._refs[key] = ref
        return ref

    def export_from(self, from_: From) -> tuple[str, int, Pid | None]:
        """Node, number and caller: what another node can answer a call by.

        Kept until it does, or until nobody waits, which is looked at each time their number
        has doubled.
        """
        waiter = getattr(from_, "_waiter", None)
        if isinstance(waiter, Caller):
            return waiter.node, waiter.number, from_.pid
        number = next(self._numbers)
        self._calls[number] = from_
        if len(self._calls) > self._many_calls:
            self._calls = {n: kept for n, kept in self._calls.items() if not kept.settled}
            self._many_calls = max(64, 2 * len(self._calls))
        return self.node, number, from_.pid

    def from_(self, node: str, number: int, caller: Pid | None) -> From:
        """This node's object to answer a call with."""
        from_ = self._calls.get(number) if node == self.node else None
        if from_ is None:
            from_ = From()
            from_._pid = caller
            from_._waiter = Caller(self, node, number)
        return from_

    # --- for the kernel --------------------------------------------------------------------

    def send(self, node: str, signal: signals.Signal) -> None:
        """Send a signal; to a node that is not connected it vanishes."""
        if node in self.connected and self.carrier is not None:
            self.carrier.send(node, signal)

    def reply(self, node: str, number: int, value: Any) -> None:
        """Answer a call that came from `node`, or through it back to us."""
        if node == self.node:
            self._replied(number, value)
        else:
            self.send(node, signals.Reply(number, value))

    def refuse(self, node: str, number: int, reason: Reason) -> None:
        """Have a call of another node fail."""
        watcher = self.watching.pop((node, number), None)
        if watcher is not None:
            watcher.forget()
        self.send(node, signals.Down(number, reason))

    def broadcast(self, service: str, body: Any) -> None:
        """Send to the same service of every connected node."""
        for node in list(self.connected):
            self.send(node, signals.Service(service, body))

    def on_up(self, hook: Callable[[str], object]) -> Callable[[], None]:
        """Call ``hook(node)`` when a node came, before any signal of it; answers how to stop."""
        self._on_up.append(hook)
        return lambda: self._on_up.remove(hook)

    def on_down(self, hook: Callable[[str], object]) -> Callable[[], None]:
        """Call ``hook(node)`` when a node is gone, after every signal of it; how to stop."""
        self._on_down.append(hook)
        return lambda: self._on_down.remove(hook)

    def subscribe(self, process: Process, flag: bool) -> None:
        """`monitor_nodes`: subscriptions count, one message for each."""
        subscriber = self._subscribers.get(process)
        if flag:
            subscriber = subscriber or Subscriber(self._subscribers, process)
            subscriber.held += 1
        elif subscriber is not None:
            subscriber.held -= 1
            if not subscriber.held:
                subscriber.leave()

    def watch_number(self, watches: RemoteWatches, key: Any) -> int:
        """A number for a monitor of a remote process."""
        number = next(self._numbers)
        self.asked[number] = (watches, key)
        return number

    def close(self) -> None:
        """The runtime ends."""
        carrier, self.carrier = self.carrier, None
        self.connected.clear()
        if carrier is not None:
            carrier.close()

    # --- signals that arrived -----------------------------------------------------------------

    def _tell(self, what: str, node: str) -> None:
        for subscriber in list(self._subscribers.values()):
            for _ in range(subscriber.held):
                subscriber.process.pid._post(info((what, node)))

    def _process(self, to: Pid | str) -> Process | None:
        pid = self.runtime.names.get(to) if isinstance(to, str) else to
        return None if pid is None else pid._process

    def _post(self, to: Pid | Ref | str, message: Any) -> None:
        target = self.runtime.names.get(to) if isinstance(to, str) else to
        if isinstance(target, Pid | Alias):
            target._post(message)

    def _request(self, node: str, number: int, caller: Pid | None, body: Any) -> Envelope:
        envelope = Envelope()
        envelope.kind = CALL
        envelope.body = body
        envelope.extra = self.from_(node, number, caller)
        return envelope

    def _replied(self, number: int, value: Any) -> None:
        asked = self.asked.get(number)
        if asked is not None:
            watches, waiter = asked
            if not isinstance(waiter, Waiter):
                return
            if isinstance(value, signals.NoReply):
                waiter.down(watches.process.pid, value.reason)
            else:
                waiter.answer(value)
            return
        from_: Any = self._calls.pop(number, None)
        if from_ is None:
            return
        if not isinstance(value, signals.NoReply):
            reply(from_, value)
        elif isinstance(waiter := getattr(from_, "_waiter", None), Waiter):
            waiter.down(from_.pid, value.reason)

    def _monitor(self, node: str, number: int, target: Process | None) -> None:
        if target is None:
            self.send(node, signals.Down(number, "noproc"))
            return
        watcher = Watcher(self, node, number, target)
        self.watching[node, number] = watcher
        target.more().monitored_by[watcher] = watcher  # type: ignore[index]
