"""Reports nobody has subscribed to are printed by `run`, whatever they show."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import GenServer, Supervisor, SupFlags, WarningReport, testing
from supervisors._printing import BURST, WINDOW, Printer
from supervisors.alarm_handler import AlarmReport


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")


class Leaves:
    def __repr__(self) -> str:
        raise SystemExit(3)


class Server(GenServer):
    def init(self, state: Any = None) -> Any:
        return "ok", state

    def handle_cast(self, request: Any, state: Any) -> Any:
        raise ValueError("on purpose")


class Top(Supervisor):
    def init(self) -> Any:
        return SupFlags(), [Server.child_spec(name="server")]


async def crash(state: Any = None) -> None:
    _, ref = await Server.start_monitor(state, name="server")
    otp.cast("server", "bang")
    await otp.receive(lambda message: message[1] is ref)


def heads(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(" ")]


def test_a_crash_under_a_supervisor_is_told_block_by_block(capsys: Any) -> None:
    async def main() -> Any:
        top = await Top.start_link()
        pid = otp.whereis("server")
        ref = otp.monitor("server")
        otp.cast("server", "bang")
        await otp.receive(lambda message: message[1] is ref)
        await otp.which_children(top)  # answered when the restart is done
        return pid, top

    pid, top = otp.run(main)
    out, err = capsys.readouterr()
    assert out == ""
    name = f"server ({__name__}:Server)"
    assert heads(err) == [
        f"error {pid}: {name} terminates: ValueError: on purpose",
        f"error {pid}: {name} crashed: ValueError: on purpose",
        f"error {top}: supervisor {top}: child_terminated",
    ]
    assert "    last message: 'bang'\n    state: None\n" in err
    assert "in handle_cast\n" in err
    assert f"    child: 'server', {pid}, permanent\n" in err


def test_nothing_is_printed_where_all_is_well(capsys: Any) -> None:
    async def main() -> None:
        top = await Top.start_link()
        otp.exit_signal(otp.spawn(otp.receive), "kill")
        await Server.start(name="another")
        await otp.stop("another", "shutdown")
        await otp.terminate_child(top, "server")

    otp.run(main)
    assert capsys.readouterr().err == ""


def test_who_subscribes_hears_it_instead(capsys: Any) -> None:
    async def main() -> None:
        heard: list[Any] = []
        unsubscribe = otp.current_runtime().subscribe(heard.append)
        await crash()
        assert len(heard) == 2
        assert capsys.readouterr().err == ""
        unsubscribe()
        await crash()
        assert len(heard) == 2
        assert "on purpose" in capsys.readouterr().err

    otp.run(main)


def test_it_can_be_switched_off_and_a_runtime_prints_nothing(capsys: Any) -> None:
    async def opened() -> None:
        async with otp.Runtime():
            ended = trio.Event()

            async def within() -> None:
                await crash()
                ended.set()

            otp.spawn(within)
            await ended.wait()

    otp.run(crash, log=False)
    trio.run(opened)
    testing.run(crash)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("state", [Broken(), [Broken()], {"key": Broken()}, Leaves()])
def test_a_broken_repr_hurts_nobody(capsys: Any, state: Any) -> None:
    otp.run(crash, state)
    err = capsys.readouterr().err
    assert len(heads(err)) == 2
    assert "ValueError: on purpose" in err


def test_a_large_state_is_shown_in_part(capsys: Any) -> None:
    otp.run(crash, {"all": list(range(1_000_000)), "text": "x" * 1_000_000})
    assert len(capsys.readouterr().err) < 5000


def test_strangers_texts_stay_in_their_line(capsys: Any) -> None:
    Printer()(WarningReport(None, "a\nerror forged\x1b[2J", {"a\nb": "c\nd"}))
    assert capsys.readouterr().err.splitlines() == [
        r"warning runtime: a\nerror forged\x1b[2J",
        r"    a\nb: 'c\nd'",
    ]


@pytest.mark.parametrize(
    ("report", "printed"),
    [
        (AlarmReport(None, "set", "disk", "full"), "warning runtime: alarm set: 'disk'\n"),
        (AlarmReport(None, "clear", "disk"), ""),
        (otp.LongSchedule(None, 0.25, "m:f", "at\nline", True), "held the loop for 0.250 s, and"),
        (otp.ApplicationReport(None, "shop", "exited", "permanent", "killed"), "shop ended: kil"),
        (otp.ApplicationReport(None, "shop", "exited", "permanent", "stopped"), ""),
        (otp.ApplicationReport(None, "shop", "started", "permanent"), ""),
        (otp.ProgressReport(None, "top", {}), ""),
    ],
)
def test_from_level_warning_on(capsys: Any, report: Any, printed: str) -> None:
    Printer()(report)
    err = capsys.readouterr().err
    assert printed in err
    assert bool(err) is bool(printed)


def test_of_a_storm_the_beginning_is_printed_and_the_rest_counted(capsys: Any) -> None:
    now = [0.0]
    printer = Printer(lambda: now[0])
    for number in range(BURST + 7):
        printer(WarningReport(None, f"number {number}"))
    assert len(heads(capsys.readouterr().err)) == BURST
    now[0] += 2 * WINDOW
    printer(WarningReport(None, "later"))
    assert heads(capsys.readouterr().err) == [
        "warning: 7 reports more were not printed",
        "warning runtime: later",
    ]
    printer.close()
    assert capsys.readouterr().err == ""


def test_what_was_not_printed_is_said_at_the_end(capsys: Any) -> None:
    async def main() -> None:
        reports = otp.current_runtime().reports
        for number in range(10 * BURST):
            reports.emit(WarningReport(None, f"number {number}"))

    otp.run(main)
    assert heads(capsys.readouterr().err)[-1].endswith("were not printed")


class Shut:
    def write(self, text: str) -> None:
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize("stream", [None, Shut()])
def test_without_standard_error_the_program_goes_on(monkeypatch: Any, stream: Any) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    otp.run(crash)
