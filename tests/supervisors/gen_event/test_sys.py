"""A manager under `sys`, and what is shown of its handlers: state, status, report, new code."""

from __future__ import annotations

import sys as python
from typing import Any

import pytest

import supervisors as otp
from supervisors import GenEvent, HandlerReport, WarningReport, gen_event, sys

from .handlers import Deaf, Echo, heard


class Secret(GenEvent):
    """Its state is nobody's business."""

    def handle_event(self, event: Any, state: Any) -> Any:
        raise ValueError("gave up")

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return {**status, "state": "redacted"}


class Careless(Secret):
    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("cannot even redact")


class Reloaded(Deaf):
    """Another class takes its name in a test below."""


def test_suspended_it_keeps_its_events(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo, otp.self())
        await sys.suspend(pid)
        gen_event.notify(pid, 1)
        gen_event.notify(pid, 2)
        assert await sys.get_state(pid) == [(Echo, None, otp.self())]
        await sys.resume(pid)
        assert [await heard(), await heard()] == [("event", 1), ("event", 2)]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "get_state")
def test_sys_shows_every_handler_with_its_state(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Deaf, "one")
        await gen_event.add_handler(pid, (Deaf, 2), "two")
        state = await sys.get_state(pid)
        assert state == [(Deaf, 2, "two"), (Deaf, None, "one")]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "replace_state")
def test_replace_state_asks_for_each_handler_and_keeps_what_fails(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        for id in (1, 2, 3):
            await gen_event.add_handler(pid, (Deaf, id), id)

        def fn(triple: Any) -> Any:
            handler, id, state = triple
            if id == 1:
                raise ValueError("not this one")
            return (handler, id, state * 10) if id == 2 else (handler, "other", 0)

        after = [(Deaf, 3, 3), (Deaf, 2, 20), (Deaf, 1, 1)]
        assert await sys.replace_state(pid, fn) == after
        assert await sys.get_state(pid) == after

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "call_format_status")
@pytest.mark.otp("gen_event_SUITE", "call_format_status_anon")
def test_status_shows_what_each_handler_lets_be_seen(as_process: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await gen_event.start()
        for handler in (Deaf, Secret, Careless):
            await gen_event.add_handler(pid, handler, "password")
        state = (await sys.get_status(pid))["state"]
        assert state == [
            (Careless, None, "format_status failed"),
            (Secret, None, "redacted"),
            (Deaf, None, "password"),
        ]
        assert [r.text for r in reports if isinstance(r, WarningReport)] == [
            "Careless.format_status failed: RuntimeError: cannot even redact"
        ]

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "error_format_status")
def test_the_report_of_a_removed_handler(as_process: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await gen_event.start(name="events")
        await gen_event.add_handler(pid, (Secret, "vault"), "password")
        await gen_event.sync_notify(pid, "open")
        (report,) = [r for r in reports if isinstance(r, HandlerReport)]
        assert report.pid is pid
        assert (report.handler, report.manager) == ((Secret, "vault"), "events")
        assert str(report) == (
            "event handler (Secret, 'vault') in events was removed: (EXIT, ValueError: gave up); "
            "last event 'open'; state 'redacted'"
        )

    as_process(body)


@pytest.mark.otp("gen_event_SUITE", "undef_code_change")
def test_a_handler_loaded_anew_needs_code_change(
    as_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Reloaded, "old")
        await sys.suspend(pid)
        anew = type("Reloaded", (Deaf,), {"__module__": __name__})
        monkeypatch.setattr(python.modules[__name__], "Reloaded", anew)
        with pytest.raises(sys.CodeChangeError, match="has no code_change"):
            await sys.change_code(pid, None, 1, None)
        await sys.resume(pid)
        assert (await gen_event.which_handlers(pid))[0] is not anew
        await sys.suspend(pid)
        anew.code_change = lambda self, old_vsn, state, extra: ("ok", "new")  # type: ignore[attr-defined]
        await sys.change_code(pid, None, 1, None)
        assert await sys.get_state(pid) == [(anew, None, "new")]

    as_process(body)


def test_code_change_migrates_the_handlers_that_can(as_process: Any) -> None:
    class Grows(Deaf):
        def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
            if state == "stuck":
                raise ValueError("cannot go on from here")
            return "ok", (old_vsn, state, extra)

    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Deaf, "kept")
        await gen_event.add_handler(pid, Grows, "old")
        await sys.suspend(pid)
        await sys.change_code(pid, None, 1, "extra")
        migrated = [(Grows, None, (1, "old", "extra")), (Deaf, None, "kept")]
        assert await sys.get_state(pid) == migrated
        await sys.resume(pid)
        await gen_event.add_handler(pid, (Grows, 2), "stuck")
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError, match="cannot go on"):
            await sys.change_code(pid, None, 2, "extra")
        assert await sys.get_state(pid) == [(Grows, 2, "stuck"), *migrated]

    as_process(body)
