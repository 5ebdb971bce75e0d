"""What a client wants to be told of: subscriptions/listen (modern), resources/subscribe (legacy)."""

from __future__ import annotations

from typing import Final

from erlmcp_py.protocol.wire import NotificationParams, RequestParams, Result, Wire

LISTEN: Final = "subscriptions/listen"


class SubscriptionFilter(Wire, frozen=True):
    """Which notifications are wanted, or honoured. An absent member asks for nothing.

    `resource_subscriptions`: URIs whose `notifications/resources/updated` are wanted. `task_ids`: of
    the Tasks extension, the tasks whose `notifications/tasks` are.
    """

    tools_list_changed: bool | None = None
    prompts_list_changed: bool | None = None
    resources_list_changed: bool | None = None
    resource_subscriptions: list[str] | None = None
    task_ids: list[str] | None = None


class SubscriptionsListenParams(RequestParams, frozen=True):
    """The parameters of `subscriptions/listen`."""

    notifications: SubscriptionFilter


class SubscriptionsAcknowledgedParams(NotificationParams, frozen=True):
    """The first message of a subscription: the part of the filter that the server honours. Its
    `_meta` names the subscription, as on all that follow (`meta.subscription_meta`).
    """

    notifications: SubscriptionFilter


class SubscriptionsListenResult(Result, frozen=True):
    """The graceful end of a subscription; its `_meta` names it."""


class SubscribeParams(RequestParams, frozen=True):
    """The parameters of `resources/subscribe` and `resources/unsubscribe`. Legacy."""

    uri: str


class ResourceUpdatedParams(NotificationParams, frozen=True):
    """The resource has changed and may be read again; `uri` may be part of the one subscribed to."""

    uri: str
