"""A name whose holder is about to end is waited for; any other is taken (G2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    ChildSpec,
    GenServer,
    StartError,
    Supervisor,
    SupFlags,
    exit_signal,
    proc_lib,
)


class Slow(GenServer):
    """Traps exits and takes a while to end."""

    async def init(self) -> Any:
        otp.trap_exit()
        return "ok", None

    async def terminate(self, reason: Any, state: Any) -> None:
        await trio.sleep(2)


class Inner(Supervisor):
    def init(self) -> Any:
        return SupFlags(), [Slow.child_spec(name="slow", shutdown=10.0)]


class Outer(Supervisor):
    def init(self) -> Any:
        return SupFlags(intensity=0), [Inner.child_spec(name="inner")]


class Top(Supervisor):
    def init(self) -> Any:
        return SupFlags(intensity=1), [Outer.child_spec(name="outer")]


def test_the_replacement_of_a_killed_supervisor_waits_for_its_children(as_process):
    """Neither intensity 0 below nor 1 above would bear a single failed start."""

    async def main():
        await Top.start_link()
        slow = otp.whereis("slow")
        exit_signal("outer", "kill")
        await trio.sleep(1)
        assert otp.whereis("slow") is slow
        await trio.sleep(2)
        assert otp.whereis("outer") is not None
        assert otp.whereis("slow") not in (None, slow)

    as_process(main)


def test_a_coroutine_that_unwinds_is_waited_for(as_process):
    async def holder() -> None:
        proc_lib.init_ack()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async def main():
        first = await proc_lib.start(holder, name="held")
        with pytest.raises(StartError) as caught:
            await proc_lib.start(holder, name="held")
        assert caught.value.reason == ("already_started", first)
        exit_signal(first, "kill")
        before = trio.current_time()
        second = await proc_lib.start(holder, name="held")
        assert second is not first
        assert trio.current_time() - before == pytest.approx(1)

    as_process(main)


def test_a_server_started_without_a_link_is_nobodys_orphan(as_process):
    class Free(GenServer):
        def init(self) -> Any:
            otp.trap_exit()
            return "ok", None

    async def main():
        async def starter() -> None:
            await Free.start(name="free")

        _, ref = otp.spawn_monitor(starter)
        await otp.receive(lambda m: m[1] is ref)
        with pytest.raises(StartError) as caught:
            await Free.start(name="free")
        assert caught.value.reason == ("already_started", otp.whereis("free"))

    as_process(main)


def test_a_child_spec_by_name_is_a_child_spec():
    assert isinstance(Slow.child_spec(name="slow"), ChildSpec)
