"""Starts with a monitor: whoever starts hears of the end, however soon it comes (1.2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    Exit,
    GenServer,
    GenStateMachine,
    Ignore,
    Pid,
    Ref,
    StartError,
    gen_event,
    proc_lib,
    receive,
    spawn_monitor,
    trap_exit,
)


async def ready(extra: Any = None, *, until: str = "end") -> None:
    proc_lib.init_ack(extra)
    await receive(lambda message: message == until)


async def down_of(ref: Ref) -> tuple[Pid, Any]:
    """The pid and the reason of the one DOWN of a monitor."""
    message = await receive(lambda m: m[0] == "DOWN" and m[1] is ref, timeout=1)
    return message[3], message[4]


async def nothing_left() -> None:
    with pytest.raises(trio.TooSlowError):
        await receive(timeout=1)


@pytest.mark.otp("proc_lib", "sync_start_monitor")
@pytest.mark.otp("proc_lib", "sync_start_monitor_link")
@pytest.mark.parametrize("link", [False, True])
def test_the_starter_waits_and_hears_of_the_end(as_process, link: bool) -> None:
    async def main() -> None:
        trap_exit()
        pid, ref = await proc_lib.start_monitor(ready, link=link, name="kid")
        assert otp.whereis("kid") is pid
        (same, extra), other = await proc_lib.start_monitor(ready, "extra")
        assert (otp.is_alive(same), extra) == (True, "extra")
        for process, monitor in ((pid, ref), (same, other)):
            otp.send(process, "end")
            assert await down_of(monitor) == (process, "normal")
        if link:
            assert await receive(timeout=0) == ("EXIT", pid, "normal")
        await nothing_left()

    as_process(main)


@pytest.mark.otp("proc_lib", "sync_start_monitor")
@pytest.mark.otp("proc_lib", "sync_start_monitor_link")
@pytest.mark.parametrize("link", [False, True])
def test_a_failed_start_has_a_down_for_the_reference_it_carries(as_process, link: bool) -> None:
    async def fails(how: Any) -> None:
        how()

    def crash() -> None:
        raise Exit("no_disk")

    async def main() -> None:
        trap_exit()
        for how, told, reason in (
            (crash, "no_disk", "no_disk"),
            (lambda: proc_lib.init_fail("polite", "shutdown"), "polite", "shutdown"),
            (lambda: None, "normal", "normal"),
        ):
            with pytest.raises(StartError) as failed:
                await proc_lib.start_monitor(fails, how, link=link)
            assert failed.value.reason == told
            assert (await down_of(failed.value.monitor))[1] == reason
        with pytest.raises(Ignore) as ignored:
            await proc_lib.start_monitor(fails, proc_lib.init_ignore, link=link)
        assert (await down_of(ignored.value.monitor))[1] == "normal"
        await nothing_left()  # no EXIT either: the start has consumed it (OTP 26)

    as_process(main)


@pytest.mark.otp("proc_lib", "sync_start_monitor_link_timeout")
@pytest.mark.parametrize("link", [False, True])
def test_a_monitored_start_that_takes_too_long(as_process, link: bool) -> None:
    async def main() -> None:
        trap_exit()
        with pytest.raises(StartError) as failed:
            await proc_lib.start_monitor(trio.sleep, 10, link=link, timeout=2)
        assert failed.value.reason == "timeout"
        assert trio.current_time() == pytest.approx(2)
        pid, reason = await down_of(failed.value.monitor)
        assert (otp.is_alive(pid), reason) == (False, "killed")
        await nothing_left()

    as_process(main)


def test_no_process_no_monitor(as_process) -> None:
    async def main() -> None:
        pid, _ = await proc_lib.start_monitor(ready, name="kid")
        with pytest.raises(StartError) as failed:
            await proc_lib.start_monitor(ready, name="kid")
        assert failed.value.reason == ("already_started", pid)
        assert failed.value.monitor is None
        with trio.move_on_after(1):
            await proc_lib.start_monitor(trio.sleep_forever)
        await nothing_left()  # a start that was cancelled is nobody's

    as_process(main)


@pytest.mark.otp("proc_lib", "spawn_opt")
def test_spawn_opt_links_and_monitors_as_asked(as_process) -> None:
    async def ends() -> None:
        raise Exit("done")

    async def starter(options: dict[str, Any]) -> None:
        trap_exit()
        started = otp.proc_lib.spawn_opt(ends, label="short", **options)
        pid = started[0] if options.get("monitor") else started
        assert otp.process_info(pid).initial_call.endswith("ends")
        assert otp.process_info(pid).label == "short"
        heard = []
        with pytest.raises(trio.TooSlowError):
            while True:
                heard.append(await receive(timeout=1))
        expected = []
        if options.get("link"):
            expected.append(("EXIT", pid, "done"))
        if options.get("monitor"):
            tag = options.get("tag", "DOWN")
            expected.append((tag, started[1], "process", pid, "done"))
        assert heard == expected

    async def main() -> None:
        for options in (
            {},
            {"link": True},
            {"monitor": True},
            {"link": True, "monitor": True, "tag": "gone"},
        ):
            _, ref = spawn_monitor(starter, options)
            assert (await receive(lambda m, ref=ref: m[1] is ref))[4] == "normal"
        with pytest.raises(TypeError, match="async function"):
            proc_lib.spawn_opt(print)

    as_process(main)


@pytest.mark.otp("proc_lib", "otp_6345")
def test_a_start_takes_no_monitor_option(as_process) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="monitor"):
            await proc_lib.start(ready, monitor=True)

    as_process(main)


# --- behaviours -----------------------------------------------------------------------------


class Plain(GenServer):
    def init(self, answer: Any) -> Any:
        return answer

    def handle_continue(self, term: Any, state: Any) -> Any:
        return "stop", term, state


class Async(Plain):
    async def init(self, answer: Any) -> Any:
        await trio.sleep(1 if answer != "hang" else 100)
        return answer


class Machine(GenStateMachine):
    def callback_mode(self) -> Any:
        return "handle_event_function"

    def init(self, answer: Any) -> Any:
        match answer:
            case ("ok", None, ("continue", term)):
                return "ok", "on", term, [("next_event", "internal", "go")]
            case ("ok", None):
                return "ok", "on", None
        return answer

    def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        return "stop", data


class AsyncMachine(Machine):
    async def init(self, answer: Any) -> Any:
        await trio.sleep(1 if answer != "hang" else 100)
        return super().init(answer)


@pytest.mark.parametrize("behaviour", [Plain, Async, Machine, AsyncMachine])
def test_behaviours_start_with_a_monitor(as_process, behaviour: Any) -> None:
    async def main() -> None:
        trap_exit()
        pid, ref = await behaviour.start_monitor(("ok", None), name="it")
        assert otp.whereis("it") is pid
        with pytest.raises(StartError, match="already_started"):
            await behaviour.start_monitor(("ok", None), name="it")
        otp.exit_signal(pid, "kill")
        assert await down_of(ref) == (pid, "killed")
        # one that ends at once, in what follows its init, still says why
        pid, ref = await behaviour.start_monitor(("ok", None, ("continue", "shutdown")))
        assert await down_of(ref) == (pid, "shutdown")
        for answer, refusal in (
            (("stop", "no"), StartError),
            (("error", "no"), StartError),
            ("ignore", Ignore),
        ):
            with pytest.raises(refusal):
                await behaviour.start_monitor(answer)
        await nothing_left()  # a failed start takes its DOWN back, and links nobody
        assert otp.process_info(otp.self(), "monitors") == ()

    as_process(main)


@pytest.mark.parametrize("behaviour", [Async, AsyncMachine])
def test_a_monitored_behaviour_that_takes_too_long(as_process, behaviour: Any) -> None:
    async def main() -> None:
        with pytest.raises(StartError, match="timeout"):
            await behaviour.start_monitor("hang", timeout=3)
        await nothing_left()

    as_process(main)


def test_an_event_manager_starts_with_a_monitor(as_process) -> None:
    async def main() -> None:
        pid, ref = await gen_event.start_monitor(name="events")
        await gen_event.stop("events", "shutdown")
        assert await down_of(ref) == (pid, "shutdown")

    as_process(main)
