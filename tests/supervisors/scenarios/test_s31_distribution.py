"""S31: a node goes away; noconnection on both sides, nodedown for calls, silence for sends."""

from __future__ import annotations

from typing import Any

import trio

import supervisors as otp
from supervisors import CallExit, GenServer, Ref, Runtime
from supervisors.distribution import InMemory, connect_node, monitor_nodes

from .harness import Scenario, golden


class Server(GenServer):
    def init(self, state: Any) -> Any:
        return "ok", state

    def handle_call(self, _request: Any, _from: Any, state: Any) -> Any:
        return "reply", "world", state


async def down(ref: Ref) -> Any:
    return await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)


async def s31(s: Scenario, here: Runtime, there: Runtime, network: InMemory) -> None:
    otp.trap_exit()
    network.disconnect("here", "there")
    monitor_nodes()
    s.event("obs", "connect", await connect_node("there"))
    assert await otp.receive() == ("nodeup", "there")
    s.event("obs", "nodeup", "ok")

    # Their pids as this node knows them: they come in a message.
    me = otp.self()
    otp.register("obs", me)
    with there.active():
        local = [await Server.start("s", name="srv"), await Server.start("s")]
        otp.send(("obs", "here"), ("pids", local))
    _, (remote, linked) = await otp.receive(lambda m: m[0] == "pids")
    s.name(remote, "remote")
    s.name(linked, "remote_linked")
    s.event("obs", "remote_call", await otp.call(("srv", "there"), "hello"))
    good, bad = [], []
    for node in ("here", "there", "nonode@nohost"):
        try:
            good.append(await otp.call(("srv", node), "hello", 3.0))
        except CallExit:
            bad.append(node)
    s.event("obs", "multi_call", (good, len(bad)))

    by_pid = otp.monitor(remote)
    otp.link(linked)
    by_name = otp.monitor(("srv", "there"))
    await trio.sleep(0.01)
    network.disconnect("here", "there")
    await otp.receive(lambda m: m == ("nodedown", "there"))
    s.event("obs", "nodedown", "ok")
    message = await down(by_pid)
    assert message[3] is remote
    s.event("obs", "monitor_pid", message[4])
    message = await down(by_name)
    assert message[3] == ("srv", "there")
    s.event("obs", "monitor_name", message[4])
    s.event("obs", "link", await s.exit_of(linked))
    await trio.sleep(0.1)
    s.event("obs", "there_monitored_is_alive", otp.is_alive(local[0]))
    s.event("obs", "there_linked_is_alive", otp.is_alive(local[1]))

    try:
        await otp.call(remote, "hello")
    except CallExit as failed:
        what, node = failed.cause
        s.event("obs", "call_dead_node", what if node == "there" else failed.cause)
    s.event("obs", "monitor_dead_node", (await down(otp.monitor(remote)))[4])
    otp.send(remote, "lost")
    s.event("obs", "send_dead_node", True)


async def played() -> list[str]:
    """The trace of the scenario on two nodes of ours; to be run under a virtual clock."""
    scenario = Scenario()
    done = trio.Event()
    async with Runtime("here") as here, Runtime("there") as there:
        network = InMemory(here, there)

        async def driver() -> None:
            scenario.name(otp.self(), "obs")
            try:
                await s31(scenario, here, there, network)
            finally:
                done.set()

        with here.active():
            otp.spawn(driver)
        await done.wait()
    return scenario.lines


async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await played() == golden("s31_distribution")
