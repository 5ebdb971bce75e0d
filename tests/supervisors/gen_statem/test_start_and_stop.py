"""Machines start and end as servers do: G1, G2, G8, G19 (gen_statem_SUITE)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    ChildSpec,
    Exit,
    GenStateMachine,
    Ignore,
    StartError,
    Supervisor,
    SupFlags,
    Throw,
    cast,
    exit_signal,
    gen_statem,
    receive,
    sys,
    trap_exit,
)
from supervisors.testing import end_of, wait_all_blocked

from ..lives import raises
from .switches import AsyncSwitch, Switch, suite


def test_the_kind_follows_from_the_callbacks():
    assert Switch.is_plain
    assert not AsyncSwitch.is_plain


def test_self_cannot_keep_state():
    with pytest.raises(AttributeError, match=r"Switch\.count cannot be assigned"):
        Switch.instance.count = 1


@suite("start1", "start2", "start6", "start8", "start9", "start11")
def test_start(as_process, machine):
    """G1, G2, G19: in all its forms."""

    async def main():
        assert otp.is_alive(await machine.start())
        linked = await machine.start_link()
        assert linked in otp.process_info(otp.self()).links
        named = await machine.start_link(name="switch")
        assert otp.whereis("switch") is named
        assert await gen_statem.call("switch", "flip") == "on"
        for start in (machine.start, machine.start_link):
            with pytest.raises(StartError) as taken:
                await start(name="switch")
            assert taken.value.reason == ("already_started", named)

        class Keeper:
            """A module of names."""

            pids: dict[Any, Any] = {}

            def register_name(self, term: Any, pid: Any) -> str:
                return "yes" if self.pids.setdefault(term, pid) is pid else "no"

            def unregister_name(self, term: Any) -> None:
                self.pids.pop(term, None)

            def whereis_name(self, term: Any) -> Any:
                return self.pids.get(term)

        via = ("via", Keeper(), ("any", "term"))
        pid = await machine.start(name=via)
        assert await gen_statem.call(via, "flip") == "on"
        await gen_statem.stop(pid)

    as_process(main)


@suite("start7", "start10", "stop6")
def test_global_names(as_process, machine):
    async def main():
        name = ("global", "switch")
        pid = await machine.start(name=name)
        assert await gen_statem.call(name, "flip") == "on"
        with pytest.raises(StartError) as taken:
            await machine.start(name=name)
        assert taken.value.reason == ("already_started", pid)
        await gen_statem.stop(name)
        with pytest.raises(CallExit) as gone:
            await gen_statem.call(name, "flip")
        assert gone.value.cause == "noproc"

    as_process(main)


@suite("start3")
def test_a_start_that_takes_too_long(as_process):
    class Hangs(AsyncSwitch):
        async def init(self) -> Any:
            await trio.sleep_forever()

    async def main():
        with pytest.raises(StartError) as late:
            await Hangs.start(timeout=2)
        assert late.value.reason == "timeout"

    as_process(main)


@suite("start4", "start5")
@pytest.mark.parametrize(
    ("value", "told"),
    [
        (("stop", "no_disk"), "no_disk"),
        (("error", "no_disk"), "no_disk"),
        (("ok", "off"), ("bad_return_from_init", ("ok", "off"))),
        ("nonsense", ("bad_return_from_init", "nonsense")),
        (raises(Throw(("stop", "thrown"))), "thrown"),
        (raises(Exit("left")), "left"),
    ],
)
def test_init_that_refuses(as_process, machine, value, told):
    async def main():
        with pytest.raises(StartError) as refused:
            await machine.start(value, name="switch")
        assert refused.value.reason == told
        assert otp.whereis("switch") is None
        with pytest.raises(Ignore):
            await machine.start("ignore")

    as_process(main)


def test_a_machine_without_a_mode_or_with_a_bad_one(as_process):
    """T7: it has been acknowledged by then, as in OTP."""

    class NoMode(GenStateMachine):
        def init(self) -> Any:
            return "ok", "a", 0

    class BadMode(NoMode):
        def callback_mode(self) -> Any:
            return ["state_functions", "nonsense"]

    async def main():
        assert not otp.is_alive(await NoMode.start())
        trap_exit()
        pid = await BadMode.start_link()
        _, dead, ((term, mode), _stack) = await receive()
        assert dead is pid
        assert (term, mode) == (
            "bad_return_from_callback_mode",
            ["state_functions", "nonsense"],
        )

    as_process(main)


def test_child_of_a_supervisor(as_process, machine):
    class Tree(Supervisor):
        def init(self, specs: list[ChildSpec]) -> Any:
            return SupFlags(intensity=3), specs

    async def main():
        spec = machine.child_spec(name="switch")
        assert spec.id == "switch"
        assert machine.child_spec().id == machine.__qualname__
        tree = await Tree.start_link([spec])
        first = otp.whereis("switch")
        cast("switch", raises(RuntimeError("oops")))
        await trio.sleep(1)
        second = otp.whereis("switch")
        assert second is not None
        assert second is not first
        assert await sys.get_state("switch") == ("off", [])
        assert (await otp.which_children(tree))[0].pid is second

    as_process(main)


@suite("stop1", "stop2", "stop4")
def test_stop(as_process, machine):
    async def main():
        seen: list[Any] = []
        data = [lambda reason, state: seen.append((reason, state))]
        pid = await machine.start(("ok", "off", data))
        await gen_statem.stop(pid)
        pid = await machine.start(("ok", "on", data), name="switch")
        await gen_statem.stop("switch", "other")
        assert not otp.is_alive(pid)
        assert seen == [("normal", "off"), ("other", "on")]
        for gone in (pid, "switch"):
            with pytest.raises(Exit) as exit_:
                await gen_statem.stop(gone)
            assert exit_.value.reason == "noproc"

    as_process(main)


@suite("shutdown")
def test_an_orderly_end_is_not_reported(as_process, machine):
    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        trap_exit()
        for reason in ("normal", "shutdown", ("shutdown", "why")):
            pid = await machine.start_link()
            cast(pid, lambda *_, reason=reason: ("stop", reason))
            assert (await receive())[2] == reason
        assert reports == []

    as_process(main)


def test_exit_of_the_parent_ends_it_through_terminate(as_process, machine):
    """G8."""

    async def main():
        seen: list[Any] = []

        def init() -> Any:
            trap_exit()
            return "ok", "off", [lambda reason, state: seen.append((reason, state))]

        async def parent() -> None:
            pids.append(await machine.start_link(init))
            raise Exit("parents_reason")

        pids: list[Any] = []
        otp.spawn(parent)
        await trio.sleep(1)
        assert not otp.is_alive(pids[0])
        assert seen == [("parents_reason", "off")]

    as_process(main)


def test_a_killed_machine_leaves_nothing(as_process, machine):
    async def main():
        timers = otp.current_runtime().timers
        before = len(timers)
        pid = await machine.start(("ok", "off", [], [("state_timeout", 5, "never")]), name="s")
        await wait_all_blocked()
        assert len(timers) == before + 1
        assert await end_of(pid, lambda: exit_signal(pid, "kill")) == "killed"
        assert otp.whereis("s") is None
        await trio.sleep(10)
        assert len(timers) == before

    as_process(main)
