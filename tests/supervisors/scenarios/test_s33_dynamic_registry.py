"""S33: DynamicSupervisor, Registry and PartitionSupervisor answer as Elixir's do."""

from __future__ import annotations

from typing import Any

import supervisors as otp
from supervisors import (
    Agent,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    PartitionSupervisor,
    Pid,
    Registry,
    StartError,
)

from ...conftest import require_program
from .elixir import Recorder, elixirs_own, play
from .harness import answer, golden

NAME = "s33_elixir_dynamic_registry"


class Echo(GenServer):
    """Knows what it was started with."""

    def init(self, extra: Any, own: Any) -> Any:
        return "ok", (extra, own)

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", state, state


async def no_pid() -> str:
    return "nonode@nohost"


async def s33(s: Recorder) -> None:
    otp.trap_exit()
    dynamic = await DynamicSupervisor.start_link(max_children=2)
    child = ChildSpec("same", (Agent.start_link, (lambda: 0,)))
    first = await otp.start_child(dynamic, child)
    second = await otp.start_child(dynamic, child)
    s.obs("same_id_again", ("ok", "pid") if isinstance(second, Pid) else second)
    s.obs("max_children", await answer(otp.start_child(dynamic, child)))
    counts = await otp.count_children(dynamic)
    s.obs("count", counts._asdict())
    s.obs("terminate", await answer(otp.terminate_child(dynamic, first)))
    s.obs("terminate_dead", await answer(otp.terminate_child(dynamic, first)))
    s.obs("bad_return", (await answer(otp.start_child(dynamic, ChildSpec(1, (no_pid, ())))))[0])

    extra = await DynamicSupervisor.start_link(extra_arguments=["extra"])
    echo = await otp.start_child(extra, ChildSpec(1, (Echo.start_link, ("own",))))
    s.obs("extra_arguments_first", await otp.call(echo, "args"))
    try:
        await DynamicSupervisor.start_link(strategy="one_for_all")
    except StartError as refused:
        s.obs("bad_strategy", ("error", refused.reason))

    await Registry.start_link(name="r")
    via = ("via", Registry, ("r", "k"))
    agent = await Agent.start(lambda: 1, name=via)
    try:
        await Agent.start(lambda: 2, name=via)
    except StartError as refused:
        s.obs("via_taken", refused.reason == ("already_started", agent))
    s.obs("lookup", Registry.lookup("r", "k") == [(agent, None)])
    await Agent.stop(agent)
    s.obs("lookup_after_death", Registry.lookup("r", "k"))

    await Registry.start_link(keys="duplicate", name="d")
    Registry.register("d", "t", 1)
    Registry.register("d", "t", 2)

    def tell(entries: list[tuple[Pid, Any]]) -> None:
        for pid, value in entries:
            otp.send(pid, ("got", value))

    Registry.dispatch("d", "t", tell)
    s.obs("dispatch", sorted([(await otp.receive())[1] for _ in range(2)]))
    Registry.unregister("d", "t")
    s.obs("unregister", ("ok", Registry.lookup("d", "t")))

    await PartitionSupervisor.start_link(Agent.child_spec(lambda: "x"), name="p", partitions=3)

    def who(key: int) -> Pid | None:
        return otp.whereis(("via", PartitionSupervisor, ("p", key)))

    assert who(1) is not None
    s.obs("partition_route", (who(1) == who(4), who(-1) == who(1), who(0) == who(1)))
    s.obs("partition_ids", sorted(child.id for child in await otp.which_children("p")))


def test_as_elixir_does() -> None:
    assert play(s33) == golden(NAME)


def test_as_the_installed_elixir_does() -> None:
    program = require_program("elixir", "install elixir to compare with it")
    assert play(s33) == elixirs_own(program, NAME)
