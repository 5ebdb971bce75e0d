"""Process groups over nodes (1.11): members of all, gone with the connection."""

from __future__ import annotations

import trio

import supervisors as otp
from supervisors import pg
from supervisors.distribution.groups import GroupPeers


async def scope(member):
    await pg.start_link("rooms", GroupPeers())
    if member:
        await pg.join("rooms", "lobby", otp.self())
    await trio.sleep_forever()


async def members():
    return {pid.node for pid in pg.get_members("rooms", "lobby")}


async def test_members_of_all_connected_nodes(autojump_clock, cluster):
    async with cluster("a", "b", "c") as nodes_:
        pids = {node: nodes_.spawn(node, scope, node != "c") for node in "abc"}
        await nodes_.rest()
        assert [await nodes_.on(node, members) for node in "abc"] == [{"a", "b"}] * 3
        nodes_.network.partition("a", "bc")
        await nodes_.rest()
        assert [await nodes_.on(node, members) for node in "abc"] == [{"a"}, {"b"}, {"b"}]
        nodes_.network.heal()
        await nodes_.rest()
        assert [await nodes_.on(node, members) for node in "abc"] == [{"a", "b"}] * 3
        with nodes_.runtimes["b"].active():
            otp.exit(pids["b"], "kill")
        await nodes_.rest()
        assert [await nodes_.on(node, members) for node in "ac"] == [{"a"}, {"a"}]
        # The scope of b is gone; that of the others still hears of nodes that come.
        nodes_.network.disconnect("a", "b")
        nodes_.network.heal()
        await nodes_.rest()
        assert [await nodes_.on(node, members) for node in "ac"] == [{"a"}, {"a"}]
