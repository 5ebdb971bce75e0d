"""Applications beyond the scenarios: node down (A4), ordered stop (A5), marks, refusals."""

from __future__ import annotations

import doctest
import math
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import supervisors as otp
from supervisors import (
    Application,
    ApplicationError,
    ApplicationReport,
    GenServer,
    Supervisor,
    SupFlags,
    application,
)
from supervisors._application import behaviour

CHAPTER = Path(__file__).parents[3] / "docs" / "applications.md"


def test_the_chapter_and_the_docstring() -> None:
    chapter = doctest.testfile(str(CHAPTER), module_relative=False, encoding="utf-8")
    assert chapter.attempted > 5
    assert chapter.failed == 0
    docstring = doctest.testmod(behaviour)
    assert docstring.attempted > 5
    assert docstring.failed == 0


class Named(GenServer):
    def handle_cast(self, request: Any, state: Any) -> Any:
        return "stop", request, state


class Plain(Application):
    """One server, named as the application, which takes `linger` seconds in prep_stop."""

    def __init__(self, name: str, *needs: str, linger: float = 0.0, **more: Any) -> None:
        self.name = name
        self.applications = needs
        self.linger = linger
        for key, value in more.items():
            setattr(self, key, value)

    async def start(self, type: str, args: Any) -> Any:
        return await Named.start_link(name=self.name)

    async def prep_stop(self, state: Any) -> Any:
        await trio.sleep(self.linger)
        return state


async def started(*apps: Plain, type: Any = "temporary") -> None:
    for app in apps:
        await application.start(app, type)


async def names() -> list[str]:
    return [app.name for app in await application.which_applications()]


# --- A4: what an end means for the node ---------------------------------------------------


@pytest.mark.parametrize(
    ("restart_type", "reason"),
    [("permanent", "normal"), ("permanent", "shutdown"), ("transient", "boom")],
)
def test_an_end_that_takes_the_node_down(restart_type: Any, reason: Any) -> None:
    stopped: list[str] = []

    class Base(Plain):
        def stop(self, state: Any) -> None:
            stopped.append(self.name)

    async def body() -> None:
        otp.trap_exit()
        await started(Base("first"), Base("second"))
        await application.start(Plain("heart"), restart_type)
        otp.cast("heart", reason)
        await trio.sleep_forever()

    with pytest.raises(otp.Exit) as end:
        otp.run(body, clock=trio.testing.MockClock(autojump_threshold=0))
    assert end.value.reason == ("application_terminated", "heart", reason)
    assert stopped == ["second", "first"]


@pytest.mark.parametrize(
    ("restart_type", "reason"), [("transient", "normal"), ("temporary", "boom")]
)
def test_an_end_that_is_only_reported(as_process: Any, restart_type: Any, reason: Any) -> None:
    async def body() -> None:
        reports: list[Any] = []
        otp.current_runtime().subscribe(reports.append)
        await application.start(Plain("leaf"), restart_type)
        otp.cast("leaf", reason)
        await trio.sleep(1)
        assert await names() == []
        assert [
            (report.application, report.event, report.restart_type, report.reason)
            for report in reports
            if isinstance(report, ApplicationReport)
        ] == [("leaf", "started", restart_type, None), ("leaf", "exited", restart_type, reason)]

    as_process(body)


def test_a_stop_that_was_asked_for_takes_nobody_down(as_process: Any) -> None:
    async def body() -> str:
        await started(Plain("heart"), type="permanent")
        await application.stop("heart")
        await trio.sleep(1)
        return "alive"

    assert as_process(body) == "alive"


def test_the_hook_decides_how_the_node_ends(as_process: Any) -> None:
    async def body() -> None:
        me = otp.self()
        before = await application.on_node_down(lambda why: otp.send(me, ("going", why)))
        assert callable(before)
        await started(Plain("other"))
        await application.start(Plain("heart"), "permanent")
        await application.load(Plain("late"))
        otp.cast("heart", "boom")
        assert await otp.receive() == ("going", ("application_terminated", "heart", "boom"))
        assert await names() == []
        with pytest.raises(ApplicationError, match="the node is going down"):
            await application.start("late")

    as_process(body)


async def test_without_a_main_every_process_is_killed(autojump_clock: Any) -> None:
    async with otp.Runtime() as runtime:
        warned: list[Any] = []
        runtime.subscribe(warned.append)
        otp.spawn(trio.sleep_forever)
        await application.start(Plain("heart"), "permanent")
        otp.cast("heart", "boom")
        await trio.sleep(1)
        assert runtime.processes() == []
        assert any("node goes down" in getattr(report, "text", "") for report in warned)


# --- A5: ordered stop -----------------------------------------------------------------------


def test_all_stop_in_reverse_order_and_each_has_its_time(as_process: Any) -> None:
    async def body() -> None:
        apps = [
            Plain("a"),
            Plain("b", linger=math.inf, shutdown_timeout=3.0),
            Plain("c", linger=2.0, shutdown_timeout=3.0),
        ]
        await started(*apps)
        begun = trio.current_time()
        assert await application.stop_all() == ["c", "b", "a"]
        assert trio.current_time() - begun == pytest.approx(5.0)
        assert [otp.whereis(name) for name in "abc"] == [None, None, None]

    as_process(body)


def test_one_time_out_for_all(as_process: Any) -> None:
    async def body() -> None:
        await started(Plain("a", linger=math.inf), Plain("b", linger=math.inf))
        begun = trio.current_time()
        assert await application.stop_all(timeout=1.0) == ["b", "a"]
        assert trio.current_time() - begun == pytest.approx(2.0)

    as_process(body)


def test_one_that_still_starts_is_killed(as_process: Any) -> None:
    class Stuck(Plain):
        async def start(self, type: str, args: Any) -> Any:
            await Named.start_link(name="helper")
            await trio.sleep_forever()

    async def body() -> None:
        me = otp.self()

        async def starter() -> None:
            try:
                await application.start(Stuck("stuck"))
            except ApplicationError as refused:
                otp.send(me, refused.reason)

        await started(Plain("a"))
        otp.spawn(starter)
        await trio.sleep(1)
        assert await application.stop_all() == ["stuck", "a"]
        assert await otp.receive() == ("stopped", "stuck")
        assert otp.whereis("helper") is None

    as_process(body)


# --- what belongs to an application (A2, A3) ----------------------------------------------


def test_nothing_of_an_application_is_left(as_process: Any) -> None:
    async def hold(closed: list[int], number: int) -> None:
        otp.trap_exit()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            closed.append(number)

    class Spawning(Plain):
        async def start(self, type: str, args: Any) -> Any:
            async def top() -> None:
                otp.spawn(below)
                await otp.receive()

            async def below() -> None:
                otp.spawn(hold, closed, 1)
                await Named.start(name="loose")
                await hold(closed, 2)

            return otp.spawn_link(top)

    closed: list[int] = []

    async def body() -> None:
        bystander = await Named.start()
        await application.start(Spawning("app"))
        await trio.sleep(1)
        loose = otp.whereis("loose")
        assert loose is not None
        assert application.get_application(loose) == "app"
        assert application.get_application(bystander) is None
        await application.stop("app")
        assert sorted(closed) == [1, 2]
        assert otp.whereis("loose") is None
        assert otp.is_alive(bystander)

    as_process(body)


def test_the_first_to_use_applications_does_not_own_them(as_process: Any) -> None:
    """The controller that it happened to start is nobody's child."""

    async def body() -> None:
        async def first() -> None:
            await application.start(Plain("app"))
            raise otp.Exit("boom")

        _, ref = otp.spawn_monitor(first)
        await otp.receive(lambda m: m[0] == "DOWN" and m[1] is ref)
        assert await names() == ["app"]
        info = otp.process_info(otp.whereis("application_controller"))  # type: ignore[arg-type]
        assert info is not None
        assert (info.parent, info.ancestors) == (None, ())

    as_process(body)


def test_an_application_that_starts_another_does_not_own_it(as_process: Any) -> None:
    class Outer(Plain):
        async def start(self, type: str, args: Any) -> Any:
            pid = await super().start(type, args)
            await application.ensure_all_started(Plain("inner"))
            return pid

    async def body() -> None:
        await started(Outer("outer"))
        await application.stop("outer")
        assert await names() == ["inner"]
        assert application.get_application(otp.whereis("inner")) == "inner"
        assert application.get_supervisor("inner") is otp.whereis("inner") is not None
        assert application.get_supervisor("outer") is None

    as_process(body)


def test_an_application_may_stop_itself(as_process: Any) -> None:
    class Suicidal(GenServer):
        async def handle_cast(self, request: Any, state: Any) -> Any:
            await application.stop("app")

    class Top(Supervisor):
        def init(self) -> Any:
            return SupFlags(), [Suicidal.child_spec(name="app", shutdown="brutal_kill")]

    class App(Plain):
        async def start(self, type: str, args: Any) -> Any:
            return await Top.start_link()

    async def body() -> None:
        await started(App("app"), type="permanent")
        otp.cast("app", "go")
        await trio.sleep(1)
        assert await names() == []
        assert otp.whereis("app") is None

    as_process(body)


def test_a_callback_that_raises_stops_no_stop(as_process: Any) -> None:
    class Clumsy(Plain):
        async def prep_stop(self, state: Any) -> Any:
            raise RuntimeError("clumsy")

        def stop(self, state: Any) -> None:
            states.append(state)
            raise RuntimeError("clumsy again")

        async def start(self, type: str, args: Any) -> Any:
            return await super().start(type, args), "kept"

    states: list[Any] = []

    async def body() -> None:
        warnings: list[Any] = []
        otp.current_runtime().subscribe(warnings.append)
        await started(Clumsy("app"))
        await application.stop("app")
        assert otp.whereis("app") is None
        assert states == ["kept"]
        texts = [report.text for report in warnings if isinstance(report, otp.WarningReport)]
        assert [text.split(" ")[0] for text in texts] == ["prep_stop", "stop"]

    as_process(body)


# --- definitions ------------------------------------------------------------------------------


def test_a_failed_phase_leaves_nothing(as_process: Any) -> None:
    class Phased(Plain):
        start_phases = (("only", None),)

        def start_phase(self, phase: str, type: Any, args: Any) -> Any:
            return "what"

    async def body() -> None:
        with pytest.raises(ApplicationError, match="start_phase must return None"):
            await application.start(Phased("app"))
        assert otp.whereis("app") is None
        assert await names() == []

    as_process(body)


def test_a_circle_of_needs_is_found(as_process: Any) -> None:
    async def body() -> None:
        await application.load(Plain("a", "b"))
        await application.load(Plain("b", "a"))
        with pytest.raises(ApplicationError) as refused:
            await application.ensure_all_started("a")
        assert refused.value.reason == ("a", ("circular_dependency", ("a", "b", "a")))

    as_process(body)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"name": ""}, "name must be"),
        ({"applications": "kernel"}, "applications must be a sequence"),
        ({"start_phases": ["init"]}, "start_phases must be pairs"),
        ({"shutdown_timeout": -1.0}, "shutdown_timeout must be seconds"),
    ],
)
def test_a_bad_definition_says_what_is_wrong(as_process: Any, fault: Any, words: str) -> None:
    async def body() -> None:
        app = Plain("app")
        for key, value in fault.items():
            setattr(app, key, value)
        with pytest.raises(ApplicationError, match=words):
            await application.load(app)

    as_process(body)


def test_what_is_no_application_is_refused(as_process: Any) -> None:
    async def body() -> None:
        wrong: Any = 7
        with pytest.raises(TypeError, match="expected an Application"):
            await application.start(wrong)
        with pytest.raises(ApplicationError, match="no application of this name is loaded"):
            await application.start("nobody")
        with pytest.raises(ApplicationError) as refused:
            await application.ensure_all_started("nobody")
        assert refused.value.reason == ("nobody", ("not_loaded", "nobody"))
        with pytest.raises(ApplicationError, match="no application of this name is loaded"):
            await application.set_env("nobody", "key", 1)

    as_process(body)


def test_the_environment_is_given_at_the_loading(as_process: Any) -> None:
    class Shop(Application):
        name = "shop"
        env = {"port": 1, "host": "here"}

    async def body() -> None:
        assert application.get_env("shop", "port", "unknown") == "unknown"
        await application.load(Shop, env={"port": 2})
        assert application.get_all_env(Shop) == {"port": 2, "host": "here"}
        await application.start(Shop)  # a library: nothing to run
        assert await names() == ["shop"]
        await application.stop(Shop)
        await application.unload(Shop)
        assert application.get_all_env(Shop) == {}

    as_process(body)
