"""Who is told of what, how often, and what is left when they are gone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

import supervisors
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.subscriptions import (
    NAME,
    Announcement,
    Change,
    Subscription,
    Subscriptions,
    changes_of,
    publish,
    statistics,
    subscribe,
    unsubscribe,
)
from supervisors.testing import wait_all_blocked

TOOLS, PROMPTS = Change("tools"), Change("prompts")


@pytest.fixture
async def hub() -> AsyncIterator[None]:
    async with supervisors.Runtime():
        await Subscriptions.start(name=NAME)
        yield


class Listener:
    """A process that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Change] = []
        self.take = True
        self.pid = supervisors.spawn(self._listen)

    async def _listen(self) -> None:
        while True:
            match await supervisors.receive():
                case ("changed", subscription, announcement):
                    self.heard.append(announcement.change)
                    if self.take:
                        subscription.taken(announcement.change)

    def wants(self, server: str, *changes: Change) -> Subscription:
        subscription = Subscription(server, self.pid, changes)
        subscribe(subscription)
        return subscription


async def test_only_what_was_asked_for_of_the_server_that_was_meant(hub: None) -> None:
    listener = Listener()
    updated = Change("updated", "a:b")
    listener.wants("weather", TOOLS, updated)
    for server, change in (
        ("weather", TOOLS),
        ("weather", PROMPTS),
        ("news", TOOLS),
        ("weather", updated),
        ("weather", Change("updated", "a:c")),
    ):
        publish(server, change)
    await wait_all_blocked()
    assert listener.heard == [TOOLS, updated]
    numbers = await statistics()
    assert (numbers.subscriptions, numbers.published, numbers.sent) == (1, 5, 2)


async def test_a_change_that_waits_to_be_read_is_not_sent_twice(hub: None) -> None:
    listener = Listener()
    listener.take = False
    subscription = listener.wants("s", TOOLS)
    for _ in range(10):
        publish("s", TOOLS)
    await wait_all_blocked()
    assert listener.heard == [TOOLS]
    assert (await statistics()).merged == 9
    subscription.taken(TOOLS)
    publish("s", TOOLS)
    await wait_all_blocked()
    assert listener.heard == [TOOLS, TOOLS]


async def test_several_subscriptions_of_one_owner_are_told_each(hub: None) -> None:
    listener = Listener()
    first, second = listener.wants("s", TOOLS), listener.wants("s", TOOLS, PROMPTS)
    publish("s", TOOLS)
    await wait_all_blocked()
    assert listener.heard == [TOOLS, TOOLS]
    unsubscribe(first)
    unsubscribe(first)
    publish("s", TOOLS)
    await wait_all_blocked()
    assert listener.heard == [TOOLS] * 3
    unsubscribe(second)
    publish("s", TOOLS)
    await wait_all_blocked()
    assert listener.heard == [TOOLS] * 3
    assert (await statistics()).subscriptions == 0


async def test_nothing_is_kept_of_the_dead(hub: None) -> None:
    listener = Listener()
    listener.wants("s", TOOLS, PROMPTS)
    listener.wants("t", TOOLS)
    await wait_all_blocked()
    supervisors.exit(listener.pid, "kill")
    await wait_all_blocked()
    assert (await statistics()).subscriptions == 0
    pid = supervisors.whereis(NAME)
    assert pid is not None
    state = await supervisors.sys.get_state(pid)
    assert (state.by_topic, state.by_owner) == ({}, {})


@pytest.mark.parametrize("tag", ["1", '"a\\"b"', '"é"'])
def test_the_bytes_are_json_with_the_tag_in_its_place(tag: str) -> None:
    announcement = Announcement(Change("updated", 'a:"é'))
    assert json.loads(announcement.tagged(tag.encode())) == {
        "jsonrpc": "2.0",
        "method": "notifications/resources/updated",
        "params": {
            "uri": 'a:"é',
            "_meta": {"io.modelcontextprotocol/subscriptionId": json.loads(tag)},
        },
    }
    assert json.loads(announcement.plain())["params"] == {"uri": 'a:"é'}
    listed = json.loads(Announcement(TOOLS).tagged(tag.encode()))
    assert listed["method"] == "notifications/tools/list_changed"
    assert "uri" not in listed["params"]


def test_what_a_filter_asks_for() -> None:
    wanted = SubscriptionFilter(tools_list_changed=True, resource_subscriptions=["a:b", "a:c"])
    assert changes_of(wanted) == [TOOLS, Change("updated", "a:b"), Change("updated", "a:c")]
    assert changes_of(SubscriptionFilter(prompts_list_changed=False)) == []
