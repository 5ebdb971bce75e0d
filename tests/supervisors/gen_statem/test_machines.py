"""State machines as processes, of plain callbacks and of async ones: gen_statem_SUITE."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    CallExit,
    ChildSpec,
    CrashReport,
    ErrorReport,
    Exit,
    GenStateMachine,
    Ignore,
    StartError,
    Supervisor,
    SupFlags,
    Throw,
    WarningReport,
    cast,
    exit_signal,
    gen_statem,
    monitor,
    receive,
    send,
    sys,
    trap_exit,
)
from supervisors._gen_server.behaviour import Undefined

case = pytest.mark.otp


def suite(*names: str) -> Any:
    """Marks for several cases of gen_statem_SUITE."""

    def mark(test: Any) -> Any:
        for name in names:
            test = case("gen_statem_SUITE", name)(test)
        return test

    return mark


class Switch(GenStateMachine):
    """Off and on; requests are functions of (event type, data), or a few words."""

    def callback_mode(self) -> Any:
        return "state_functions"

    def init(self, value: Any = ("ok", "off", [])) -> Any:
        return value() if callable(value) else value

    def off(self, type: Any, content: Any, data: Any) -> Any:
        return self._both("on", type, content, data)

    def on(self, type: Any, content: Any, data: Any) -> Any:
        return self._both("off", type, content, data)

    def _both(self, other: str, type: Any, content: Any, data: Any) -> Any:
        if callable(content):
            return content(type, data)
        match type, content:
            case ("call", from_), "flip":
                return "next_state", other, data, ("reply", from_, other)
            case ("call", _), "when on" if other == "on":
                return "keep_state_and_data", "postpone"
            case ("call", from_), "when on":
                return "keep_state_and_data", [("reply", from_, data)]
            case ("call", from_), "data":
                return "keep_state_and_data", [("reply", from_, data)]
        return "keep_state", [*data, (type, content)]

    def terminate(self, reason: Any, state: Any, data: Any) -> Any:
        for item in data:
            if callable(item):
                item(reason, state)


class AsyncSwitch(Switch):
    """The same as a task process."""

    async def on(self, type: Any, content: Any, data: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return Switch.on(self, type, content, data)


@pytest.fixture(params=[Switch, AsyncSwitch])
def machine(request: pytest.FixtureRequest) -> type[Switch]:
    return request.param


def raises(error: BaseException) -> Any:
    def fn(*_: Any) -> Any:
        raise error

    return fn


async def end_of(pid: otp.Pid) -> Any:
    ref = monitor(pid)
    return (await receive(lambda m: m[0] == "DOWN" and m[1] is ref))[4]


def test_the_kind_follows_from_the_callbacks():
    assert Switch.is_plain
    assert not AsyncSwitch.is_plain


def test_self_cannot_keep_state():
    with pytest.raises(AttributeError, match=r"Switch\.count cannot be assigned"):
        Switch.instance.count = 1


# --- start -------------------------------------------------------------------------------


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


# --- stop --------------------------------------------------------------------------------


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


# --- events --------------------------------------------------------------------------------


@suite("event_types", "reply_by_alias_with_payload")
def test_every_type_of_event(as_process, machine):
    async def main():
        pid = await machine.start()
        types = ["cast", "info", "internal", "timeout", "state_timeout", ("timeout", "x")]

        def insert(type: Any, data: Any) -> Any:
            kind, from_ = type
            assert kind == "call"
            inserted = [("next_event", t, n) for n, t in enumerate(types)]
            return "keep_state", [], [*inserted, ("next_event", ("call", from_), "data")]

        assert await gen_statem.call(pid, insert) == [(t, n) for n, t in enumerate(types)]
        send(pid, "hello")
        cast(pid, "word")
        assert (await gen_statem.call(pid, "data"))[-2:] == [("info", "hello"), ("cast", "word")]

    as_process(main)


@suite("abnormal1", "abnormal1clean")
def test_a_call_that_times_out(as_process, machine):
    """T6, G13: a call waits for ever by itself; a late reply is dropped."""

    async def main():
        pid = await machine.start()
        callers: list[Any] = []

        def keep(type: Any, data: Any) -> Any:
            callers.append(type[1])
            return "keep_state_and_data"

        with pytest.raises(CallExit) as late:
            await gen_statem.call(pid, keep, 3)
        assert late.value.reason == ("timeout", ("gen_statem", "call", (pid, keep, 3)))
        otp.reply(callers.pop(), "late")

        async def in_an_hour() -> None:
            await trio.sleep(3600)
            otp.reply(callers.pop(), "at last")

        otp.spawn(in_an_hour)
        assert await gen_statem.call(pid, keep) == "at last"
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)

    as_process(main)


def test_a_throw_is_a_return(as_process, machine):
    """G3."""

    async def main():
        pid = await machine.start()

        def throw(type: Any, data: Any) -> Any:
            raise Throw(("next_state", "on", data, [("reply", type[1], "thrown")]))

        assert await gen_statem.call(pid, throw) == "thrown"
        assert await sys.get_state(pid) == ("on", [])

    as_process(main)


def test_a_postponed_call_is_answered_in_the_next_state(as_process, machine):
    async def main():
        pid = await machine.start(("ok", "off", ["data"]))
        request = gen_statem.send_request(pid, "when on")
        with pytest.raises(trio.TooSlowError):
            await receive(timeout=1)
        assert await gen_statem.call(pid, "flip") == "on"
        assert await receive() == ("$reply", request, ["data"])

    as_process(main)


@suite(
    "send_request_receive_reqid_collection",
    "send_request_wait_reqid_collection",
    "send_request_check_reqid_collection",
)
def test_collections_of_requests(as_process, machine):
    async def main():
        pid = await machine.start()

        def collection(*labels: str) -> Any:
            requests = otp.reqids_new()
            for label in labels:
                otp.reqids_add(gen_statem.send_request(pid, "flip"), label, requests)
            return requests

        requests = collection("one", "two")
        assert await gen_statem.receive_response(requests, 1.0, delete=True) == (
            ("reply", "on"),
            "one",
            requests,
        )
        assert otp.reqids_size(requests) == 1
        assert await gen_statem.wait_response(requests, 1.0, delete=True) == (
            ("reply", "off"),
            "two",
            requests,
        )
        assert await gen_statem.receive_response(requests, 1.0, delete=True) == "no_request"
        requests = collection("three")
        await trio.sleep(1)
        message = await receive()
        assert gen_statem.check_response("hello", requests, delete=True) == "no_reply"
        assert gen_statem.check_response(message, requests, delete=True) == (
            ("reply", "on"),
            "three",
            requests,
        )

    as_process(main)


def test_absolute_time_outs(as_process, machine):
    async def main():
        runtime = otp.current_runtime()
        pid = await machine.start()
        await trio.sleep(5)
        at = runtime.now() + 2

        def arm(type: Any, data: Any) -> Any:
            return (
                "keep_state",
                [],
                [
                    (("timeout", "a"), at, "then", ("abs", True)),
                    (("timeout", "b"), at - 3, "at once", [("abs", True)]),
                    (("timeout", "c"), 1, "relative", [("abs", False)]),
                ],
            )

        cast(pid, arm)
        await trio.sleep(1.5)
        early = [(("timeout", "b"), "at once"), (("timeout", "c"), "relative")]
        assert await gen_statem.call(pid, "data") == early
        await trio.sleep(1)
        assert (await gen_statem.call(pid, "data"))[2:] == [(("timeout", "a"), "then")]

    as_process(main)


def test_time_outs_of_a_dead_machine_are_gone(as_process, machine):
    async def main():
        timers = otp.current_runtime().timers
        before = len(timers)
        pid = await machine.start(("ok", "off", [], [("state_timeout", 1000, "never")]))
        await trio.sleep(1)
        assert len(timers) == before + 1
        await gen_statem.stop(pid)
        assert len(timers) == before

    as_process(main)


# --- crashes and what is said of them --------------------------------------------------------


@suite("undef_terminate1", "undef_terminate2")
def test_without_terminate(as_process):
    class Bare(GenStateMachine):
        def callback_mode(self) -> Any:
            return "handle_event_function"

        def init(self) -> Any:
            return "ok", "a", 0

        def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
            raise content

    async def main():
        await gen_statem.stop(await Bare.start())
        pid = await Bare.start()
        with pytest.raises(CallExit) as crashed:
            await gen_statem.call(pid, KeyError("x"))
        assert type(crashed.value.cause[0]) is KeyError

    as_process(main)


@suite("undef_in_terminate", "terminate_crash_format")
def test_a_terminate_that_raises(as_process, machine):
    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await machine.start(("ok", "off", [raises(Undefined("in terminate"))]))
        with pytest.raises(Exit) as stopped:
            await gen_statem.stop(pid)
        assert type(stopped.value.reason[0]) is Undefined
        error, crash = reports
        assert isinstance(error, ErrorReport)
        assert error.state[0] == "off"
        assert isinstance(crash, CrashReport)
        assert crash.initial_call.endswith(machine.__qualname__)

    as_process(main)


def test_a_state_that_is_not_there(as_process):
    class Lost(GenStateMachine):
        def callback_mode(self) -> Any:
            return "state_functions"

        def init(self, state: Any) -> Any:
            return "ok", state, 0

        def _hidden(self, type: Any, content: Any, data: Any) -> Any:
            return "keep_state_and_data"

    async def main():
        for state in ("nowhere", "terminate", "start", "_hidden", 7, ["a"]):
            pid = await Lost.start(state)
            with pytest.raises(CallExit) as crashed:
                await gen_statem.call(pid, "x")
            assert type(crashed.value.cause[0]) is Undefined
            assert repr(state) in str(crashed.value.cause[0])

    as_process(main)


class Secretive(Switch):
    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        assert status.keys() >= {"state", "data", "message", "reason", "log", "queue", "postponed"}
        if status["data"] == ["broken"]:
            raise RuntimeError("in format_status")
        return {**status, "state": "shown", "data": "hidden"}


class AsyncSecretive(Secretive, AsyncSwitch):
    pass


@suite("call_format_status", "error_format_status", "format_all_status")
@pytest.mark.parametrize("secretive", [Secretive, AsyncSecretive])
def test_format_status(as_process, secretive):
    """G18."""

    async def main():
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        pid = await secretive.start(("ok", "off", ["secret"]))
        status = await sys.get_status(pid)
        assert status["state"] == ("shown", "hidden")
        assert status["behaviour"] == "gen_statem"
        assert status["module"].endswith(secretive.__qualname__)
        cast(pid, raises(RuntimeError("oops")))
        await end_of(pid)
        assert reports[0].state == ("shown", "hidden")
        assert "secret" not in repr(reports)
        reports.clear()
        pid = await secretive.start(("ok", "off", ["broken"]))
        assert (await sys.get_status(pid))["state"] == "format_status failed"
        assert isinstance(reports[0], WarningReport)
        assert otp.is_alive(pid)

    as_process(main)


# --- sys -------------------------------------------------------------------------------------


@suite("sys1", "get_state", "replace_state")
def test_sys(as_process, machine):
    async def main():
        pid = await machine.start()
        assert await sys.get_state(pid) == ("off", [])
        await sys.suspend(pid)
        with pytest.raises(CallExit):
            await gen_statem.call(pid, "flip", 1)
        assert await sys.replace_state(pid, lambda pair: ("on", [*pair[1], "new"])) == (
            "on",
            ["new"],
        )
        with pytest.raises(sys.CallbackFailed):
            await sys.replace_state(pid, raises(RuntimeError("no")))
        with pytest.raises(TypeError, match=r"a pair \(state, data\), not 7"):
            await sys.replace_state(pid, lambda _: 7)
        assert await sys.get_state(pid) == ("on", ["new"])
        await sys.resume(pid)
        await trio.sleep(1)
        assert await gen_statem.call(pid, "flip") == "on"
        await sys.terminate(pid, "enough")
        assert await end_of(pid) in ("enough", "noproc")

    as_process(main)


def test_time_outs_are_served_after_resume(as_process, machine):
    async def main():
        pid = await machine.start(("ok", "off", [], [("state_timeout", 1, "due")]))
        await sys.suspend(pid)
        await trio.sleep(5)
        assert await sys.get_state(pid) == ("off", [])
        await sys.resume(pid)
        await trio.sleep(1)
        assert await sys.get_state(pid) == ("off", [("state_timeout", "due")])

    as_process(main)


def test_a_trace_shows_events_and_replies(as_process, machine):
    async def main():
        pid = await machine.start()
        seen: list[Any] = []
        sys.trace(pid, seen.append)
        assert await gen_statem.call(pid, "flip") == "on"
        assert ("in", ("$gen_call", otp.self(), "flip")) == (
            seen[0][0],
            (seen[0][1][0], getattr(seen[0][1][1], "pid", seen[0][1][1]), seen[0][1][2]),
        )
        assert any(event[:3] == ("out", "on", otp.self()) for event in seen)

    as_process(main)


@suite("hibernate", "auto_hibernate")
def test_hibernation(as_process, machine):
    """G17."""

    async def hibernates(pid: otp.Pid) -> bool:
        return (await sys.get_status(pid))["hibernating"]

    async def main():
        pid = await machine.start(("ok", "off", []))
        await trio.sleep(1)
        cast(pid, lambda _, data: ("keep_state", [*data, 1], "hibernate"))
        await trio.sleep(1)
        assert await hibernates(pid)
        cast(pid, lambda _, data: ("keep_state", [*data, 2], ["hibernate", ("hibernate", False)]))
        await trio.sleep(1)
        assert not await hibernates(pid)
        assert await gen_statem.call(pid, "data") == [1, 2]
        pid = await machine.start(hibernate_after=2)
        await trio.sleep(1)
        assert not await hibernates(pid)  # and asking starts the time anew (G7)
        await trio.sleep(3)
        assert await hibernates(pid)
        assert await gen_statem.call(pid, "flip") == "on"

    as_process(main)


class Migrates(Switch):
    def code_change(self, old_vsn: Any, state: Any, data: Any, extra: Any) -> Any:
        if extra == "refuse":
            return "error", "refused"
        return "ok", "on", [old_vsn, state, extra]


class AsyncMigrates(Migrates, AsyncSwitch):
    pass


@suite("code_change", "undef_code_change")
@pytest.mark.parametrize("migrates", [Migrates, AsyncMigrates])
def test_code_change(as_process, migrates):
    async def main():
        pid = await migrates.start()
        await trio.sleep(1)
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError) as refused:
            await sys.change_code(pid, None, 1, "refuse")
        assert "refused" in str(refused.value)
        assert await sys.get_state(pid) == ("off", [])
        await sys.change_code(pid, None, 1, "extra")
        await sys.resume(pid)
        assert await sys.get_state(pid) == ("on", [1, "off", "extra"])
        pid = await Switch.start()
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError) as missing:
            await sys.change_code(pid, None, 1, None)
        assert missing.value.reason[0] == "EXIT"
        await sys.resume(pid)
        assert await gen_statem.call(pid, "flip") == "on"

    as_process(main)


def test_another_version_of_the_class_takes_over(as_process):
    class Other(Switch):
        def code_change(self, old_vsn: Any, state: Any, data: Any, extra: Any) -> Any:
            return "ok", "third", data

        def third(self, type: Any, content: Any, data: Any) -> Any:
            return "keep_state_and_data", [("reply", type[1], "third")]

    async def main():
        pid = await Switch.start()
        await sys.suspend(pid)
        await sys.change_code(pid, Other, 1, None)
        await sys.resume(pid)
        assert await gen_statem.call(pid, "x") == "third"

    as_process(main)


def test_callback_modules_change_hands(as_process, machine):
    """T7: change, push and pop; the state is what the new one makes of it."""

    class Events(machine):
        def callback_mode(self) -> Any:
            return "handle_event_function"

        def handle_event(self, type: Any, content: Any, state: Any, data: Any) -> Any:
            match content:
                case "pop":
                    return "keep_state_and_data", "pop_callback_module"
            return "keep_state_and_data", [("reply", type[1], ("events", state))]

    async def main():
        pid = await machine.start()
        cast(pid, lambda *_: ("keep_state_and_data", [("push_callback_module", Events)]))
        assert await gen_statem.call(pid, "flip") == ("events", "off")
        cast(pid, "pop")
        assert await gen_statem.call(pid, "flip") == "on"
        cast(pid, lambda *_: ("keep_state_and_data", [("change_callback_module", Events)]))
        assert await gen_statem.call(pid, "flip") == ("events", "on")
        pid = await machine.start()
        cast(pid, lambda *_: ("keep_state_and_data", [("push_callback_module", "nowhere")]))
        (term, module), _ = await end_of(pid)
        assert (term, module) == ("not_a_callback_module", "nowhere")

    as_process(main)


def test_a_killed_machine_leaves_nothing(as_process, machine):
    async def main():
        pid = await machine.start(("ok", "off", [], [("state_timeout", 5, "never")]), name="s")
        exit_signal(pid, "kill")
        await trio.sleep(10)
        assert otp.whereis("s") is None
        gc.collect()
        assert not otp.is_alive(pid)

    as_process(main)
