"""What is shown of a machine, and how it ends of what it may not do: G18, T7."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    CrashReport,
    ErrorReport,
    GenStateMachine,
    Report,
    Stack,
    cast,
    gen_statem,
    receive,
    sys,
)
from supervisors.testing import end_of


class Told(GenStateMachine):
    """Casts are returned; infos are kept; calls are postponed."""

    def callback_mode(self) -> Any:
        return "handle_event_function"

    def init(self, actions: Any = ()) -> Any:
        return "ok", "a", ["secret"], actions

    def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        match type, content:
            case ("call", _), _:
                return "keep_state_and_data", "postpone"
            case "cast", ("raise", error):
                raise error
            case "cast", _:
                return content
        return "keep_state", [*data, content]


class AsyncTold(Told):
    async def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return super().handle_event(type, content, state, data)


class Discreet(Told):
    """Shows shapes, not contents."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return {
            **status,
            "data": len(status["data"]),
            "message": "hidden",
            "reason": "hidden",
            "queue": [type for type, _ in status["queue"]],
            "postponed": len(status["postponed"]),
            "timeouts": [name for name, _ in status["timeouts"]],
            "log": [event[0] for event in status["log"]],
        }


class AsyncDiscreet(Discreet, AsyncTold):
    pass


@pytest.fixture(params=[Told, AsyncTold])
def machine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[Discreet, AsyncDiscreet])
def discreet(request: pytest.FixtureRequest) -> Any:
    return request.param


def reports() -> list[Report]:
    heard: list[Report] = []
    otp.current_runtime().subscribe(heard.append)
    return heard


def test_a_status_has_what_waits_and_what_runs(as_process, machine) -> None:
    async def main() -> None:
        actions = [("state_timeout", 50, "late"), (("timeout", "tick"), 60, "tock")]
        pid = await machine.start(actions)
        request = gen_statem.send_request(pid, "later")
        await trio.sleep(1)
        status = await sys.get_status(pid)
        assert status["state"] == ("a", ["secret"])
        ((type, content),) = status["postponed"]
        assert (type[0], content) == ("call", "later")
        assert status["queue"] == []
        assert status["timeouts"] == [("state_timeout", "late"), (("timeout", "tick"), "tock")]
        assert status["modules"] == [machine]
        gen_statem.abandon(request)

    as_process(main)


def test_the_modules_of_a_status_are_those_in_force_first(as_process, machine) -> None:
    async def main() -> None:
        pid = await machine.start(("push_callback_module", Discreet))
        status = await sys.get_status(pid)
        assert status["modules"] == [Discreet, machine]
        assert status["state"] == ("a", 1)  # as the module in force wants it shown

    as_process(main)


def test_a_crash_report_has_the_event_that_failed_before_what_was_queued(
    as_process, machine
) -> None:
    async def main() -> None:
        heard = reports()
        pid = await machine.start([("state_timeout", 50, "late")])
        gen_statem.send_request(pid, "later")
        events = [("next_event", "internal", n) for n in (1, 2)]
        await trio.sleep(1)
        cast(pid, ("next_state", "a", [], [*events, ("next_event", "cast", ("raise", Crash()))]))
        assert type((await end_of(pid))[0]) is Crash
        (report,) = [r for r in heard if isinstance(r, ErrorReport)]
        assert report.details["queue"][0][0] == "cast"
        assert report.details["queue"][1:] == []
        assert [content for _, content in report.details["postponed"]] == ["later"]
        assert report.details["timeouts"] == [("state_timeout", "late")]
        assert report.state == ("a", [1, 2])

    as_process(main)


class Crash(Exception):
    pass


def test_an_event_that_is_behind_the_failing_one_is_shown(as_process, machine) -> None:
    async def main() -> None:
        heard = reports()
        pid = await machine.start()
        events = [("next_event", "cast", ("raise", Crash())), ("next_event", "internal", "behind")]
        cast(pid, ("keep_state", [], events))
        await end_of(pid)
        (report,) = [r for r in heard if isinstance(r, ErrorReport)]
        assert [content for _, content in report.details["queue"]][1:] == ["behind"]

    as_process(main)


@pytest.mark.otp("gen_statem", "format_all_status")
def test_everything_that_is_shown_passes_through_format_status(as_process, discreet) -> None:
    async def main() -> None:
        heard = reports()
        pid = await discreet.start([("state_timeout", 50, "secret")])
        await sys.log(pid, True)
        gen_statem.send_request(pid, "secret")
        await trio.sleep(1)
        status = await sys.get_status(pid)
        assert status["state"] == ("a", 1)
        assert status["log"] == ["in", "noreply"]
        assert (status["postponed"], status["queue"]) == (1, [])
        assert status["timeouts"] == ["state_timeout"]
        cast(pid, ("raise", Crash("secret")))
        await end_of(pid)
        (report,) = [r for r in heard if isinstance(r, ErrorReport)]
        assert (report.state, report.reason, report.message) == (("a", 1), "hidden", "hidden")
        assert report.log == ["in", "noreply", "in"]
        assert report.details["queue"] == ["cast"]
        assert "secret" not in repr(report)

    as_process(main)


def test_the_log_has_every_state_as_it_was_then(as_process, machine) -> None:
    async def main() -> None:
        pid = await machine.start()
        await sys.log(pid, True)
        cast(pid, ("next_state", "b", [1]))
        cast(pid, ("keep_state", [2]))
        await trio.sleep(1)
        log = await sys.log(pid, "get")
        states = [event[1] for event in log if event[0] == "noreply"]
        assert states == [("b", [1]), ("b", [2])]
        assert (await sys.get_status(pid))["log"] == log

    as_process(main)


# --- T7 -------------------------------------------------------------------------------------


@pytest.mark.otp("gen_statem", "abnormal2")
@pytest.mark.otp("gen_statem", "abnormal3")
@pytest.mark.parametrize(
    ("returned", "term"),
    [
        ("nonsense", ("bad_return_from_state_function", "nonsense")),
        (
            ("keep_state", [], ["nonsense"]),
            ("bad_action_from_state_function", "nonsense"),
        ),
        (
            ("stop_and_reply", "normal", ["nonsense"]),
            ("bad_reply_action_from_state_function", "nonsense"),
        ),
    ],
)
def test_what_it_may_not_return_is_an_error_not_an_exit(
    as_process, machine, returned: Any, term: Any
) -> None:
    async def main() -> None:
        heard = reports()
        pid = await machine.start()
        cast(pid, returned)
        reason = await end_of(pid)
        assert reason[0] == term
        assert type(reason[1]) is Stack
        (crash,) = [r for r in heard if isinstance(r, CrashReport)]
        assert (crash.kind, crash.reason) == ("error", reason)
        (report,) = [r for r in heard if isinstance(r, ErrorReport)]
        assert report.reason == reason

    as_process(main)


# --- enter_loop -----------------------------------------------------------------------------


class Lamp(GenStateMachine):
    def callback_mode(self) -> Any:
        return ["state_functions", "state_enter"]

    def init(self) -> Any:
        raise AssertionError("enter_loop stands in its place")

    def off(self, type: Any, content: Any, seen: Any) -> Any:
        match type:
            case ("call", from_):
                return "next_state", "on", seen, ("reply", from_, seen)
        return "keep_state", [*seen, (type, content)]

    def on(self, type: Any, content: Any, seen: Any) -> Any:
        match type:
            case ("call", from_):
                return "keep_state_and_data", ("reply", from_, seen)
        return "keep_state", [*seen, (type, content)]


class AsyncLamp(Lamp):
    async def on(self, type: Any, content: Any, seen: Any) -> Any:
        return super().on(type, content, seen)


@pytest.mark.otp("gen_statem", "enter_loop")
@pytest.mark.parametrize("lamp", [Lamp, AsyncLamp])
def test_a_process_becomes_a_machine(as_process, lamp: Any) -> None:
    async def body(actions: Any) -> None:
        otp.trap_exit()
        otp.proc_lib.init_ack()
        otp.send(otp.self(), "queued")
        await gen_statem.enter_loop(lamp, "off", ["begun"], actions)

    async def main() -> None:
        actions = [("next_event", "internal", "first"), ("state_timeout", 5, "due")]
        pid = await otp.proc_lib.start(body, actions, name="lamp", link=True)
        await trio.sleep(1)
        begun = ["begun", ("enter", "off"), ("internal", "first"), ("info", "queued")]
        assert await sys.get_state("lamp") == ("off", begun)
        status = await sys.get_status("lamp")
        assert (status["behaviour"], status["timeouts"]) == (
            "gen_statem",
            [("state_timeout", "due")],
        )
        assert otp.process_info(pid).initial_call.endswith(lamp.__qualname__)
        assert await gen_statem.call("lamp", "flip") == begun
        assert await gen_statem.call("lamp", "x") == [*begun, ("enter", "off")]
        await gen_statem.stop("lamp", "shutdown")
        with pytest.raises(CallExit):
            await gen_statem.call("lamp", "x")

    async def traps() -> None:
        otp.trap_exit()
        await main()

    as_process(traps)


@pytest.mark.otp("gen_statem", "enter_loop")
def test_actions_that_make_no_sense_end_the_machine_it_became(as_process) -> None:
    async def body() -> None:
        otp.proc_lib.init_ack()
        await gen_statem.enter_loop(Lamp, "off", [], ["nonsense"])

    async def main() -> None:
        pid, ref = await otp.proc_lib.start_monitor(body)
        reason = (await receive(lambda m: m[1] is ref))[4]
        assert reason[0] == ("bad_action_from_state_function", "nonsense")
        assert not otp.is_alive(pid)

    as_process(main)
