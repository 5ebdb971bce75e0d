"""A process of another node, as this node sees it.

WHY a record that looks like a process: send, cast, call, link, monitor and start functions
read `pid._post` and `pid._process` and are measured in nanoseconds. A remote pid has both
too, filled with a stand-in that turns what is done to it into signals. So nothing that is
local pays for the distribution, and hardly anything has to ask whether a pid is remote.

Each node has its own object for a remote pid, one as long as anybody holds it, so that
identity stays what pids are compared by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._gen_server.calls import Waiter
from .._pid import Alias, Numbers, Pid, PidOfRun, Ref, intern_pid
from .._process import INFO, WAITING, Envelope, Extras, Process, Remote, Watch, signal_exit
from . import signals

if TYPE_CHECKING:
    from .._errors import Reason
    from .endpoint import Endpoint


class RemotePid(PidOfRun):
    """The pid of a process of another node; printed and ordered as its own node does."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[[str, int, int, int], Pid], Numbers]:
        # Unlike a pid of ours it is not remembered under its numbers in the interpreter:
        # those stand for the object of its own node, should that be in here as well.
        return intern_pid, (self.node, self.id, self.serial, self.creation)


class RemoteProcess(Remote):
    """The stand-in for one remote process, or for a name of another node.

    target: what signals are addressed to, the pid or the name.
    """

    __slots__ = ("endpoint", "target", "watches")

    def __init__(self, endpoint: Endpoint, pid: Pid, target: Pid | str) -> None:
        # Not Process.__init__: it has no place in this node's table.
        self.endpoint = endpoint
        self.runtime = endpoint.runtime
        self.pid = pid
        self.target = target
        self.status = WAITING
        self.trap_exit = True
        self.links = {}
        self.extras = Extras()
        self.extras.monitored_by = self.watches = RemoteWatches(self)
        self.exit_reason = ("nodedown", pid.node)
        self.messages_in = 0
        self.started_at = 0.0
        self.parent = None
        self.ancestors = ()
        pid._process = self
        pid._post = self.post

    @property
    def alive(self) -> bool:
        """Whether its node is connected; of the process itself this node knows nothing."""
        return self.pid.node in self.endpoint.connected

    @property
    def initial_call(self) -> str:
        """Unknown here: the node, and a question mark."""
        return f"{self.pid.node}:?"

    def queue_length(self) -> int:
        """Its mail lies on its own node."""
        return 0

    def signal(self, signal: signals.Signal) -> None:
        """Send a signal to its node."""
        self.endpoint.send(self.pid.node, signal)

    def post(self, message: Any) -> None:
        """`pid._post`: a message, a cast or a call becomes a signal."""
        if type(message) is not Envelope:
            self.signal(signals.Cast(self.target, message))
        elif message.kind == INFO:
            self.signal(signals.Message(self.target, message.body))
        else:
            from_ = message.extra
            number = self.watches.numbers.get(from_._waiter)
            if number is not None:
                self.signal(signals.Call(number, from_.pid, self.target, message.body))

    # --- links and exits ------------------------------------------------------------------

    def link_from(self, process: Process) -> None:
        """`link` by a process of ours; without a connection it breaks at once."""
        if not self.alive:
            signal_exit(process, self.pid, "noconnection", linked=True)
        else:
            self.endpoint.links.link(process, self)

    def drop_link(self, process: Process) -> None:
        """`unlink` by a process of ours."""
        self.endpoint.links.unlink(process, self)

    def exited(self, process: Process, reason: Reason) -> None:
        """A process of ours that was linked to this one has ended."""
        self.signal(signals.Exit(process.pid, self.target, reason, linked=True))

    def exit(self, sender: Pid, reason: Reason) -> None:
        """``exit/2`` by a process of ours."""
        self.signal(signals.Exit(sender, self.target, reason, linked=False))

    def system(self, waiter: Watch | None, request: tuple[Any, ...]) -> None:
        """A request of `sys`; the waiter, which watches this process, gets the answer."""
        self.signal(signals.System(self.watches.numbers.get(waiter), self.target, request))

    def lost(self) -> None:
        """The connection to its node is gone: links and monitors end (1.11, S31)."""
        links, self.links = self.links, {}
        for process in links or ():
            if process.links is not None:
                process.links.pop(self, None)
            signal_exit(process, self.pid, "noconnection", linked=True)
        self.watches.fire_all()


class RemoteWatches(dict[Any, Watch]):
    """Who is to be told of a remote end: the keys and watches a local process has in
    `extras.monitored_by`, each known to the other node under a number.
    """

    def __init__(self, process: RemoteProcess) -> None:
        super().__init__()
        self.process = process
        self.numbers: dict[Any, int] = {}

    def __setitem__(self, key: Any, watch: Watch) -> None:
        super().__setitem__(key, watch)
        process = self.process
        number = self.numbers[key] = process.endpoint.watch_number(self, key)
        process.signal(signals.Monitor(number, process.target))

    def pop(self, key: Any, default: Any = None) -> Any:
        """Watch no more, and say so."""
        number = self.numbers.pop(key, None)
        if number is not None:
            self.process.endpoint.asked.pop(number, None)
            self.process.signal(signals.Demonitor(number))
        return super().pop(key, default)

    def fire(self, key: Any, reason: Reason) -> None:
        """The other node said it is down."""
        number = self.numbers.pop(key, None)
        watch = super().pop(key, None)
        if number is not None and watch is not None:
            self.process.endpoint.asked.pop(number, None)
            watch.down(self.process.pid, reason)

    def fire_all(self) -> None:
        """The connection is gone: monitors say noconnection, calls exit with nodedown."""
        for key, watch in list(self.items()):
            lost = self.process.exit_reason if isinstance(watch, Waiter) else "noconnection"
            self.fire(key, lost)


class RemoteAlias(Alias):
    """An alias of a process of another node: it can be sent to."""

    __slots__ = ("creation", "endpoint", "node")

    def __init__(self, endpoint: Endpoint, node: str, number: int, creation: int) -> None:
        self.number = number
        self.creation = creation
        self.mode = None
        self.endpoint = endpoint
        self.node = node

    def _post(self, message: Any) -> None:
        if type(message) is Envelope:
            self.endpoint.send(self.node, signals.Message(self, message.body))
        else:
            self.endpoint.send(self.node, signals.Cast(self, message))


class RemoteRef(Ref):
    """A reference that was made on another node, or in an earlier run of this one."""

    __slots__ = ("creation", "node")

    def __init__(self, node: str, number: int, creation: int) -> None:
        self.node = node
        self.number = number
        self.creation = creation


class Watcher(Watch):
    """A monitor that a process of another node has on one of ours."""

    __slots__ = ("endpoint", "node", "number", "target")

    def __init__(self, endpoint: Endpoint, node: str, number: int, target: Process) -> None:
        self.endpoint = endpoint
        self.node = node
        self.number = number
        self.target = target

    def down(self, pid: Pid, reason: Reason) -> None:
        """Tell the node that watches."""
        self.endpoint.watching.pop((self.node, self.number), None)
        self.endpoint.send(self.node, signals.Down(self.number, reason))

    def forget(self) -> None:
        """Take it out of what watches the process."""
        if self.target.extras is not None:
            self.target.extras.monitored_by.pop(self, None)  # type: ignore[call-overload]
