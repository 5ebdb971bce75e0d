"""Who wants to be told that something of a server has changed, and the telling.

A server process publishes a `Change` under the server's name; whoever holds a stream to a client (a
session, the process of standard input and output, a connection with `subscriptions/listen`) has
subscribed under the same name, so neither has to know whether the other was restarted. The process
monitors its subscribers. If it dies itself, they subscribe again (they monitor it).

WHY a subscription holds the set of what it has not yet taken: a change says "look again" and nothing
else, so the same one twice is once. A client that does not read can then make its stream's mailbox
no longer than there are things to look at, however often they change.

WHY bytes are made here: the same notification goes to thousands. It is encoded once per change, and
for 2026-07-28 cut where the id of the subscription belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import msgspec

from erlmcp_py.protocol.jsonrpc import encode, notification, raw
from erlmcp_py.protocol.meta import SUBSCRIPTION_ID
from erlmcp_py.protocol.notifications import (
    PROMPTS_CHANGED,
    RESOURCE_UPDATED,
    RESOURCES_CHANGED,
    TASK_CHANGED,
    TOOLS_CHANGED,
)
from erlmcp_py.protocol.subscriptions import ResourceUpdatedParams, SubscriptionFilter
from supervisors import GenServer, Pid, cast, demonitor, monitor, send
from supervisors import call as call_process
from supervisors import self as own_pid

NAME: Final = "subscriptions"

TASKS: Final = "tasks"
"""The process that tells a new subscription how its tasks are (`server.tasks.manager`)."""

AGAIN: Final = 0.05
"""Seconds after which a subscriber tries again, while nobody keeps subscriptions."""

SLICE: Final = 256
"""Subscriptions that are told in one turn."""

Kind = Literal["tools", "prompts", "resources", "updated", "task"]

_METHODS: Final[dict[str, str]] = {
    "tools": TOOLS_CHANGED,
    "prompts": PROMPTS_CHANGED,
    "resources": RESOURCES_CHANGED,
    "updated": RESOURCE_UPDATED,
    "task": TASK_CHANGED,
}


class Change(msgspec.Struct, frozen=True):
    """A list has changed, or, with "updated", the resource at `uri`, or, with "task", the task whose id
    is there.
    """

    kind: Kind
    uri: str | None = None


Source = Callable[[], msgspec.Struct]
"""Gives the parameters of the notification of a task, as they are when it is asked."""


class Announcement:
    """A change on its way to many: its bytes, made when they are first needed.

    source: of a task. It says how the task is, not to look again, so it is asked when the message is
    written: the one that waited longest then tells the latest.
    """

    __slots__ = ("_legacy", "_parts", "_source", "change", "forms")

    def __init__(self, change: Change, source: Source | None = None) -> None:
        self.change = change
        self._source = source
        self._legacy: bytes | None = None
        self._parts: tuple[bytes, bytes] | None = None
        self.forms: dict[Any, Any] | None = {} if source is None else None
        """What transports have made of it and can use again; None: it never says the same twice."""

    def plain(self) -> bytes:
        """The notification for a session."""
        if self._legacy is None:
            self._legacy = encode(notification(_METHODS[self.change.kind], self._params()))
        return self._legacy

    def tagged(self, subscription: bytes) -> bytes:
        """The notification for one subscription of 2026-07-28, whose id is given as JSON."""
        if self._source is not None:
            meta = {SUBSCRIPTION_ID: msgspec.Raw(subscription)}
            params = msgspec.structs.replace(self._source(), meta=meta)
            return encode(notification(_METHODS[self.change.kind], params))
        if self._parts is None:
            members = b"" if self.change.uri is None else b'"uri":%b,' % bytes(raw(self.change.uri))
            self._parts = (
                b'{"jsonrpc":"2.0","method":"%b","params":{%b"_meta":{"%b":'
                % (_METHODS[self.change.kind].encode(), members, SUBSCRIPTION_ID.encode()),
                b"}}}",
            )
        head, tail = self._parts
        return head + subscription + tail

    def _params(self) -> ResourceUpdatedParams | None:
        uri = self.change.uri
        return None if uri is None else ResourceUpdatedParams(uri=uri)


class Subscription:
    """Somebody's interest in one server.

    Its owner gets ``("changed", subscription, Announcement)`` and calls `taken` with the change
    when it reads it; until then the same change is not sent again. write: does for the owner what
    it would do itself, in the turn of the publisher, and says whether it could: to wake thousands
    of processes for a line each costs more than the lines.
    """

    __slots__ = ("_untaken", "_write", "changes", "owner", "server")

    def __init__(
        self,
        server: str,
        owner: Pid,
        changes: Iterable[Change],
        write: Callable[[Announcement], bool] | None = None,
    ) -> None:
        self._write = write
        self.server = server
        self.owner = owner
        self.changes = frozenset(changes)
        self._untaken: set[Change] = set()

    def announce(self, announcement: Announcement) -> bool:
        """Send it unless the same change still waits to be read; whether it was sent."""
        if not self._untaken:
            if self._write is not None and self._write(announcement):
                return True
        elif announcement.change in self._untaken:
            return False
        self._untaken.add(announcement.change)
        send(self.owner, ("changed", self, announcement))
        return True

    def taken(self, change: Change) -> None:
        """The owner has read it from its mailbox."""
        self._untaken.discard(change)


class SubscriptionsStatistics(msgspec.Struct, frozen=True):
    """subscriptions: now. published: changes; sent: messages they became; merged: messages that were
    not sent because the same one still waited; all since the process started.
    """

    subscriptions: int
    published: int
    sent: int
    merged: int


class _State:
    def __init__(self) -> None:
        self.by_topic: dict[tuple[str, Change], dict[Subscription, None]] = {}
        self.by_owner: dict[Pid, tuple[Any, dict[Subscription, None]]] = {}
        self.published = self.sent = self.merged = 0

    def add(self, subscription: Subscription) -> None:
        owner = subscription.owner
        entry = self.by_owner.get(owner)
        if entry is None:
            entry = self.by_owner[owner] = (monitor(owner), {})
        entry[1][subscription] = None
        for change in subscription.changes:
            self.by_topic.setdefault((subscription.server, change), {})[subscription] = None

    def tell(
        self,
        topic: tuple[str, Change],
        interested: tuple[Subscription, ...],
        announcement: Announcement,
    ) -> None:
        """Tell some of them, and the rest in another turn: a crowd must not hold up the loop."""
        still = self.by_topic.get(topic, ())
        for subscription in interested[:SLICE]:
            if subscription not in still:
                continue
            if subscription.announce(announcement):
                self.sent += 1
            else:
                self.merged += 1
        if len(interested) > SLICE:
            cast(own_pid(), ("tell", topic, interested[SLICE:], announcement))

    def remove(self, subscription: Subscription) -> None:
        entry = self.by_owner.get(subscription.owner)
        if entry is None or subscription not in entry[1]:
            return
        del entry[1][subscription]
        self._unlist(subscription)
        if not entry[1]:
            demonitor(entry[0], flush=True)
            del self.by_owner[subscription.owner]

    def end(self, server: str) -> None:
        """The server is served no more: its subscribers are told, and forgotten."""
        found = {
            subscription: None
            for (subject, _), interested in self.by_topic.items()
            if subject == server
            for subscription in interested
        }
        for subscription in found:
            self.remove(subscription)
            send(subscription.owner, ("ended", subscription))

    def forget(self, owner: Pid) -> None:
        entry = self.by_owner.pop(owner, None)
        if entry is not None:
            for subscription in entry[1]:
                self._unlist(subscription)

    def _unlist(self, subscription: Subscription) -> None:
        for change in subscription.changes:
            topic = (subscription.server, change)
            interested = self.by_topic[topic]
            del interested[subscription]
            if not interested:
                del self.by_topic[topic]


class Subscriptions(GenServer):
    """The process; call it through the functions of this module."""

    def init(self) -> tuple[Any, ...]:
        """Start empty: who wants to be told subscribes."""
        return ("ok", _State())

    def handle_call(self, request: Any, _from: Any, state: _State) -> tuple[Any, ...]:
        """``("statistics",)`` -> SubscriptionsStatistics."""
        if request == ("watched",):
            return ("reply", [(server, change) for server, change in state.by_topic], state)
        if request == ("statistics",):
            count = sum(len(entry[1]) for entry in state.by_owner.values())
            numbers = SubscriptionsStatistics(count, state.published, state.sent, state.merged)
            return ("reply", numbers, state)
        return ("reply", ("error", f"unknown request {request!r}"), state)

    def handle_cast(self, request: Any, state: _State) -> tuple[Any, ...]:
        """What the functions of this module send."""
        match request:
            case ("publish", server, change, source):
                state.published += 1
                topic = (server, change)
                interested = tuple(state.by_topic.get(topic, ()))
                state.tell(topic, interested, Announcement(change, source))
            case ("tell", topic, interested, announcement):
                state.tell(topic, interested, announcement)
            case ("end", server):
                state.end(server)
            case ("subscribe", subscription):
                state.add(subscription)
            case ("unsubscribe", subscription):
                state.remove(subscription)
        return ("noreply", state)

    def handle_info(self, message: Any, state: _State) -> tuple[Any, ...]:
        """DOWN of an owner."""
        match message:
            case ("DOWN", _, "process", pid, _):
                state.forget(pid)
        return ("noreply", state)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show how many there are instead of all of them."""
        state = status.get("state")
        if not isinstance(state, _State):
            return status
        return {**status, "state": {"owners": len(state.by_owner), "topics": len(state.by_topic)}}


def changes_of(wanted: SubscriptionFilter) -> list[Change]:
    """What a filter asks for, as changes."""
    lists: tuple[tuple[bool | None, Kind], ...] = (
        (wanted.tools_list_changed, "tools"),
        (wanted.prompts_list_changed, "prompts"),
        (wanted.resources_list_changed, "resources"),
    )
    return [
        *(Change(kind) for flag, kind in lists if flag),
        *(Change("updated", uri) for uri in wanted.resource_subscriptions or ()),
        *(Change("task", id) for id in wanted.task_ids or ()),
    ]


def changes_for_session(uris: Iterable[str]) -> tuple[Change, ...]:
    """What a client of the older revisions hears of: every list, and the resources it asked for."""
    lists = (Change("tools"), Change("prompts"), Change("resources"))
    return (*lists, *(Change("updated", uri) for uri in uris))


def subscribe(subscription: Subscription) -> None:
    """Have its owner told from now on, and how its tasks are by now. Nothing is lost by doing it
    twice.
    """
    cast(NAME, ("subscribe", subscription))
    if any(change.kind == "task" for change in subscription.changes):
        cast(TASKS, ("tell", subscription))


def announce_all(subscription: Subscription) -> None:
    """Have its owner look at everything, because nobody knows what it missed. Of tasks it is told
    when it subscribes.
    """
    for change in subscription.changes:
        if change.kind != "task":
            subscription.announce(Announcement(change))


def unsubscribe(subscription: Subscription) -> None:
    """Have its owner told no more; what is in its mailbox already stays there."""
    cast(NAME, ("unsubscribe", subscription))


def publish(server: str, change: Change, source: Source | None = None) -> None:
    """Tell all that a change of the server `server` interests; source: as `Announcement` has it."""
    cast(NAME, ("publish", server, change, source))


def end(server: str) -> None:
    """Tell all who listen to this server that it is served no more: ``("ended", subscription)``."""
    cast(NAME, ("end", server))


async def watched(servers: Iterable[str]) -> set[str]:
    """The resources of these servers whose changes somebody has subscribed to. CallExit if the process is
    not there.
    """
    topics = await call_process(NAME, ("watched",))
    names = set(servers)
    return {
        change.uri
        for server, change in topics
        if server in names and change.kind == "updated" and change.uri is not None
    }


async def statistics() -> SubscriptionsStatistics:
    """Counts. CallExit if the process is not there."""
    return await call_process(NAME, ("statistics",))  # type: ignore[no-any-return]
