"""Starts: what `init` may answer, and what the starter is told (G1, G2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    Exit,
    GenServer,
    Ignore,
    StartError,
    Throw,
    call,
    exit_signal,
    receive,
    self,
    spawn_monitor,
    trap_exit,
)
from supervisors.testing import wait_all_blocked

from ..lives import raises
from .servers import Async, Plain


def test_the_kind_follows_from_the_callbacks():
    assert Plain.is_plain
    assert not Async.is_plain


def test_self_cannot_keep_state():
    class Keeps(GenServer):
        def init(self):
            self.count = 0

    with pytest.raises(StartError, match=r"Keeps\.count cannot be assigned"):
        otp.run(Keeps.start)


@pytest.mark.parametrize(
    ("value", "told", "ended"),
    [
        (("stop", "no_disk"), "no_disk", "no_disk"),
        (("error", "no_disk"), "no_disk", "normal"),
        ("nonsense", ("bad_return_value", "nonsense"), ("bad_return_value", "nonsense")),
        (("ok",), ("bad_return_value", ("ok",)), ("bad_return_value", ("ok",))),
    ],
)
@pytest.mark.otp("gen_server", "start")
def test_init_that_refuses(as_process, server, value, told, ended):
    """G1: what the starter is told and what the process ends with; G2: the name is free."""

    async def main():
        ends: list[Any] = []

        async def watch() -> None:
            trap_exit()
            _exit, _pid, reason = await receive()
            ends.append(reason)

        watcher = otp.spawn(watch)
        await wait_all_blocked()

        def init() -> Any:
            otp.link(watcher)
            return value

        with pytest.raises(StartError) as caught:
            await server.start(init, name="busy")
        assert caught.value.reason == told
        assert otp.whereis("busy") is None
        await wait_all_blocked()
        assert ends == [ended]

    as_process(main)


def test_exit_reason_of_a_refused_start(as_process, server):
    """G1: `stop` ends with its reason, `error` and `ignore` with normal."""

    async def main():
        for value, expected in [
            (("stop", "no_disk"), "no_disk"),
            (("error", "no_disk"), "normal"),
            ("ignore", "normal"),
        ]:
            trap_exit(False)

            async def starter(value: Any = value) -> None:
                try:
                    await server.start_link(lambda: value)
                except (StartError, Ignore):
                    await trio.sleep(1)
                    raise Exit("survived") from None

            _, ref = spawn_monitor(starter)
            got = (await receive(lambda m, ref=ref: m[1] is ref))[4]
            assert got == ("survived" if expected == "normal" else expected)

    as_process(main)


def test_a_trapping_starter_gets_no_exit_of_a_failed_start(as_process, server):
    """OTP 26: the start function consumes it."""

    async def main():
        trap_exit()
        with pytest.raises(StartError):
            await server.start_link(lambda: ("stop", "bad"))
        with pytest.raises(Ignore):
            await server.start_link(lambda: "ignore")
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


@pytest.mark.parametrize("linked", [False, True])
def test_a_deadly_signal_while_init_runs(as_process, server, linked):
    """The start fails with its reason; a trapping starter gets no EXIT of it (OTP 26)."""

    async def main():
        trap_exit()
        start = server.start_link if linked else server.start

        def init() -> Any:
            exit_signal(self(), "kill")
            return "ok", None

        with pytest.raises(StartError) as caught:
            await start(init, name="doomed")
        assert caught.value.reason == "killed"
        assert otp.whereis("doomed") is None
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


def test_init_that_raises(as_process, server):
    async def main():
        boom = ValueError("boom")
        with pytest.raises(StartError) as caught:
            await server.start(raises(boom))
        assert caught.value.reason[0] is boom
        assert str(caught.value) == "ValueError: boom"
        with pytest.raises(StartError) as caught:
            await server.start(raises(Exit("gone")))
        assert caught.value.reason == "gone"
        pid = await server.start(raises(Throw(("ok", ["thrown"]))))
        assert await call(pid, "state") == ["thrown"]

    as_process(main)


@pytest.mark.otp("gen_server", "start")
def test_a_taken_name(as_process, server):
    """G2: already_started, init not called."""

    async def main():
        pid = await server.start(name="one")
        with pytest.raises(StartError) as caught:
            await server.start(raises(AssertionError("init ran")), name="one")
        assert caught.value.reason == ("already_started", pid)

    as_process(main)


def test_async_init_that_takes_too_long(as_process):
    class Slow(GenServer):
        async def init(self) -> Any:
            await trio.sleep(60)

    async def main():
        with pytest.raises(StartError) as caught:
            await Slow.start(timeout=1, name="slow")
        assert caught.value.reason == "timeout"
        assert otp.whereis("slow") is None

    as_process(main)
