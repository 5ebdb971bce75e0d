"""What is shown of a server passes through its format_status: state, message, reason, log (G18)."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import CallExit, ErrorReport, From, GenServer, Throw, call, sys

from ..lives import raises


class Discreet(GenServer):
    """Answers, with a secret in everything it does."""

    def init(self) -> Any:
        return "ok", "secret state"

    def handle_call(self, request: Any, from_: From, state: Any) -> Any:
        match request:
            case ("stop", reason):
                return "stop", reason, state
            case ("crash", text):
                raise ValueError(text)
        return "reply", "secret reply", state

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        shown = {key: (key, "shown") for key, value in status.items() if value is not None}
        return {**status, **shown, "log": [("log", event[0]) for event in status["log"]]}


class AsyncDiscreet(Discreet):
    async def handle_call(self, request: Any, from_: From, state: Any) -> Any:
        return super().handle_call(request, from_, state)


@pytest.mark.otp("gen_server", "format_all_status")
@pytest.mark.parametrize("server", [Discreet, AsyncDiscreet])
@pytest.mark.parametrize("request_", [("stop", "secret reason"), ("crash", "secret reason")])
def test_everything_that_is_shown_passes_through_it(as_process, server: Any, request_: Any) -> None:
    async def main() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await server.start()
        await sys.log(pid, True)
        await call(pid, "secret request")
        status = await sys.get_status(pid)
        assert status["state"] == ("state", "shown")
        assert status["log"] == [("log", "in"), ("log", "out")]
        assert "secret" not in repr(status)
        assert "secret" in repr(await sys.log(pid, "get"))  # who asks for the log itself gets it
        with pytest.raises(CallExit):
            await call(pid, request_)
        (report,) = [r for r in reports if isinstance(r, ErrorReport)]
        assert report.state == ("state", "shown")
        assert report.message == ("message", "shown")
        assert report.reason == ("reason", "shown")
        assert report.log == [("log", "in"), ("log", "out"), ("log", "in")]
        assert "secret" not in repr(report)

    as_process(main)


@pytest.mark.otp("gen_server", "error_format_status")
@pytest.mark.otp("gen_server", "crash_in_format_status")
@pytest.mark.otp("gen_server", "throw_in_format_status")
def test_format_status_guards_what_is_shown(as_process: Any) -> None:
    """G18."""

    class Secretive(GenServer):
        def init(self, fn: Any) -> Any:
            return "ok", (fn, "secret")

        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            raise ValueError("boom")

        def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
            return status["state"][0](status)

    async def main() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        for fn in [
            lambda s: {**s, "state": "hidden"},
            raises(KeyError("x")),
            raises(Throw({"state": "thrown"})),
            lambda s: {"state": "keys missing"},
        ]:
            pid = await Secretive.start(fn)
            assert "secret" not in str((await sys.get_status(pid))["state"])
            with pytest.raises(CallExit):
                await call(pid, "x")
        errors = [r for r in reports if isinstance(r, ErrorReport)]
        assert [e.state for e in errors] == ["hidden", *["format_status failed"] * 3]

    as_process(main)
