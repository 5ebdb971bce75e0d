"""Exit reasons that cannot be compared, as arrays cannot: terms like any other (K8)."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

import supervisors as otp
from supervisors import (
    CallExit,
    Exit,
    GenEvent,
    GenServer,
    Supervisor,
    SupervisorReport,
    SupFlags,
    call,
    cast,
    gen_event,
)
from supervisors.testing import end_of, events, wait_all_blocked


class Incomparable:
    def __eq__(self, other: object) -> NoReturn:
        raise ValueError("not one truth value but many")

    def __repr__(self) -> str:
        raise ValueError("nor can it be shown")

    __str__ = __repr__
    __hash__ = object.__hash__


class Plain(GenServer):
    def init(self, reason: Any, trap: bool = False) -> Any:
        if trap:
            otp.trap_exit()
        return "ok", reason

    def handle_call(self, request: Any, from_: Any, reason: Any) -> Any:
        raise Exit(reason)

    def handle_cast(self, request: Any, reason: Any) -> Any:
        return "stop", reason, reason

    def handle_info(self, message: Any, reason: Any) -> Any:
        return "noreply", reason


class Waits(Plain):
    async def handle_info(self, message: Any, reason: Any) -> Any:
        return "noreply", reason


@pytest.mark.parametrize("server", [Plain, Waits])
@pytest.mark.parametrize("reason", [Incomparable(), (Incomparable(), "detail")])
def test_every_way_to_end_with_one(as_process, server, reason):
    async def body() -> None:
        otp.trap_exit()
        with pytest.raises(CallExit) as failed:
            await call(await server.start(reason), "exit")
        assert failed.value.cause is reason
        pid = await server.start(reason)
        assert await end_of(pid, lambda: cast(pid, "stop")) is reason
        signalled = await server.start_link(None)
        otp.exit_signal(signalled, reason)
        assert (await otp.receive())[2] is reason
        trapping = await server.start(None, True)
        otp.exit_signal(trapping, reason)
        assert otp.is_alive(trapping)

    as_process(body)


@pytest.mark.parametrize("server", [Plain, Waits])
@pytest.mark.parametrize("restart", ["permanent", "transient"])
def test_a_supervisor_restarts_after_one(as_process, server, restart):
    class Top(Supervisor):
        def init(self) -> Any:
            return SupFlags(), [server.child_spec(Incomparable(), name="child", restart=restart)]

    async def body() -> None:
        await Top.start_link()
        old = otp.whereis("child")
        cast("child", "stop")
        await wait_all_blocked()
        assert otp.whereis("child") not in (None, old)

    as_process(body)


@pytest.mark.parametrize("strategy", ["one_for_one", "simple_one_for_one"])
def test_a_supervisor_stops_children_that_end_with_one(as_process, strategy):
    class Stubborn(Plain):
        def terminate(self, reason: Any, state: Any) -> NoReturn:
            raise Exit(state)

    class Top(Supervisor):
        def init(self) -> Any:
            specs = [Stubborn.child_spec(Incomparable(), True, id="a")]
            return SupFlags(strategy=strategy), specs

    async def body() -> None:
        top = await Top.start_link()
        if strategy == "simple_one_for_one":
            await otp.start_child(top, [])
        with events() as seen:
            await otp.stop(top)
        assert [r.context for r in seen.of(SupervisorReport)] == ["shutdown_error"]

    as_process(body)


def test_a_message_that_cannot_be_shown_costs_nobody_anything(as_process):
    class Bare(GenServer):
        pass

    class Listens(GenEvent):
        pass

    class Top(Supervisor):
        def init(self) -> Any:
            return SupFlags(), []

    async def body() -> None:
        top = await Top.start_link()
        otp.send(top, Incomparable())
        otp.send(top, ("EXIT", otp.self(), Incomparable(), Incomparable()))
        manager = await gen_event.start()
        await gen_event.add_handler(manager, Listens)
        bare = await Bare.start()
        for pid in (manager, bare):
            otp.send(pid, Incomparable())
        await wait_all_blocked()
        assert otp.is_alive(top)
        assert otp.is_alive(bare)
        assert await gen_event.which_handlers(manager) == [Listens]

    as_process(body)
