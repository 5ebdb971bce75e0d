"""PartitionSupervisor: copies of a child, picked by key (SEMANTICS 1.6)."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import supervisors as otp
from supervisors import (
    Agent,
    BadArg,
    CallExit,
    GenServer,
    PartitionSupervisor,
    StartError,
    SupervisorError,
    _partition_supervisor,
)


def test_the_docstring() -> None:
    assert doctest.testmod(_partition_supervisor) == (0, 4)


def via(key: Any, name: Any = "p") -> tuple[Any, ...]:
    return ("via", PartitionSupervisor, (name, key))


@given(
    keys=st.lists(st.one_of(st.integers(), st.text(), st.tuples(st.integers()))),
    n=st.integers(1, 5),
)
def test_a_key_always_finds_the_same_copy(keys: list[Any], n: int) -> None:
    async def body() -> None:
        sup = await PartitionSupervisor.start_link(Agent.child_spec(int), name="p", partitions=n)
        assert PartitionSupervisor.partitions("p") == PartitionSupervisor.partitions(sup) == n
        children = {child.id: child.pid for child in await otp.which_children("p")}
        assert sorted(children) == list(range(n))
        assert len(set(children.values())) == n
        for key in keys:
            found = otp.whereis(via(key))
            assert found is otp.whereis(via(key, sup))
            assert found in children.values()
            if isinstance(key, int):
                assert found is children[abs(key) % n]

    otp.run(body)


def test_each_copy_can_have_arguments_of_its_own(as_process: Any) -> None:
    async def body() -> Any:
        await PartitionSupervisor.start_link(
            Agent.child_spec(lambda *args: args, "shared"),
            name="p",
            partitions=2,
            with_arguments=lambda args, number: [*args, number],
        )
        return [await Agent.get(via(key), lambda value: value) for key in (0, 1, 2)]

    assert as_process(body) == [("shared", 0), ("shared", 1), ("shared", 0)]


def test_a_copy_is_not_found_while_it_is_restarted(as_process: Any) -> None:
    class Slow(GenServer):
        async def init(self, starts: list[int]) -> Any:
            starts.append(1)
            if len(starts) > 2:
                await trio.sleep(5)
            return "ok", len(starts)

        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            return "reply", state, state

        def handle_info(self, message: Any, state: Any) -> Any:
            return "noreply", message

    async def body() -> None:
        await PartitionSupervisor.start_link(Slow.child_spec([]), name="p", partitions=2)
        assert [await otp.call(via(key), "state") for key in (0, 1)] == [1, 2]
        first = otp.whereis(via(0))
        assert first is not None
        otp.exit(first, "kill")
        await trio.sleep(1)
        assert otp.whereis(via(0)) is None
        with pytest.raises(CallExit) as lost:
            await otp.call(via(0), "state")
        assert lost.value.cause == "noproc"
        with pytest.raises(BadArg, match="does not run"):
            PartitionSupervisor.send(("p", 0), "hello")
        assert await otp.call(via(1), "state") == 2
        await trio.sleep(5)
        PartitionSupervisor.send(("p", 0), "hello")
        assert await otp.call(via(0), "state") == "hello"

    as_process(body)


def test_wrong_use_is_told(as_process: Any) -> None:
    async def body() -> None:
        otp.trap_exit()
        spec = Agent.child_spec(int)
        await PartitionSupervisor.start_link(spec, name="p", partitions=1)
        with pytest.raises(StartError) as refused:
            await Agent.start(int, name=via(7))
        assert refused.value.reason == ("already_started", otp.whereis(via(7)))
        await otp.terminate_child("p", 0)
        before = otp.current_runtime().processes()
        for start in (Agent.start, Agent.start_link):
            with pytest.raises(BadArg, match="the supervisor starts its copies"):
                await start(int, name=via(7))
        assert otp.current_runtime().processes() == before
        with pytest.raises(BadArg, match="keeps its copies"):
            PartitionSupervisor.unregister_name(("p", 7))
        await Agent.start(int, name="agent")
        for nobody in ("nobody", "agent"):
            with pytest.raises(BadArg, match="is no partition supervisor"):
                PartitionSupervisor.whereis_name((nobody, 1))
        with pytest.raises(BadArg, match="picks no partition"):
            PartitionSupervisor.whereis_name("p")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="whole number >= 1"):
            await PartitionSupervisor.start_link(spec, name="q", partitions=0)
        with pytest.raises(SupervisorError, match="missing_start"):
            await PartitionSupervisor.start_link({"id": 1}, name="q")
        with pytest.raises(StartError) as refused:
            await PartitionSupervisor.start_link(spec, name="p")
        assert refused.value.reason == ("already_started", otp.whereis("p"))

    as_process(body)


def test_under_a_supervisor(as_process: Any) -> None:
    class Tree(otp.Supervisor):
        def init(self) -> Any:
            return otp.SupFlags(), [
                PartitionSupervisor.child_spec(Agent.child_spec(int), name="p", partitions=2)
            ]

    async def body() -> Any:
        tree = await Tree.start_link()
        (child,) = await otp.which_children(tree)
        info = otp.process_info(child.pid)
        assert info is not None
        return child.id, child.type, info.initial_call, (await otp.count_children("p")).active

    call = "supervisors._partition_supervisor:PartitionSupervisor"
    assert as_process(body) == ("p", "supervisor", call, 2)


def test_a_temporary_copy_that_ended_moves_no_key_to_another() -> None:
    async def body() -> None:
        await PartitionSupervisor.start_link(
            Agent.child_spec(int, restart="temporary"), name="p", partitions=3
        )
        first, second = (otp.whereis(via(n)) for n in (3, 4))
        assert first is not None
        await otp.stop(first)
        assert [otp.whereis(via(n)) for n in (3, 4)] == [None, second]
        assert PartitionSupervisor.partitions("p") == 3
        for n in (1, 2):
            await otp.stop(via(n))
        assert otp.whereis(via(0)) is None

    otp.run(body)
