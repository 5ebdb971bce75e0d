"""What a client on standard input and output is told of changes, in either era.

A modern client opens subscriptions by requests, as many as it likes, and each message carries the id
of its own. A legacy one gets every change of a list, and those of the resources it asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from erlmcp_py.protocol.jsonrpc import RequestId, Response, encode, notification, raw
from erlmcp_py.protocol.meta import subscription_meta
from erlmcp_py.protocol.notifications import ACKNOWLEDGED, CANCELLED, CancelledParams
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.subscriptions import (
    SubscriptionFilter,
    SubscriptionsAcknowledgedParams,
    SubscriptionsListenResult,
)
from erlmcp_py.protocol.versions import LATEST
from erlmcp_py.subscriptions import (
    AGAIN,
    NAME,
    Announcement,
    Subscription,
    announce_all,
    changes_for_session,
    changes_of,
    subscribe,
    unsubscribe,
)
from supervisors import Pid, monitor, send_after, whereis

LIMIT: Final = 1000
"""Subscriptions that one client may have open."""


class Listening:
    """The subscriptions of one client. write: puts a line on the client's stream."""

    def __init__(self, owner: Pid, write: Callable[[bytes], object]) -> None:
        self._owner = owner
        self._write = write
        self._ids: dict[Subscription, RequestId] = {}
        self._by_id: dict[RequestId, Subscription] = {}
        self._legacy: Subscription | None = None
        self._watched: Any = None

    def __len__(self) -> int:
        return len(self._by_id)

    def open(self, id: RequestId, server: str, honoured: SubscriptionFilter) -> None:
        """A modern subscription: acknowledge what is honoured of it, and tell from now on."""
        subscription = Subscription(server, self._owner, changes_of(honoured))
        self._ids[subscription] = id
        self._by_id[id] = subscription
        params = SubscriptionsAcknowledgedParams(notifications=honoured, meta=subscription_meta(id))
        self._write(encode(notification(ACKNOWLEDGED, params)))
        self._add(subscription)

    def cancel(self, id: RequestId) -> bool:
        """The client wants no more of it; whether there was one."""
        subscription = self._by_id.pop(id, None)
        if subscription is None:
            return False
        del self._ids[subscription]
        unsubscribe(subscription)
        return True

    def end(self, reason: str) -> list[RequestId]:
        """Say goodbye on every modern subscription; the ids of their requests, which are answered.

        Both ways that MCP 2026-07-28 has for it: the cancellation of one page, the result of another.
        """
        ended = list(self._by_id)
        for id in ended:
            self._say_goodbye(id, reason)
        return ended

    def ended(self, subscription: Subscription, reason: str) -> RequestId | None:
        """Its server is served no more: the id of its request, which is answered, if it is a modern one."""
        id = self._ids.get(subscription)
        if id is not None:
            self._say_goodbye(id, reason)
        return id

    def _say_goodbye(self, id: RequestId, reason: str) -> None:
        self._write(encode(notification(CANCELLED, CancelledParams(id, reason))))
        result = SubscriptionsListenResult(meta=subscription_meta(id))
        self._write(encode(Response(id, shape_result(result, "modern", LATEST))))
        self.cancel(id)

    def follow(self, server: str, uris: Iterable[str]) -> None:
        """A legacy client: every list, and these resources."""
        if self._legacy is not None:
            unsubscribe(self._legacy)
        self._legacy = Subscription(server, self._owner, changes_for_session(uris))
        self._add(self._legacy)

    def handle(self, message: Any) -> bool:
        """Act on a message of the process's mailbox; False if it is none of ours."""
        match message:
            case ("changed", Subscription() as subscription, announcement):
                subscription.taken(announcement.change)
                self._tell(subscription, announcement)
            case ("DOWN", ref, _, _, _) if ref is self._watched:
                send_after(AGAIN, self._owner, ("subscribe_again",))
            case ("subscribe_again",):
                self._add_again()
            case _:
                return False
        return True

    def _tell(self, subscription: Subscription, announcement: Announcement) -> None:
        id = self._ids.get(subscription)
        if id is not None:
            self._write(announcement.tagged(bytes(raw(id))))
        elif subscription is self._legacy:
            self._write(announcement.plain())

    def _add(self, subscription: Subscription) -> None:
        if self._watched is None:
            self._watched = monitor(NAME)
        subscribe(subscription)

    def _add_again(self) -> None:
        """Subscribe anew, and announce everything once: nobody knows what was missed."""
        if whereis(NAME) is None:
            send_after(AGAIN, self._owner, ("subscribe_again",))
            return
        self._watched = None
        own = [*self._ids, *([] if self._legacy is None else [self._legacy])]
        for subscription in own:
            self._add(subscription)
            announce_all(subscription)
