"""Starting a supervisor and its children: rules V1, V2, V3, V18."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import (
    ChildSpec,
    CrashReport,
    Exit,
    Ignore,
    ProgressReport,
    StartError,
    Supervisor,
    SupervisorError,
    SupervisorReport,
    SupFlags,
    Throw,
)

from .servers import Plain, SlowInit, Tree, child, kill, pids_of, reports_of, tree


async def failure(start: Any) -> Any:
    with pytest.raises(StartError) as caught:
        await start
    return caught.value.reason


async def mailbox_is_empty() -> bool:
    with pytest.raises(trio.TooSlowError):
        await otp.receive(timeout=0)
    return True


@pytest.mark.otp("supervisor", "sup_start_normal")
def test_children_run_when_start_link_returns(as_process):
    async def main():
        progress = reports_of(ProgressReport)
        sup = await tree(child("a"), child("b"), name="sup")
        assert otp.whereis("sup") is sup
        assert await pids_of("sup") == {"a": otp.whereis("a"), "b": otp.whereis("b")}
        assert [(r.supervisor, r.started["id"], r.started["pid"]) for r in progress] == [
            ("sup", "a", otp.whereis("a")),
            ("sup", "b", otp.whereis("b")),
        ]
        info = otp.process_info(sup)
        assert info is not None
        assert info.trap_exit
        assert info.initial_call.endswith(":Tree")
        child_info = otp.process_info(otp.whereis("a"))
        assert child_info is not None
        assert child_info.ancestors == ("sup", otp.self())

    as_process(main)


def test_a_failing_child_unwinds_the_start(as_process):
    async def main():
        otp.trap_exit()
        reports = reports_of(SupervisorReport)
        bad = ChildSpec("bad", (no_disk, ()))
        reason = await failure(tree(child("a"), bad, child("c"), name="sup"))
        assert reason == ("shutdown", ("failed_to_start_child", "bad", "no_disk"))
        assert otp.registered() == {}
        assert otp.current_runtime().processes() == [otp.self()]
        assert await mailbox_is_empty()
        assert [(r.supervisor, r.context, r.reason, r.offender["id"]) for r in reports] == [
            ("sup", "start_error", "no_disk", "bad")
        ]

    as_process(main)


async def no_disk() -> None:
    raise StartError("no_disk")


@pytest.mark.otp("supervisor", "sup_start_ignore_init")
@pytest.mark.otp("supervisor", "sup_start_error_return")
@pytest.mark.otp("supervisor", "sup_start_fail")
def test_reasons_start_link_fails_with(as_process):
    class Odd(Supervisor):
        def init(self, answer: Any) -> Any:
            return answer

    class Raising(Supervisor):
        def init(self) -> Any:
            raise OSError("no config")

    async def main():
        otp.trap_exit()
        crashes = reports_of(CrashReport)
        flags = SupFlags()
        one = child("a")
        for answer, reason in (
            (17, ("bad_return", (Odd.__qualname__, "init", 17))),
            ((SupFlags(intensity=-1), []), ("supervisor_data", ("invalid_intensity", -1))),
            ((flags, [one, one]), ("start_spec", ("duplicate_child_name", "a"))),
            ((SupFlags("simple_one_for_one"), []), ("bad_start_spec", [])),
        ):
            assert await failure(Odd.start_link(answer)) == reason
            assert crashes.pop().reason == reason
        reason = await failure(Raising.start_link())
        assert isinstance(reason[0], OSError)
        with pytest.raises(Ignore):
            await Odd.start_link("ignore")
        assert await mailbox_is_empty()
        sup = await tree(name="sup")
        assert await failure(tree(name="sup")) == ("already_started", sup)

    as_process(main)


def test_a_supervisor_needs_init():
    class Empty(Supervisor):
        pass

    async def main() -> None:
        with pytest.raises(TypeError, match="init"):
            await Empty.start_link()

    otp.run(main)


class Oddity(BaseException):
    """Nobody expects this one."""


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (StartError("full"), "full"),
        (Exit("left"), ("EXIT", "left")),
        (Throw("thrown"), "thrown"),
        (ValueError("oops"), ("EXIT", (ValueError, otp.Stack))),
        (Oddity("oops"), ("EXIT", (Oddity, otp.Stack))),
        (SystemExit(3), ("EXIT", (SystemExit, otp.Stack))),
        (ExceptionGroup("two", [OSError(), KeyError()]), ("EXIT", (ExceptionGroup, otp.Stack))),
        (BaseExceptionGroup("one", [Exit("left")]), ("EXIT", "left")),
    ],
)
@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.otp("supervisor", "sup_start_child_returns_error")
def test_it_survives_whatever_a_start_function_raises(as_process, raised, reason, is_async):
    async def raise_later() -> None:
        raise raised

    def raise_now() -> None:
        raise raised

    def shape(term: Any) -> Any:
        match term:
            case ("EXIT", (error, stack)):
                return "EXIT", (type(error), type(stack))
        return term

    async def main():
        sup = await tree(child("a"))
        spec = ChildSpec("x", (raise_later if is_async else raise_now, ()))
        with pytest.raises(SupervisorError) as caught:
            await otp.start_child(sup, spec)
        assert shape(caught.value.reason[0]) == reason
        assert caught.value.reason[1] is spec
        assert list(await pids_of(sup)) == ["a"]

    as_process(main)


@pytest.mark.otp("supervisor", "extra_return")
def test_what_a_start_function_may_return(as_process):
    async def with_extra() -> Any:
        return await Plain.start_link(), {"port": 80}

    async def ignored() -> None:
        raise Ignore

    async def junk() -> int:
        return 1

    async def main():
        sup = await tree()
        pid, extra = await otp.start_child(sup, ChildSpec("extra", (with_extra, ())))
        assert (await pids_of(sup), extra) == ({"extra": pid}, {"port": 80})
        await otp.terminate_child(sup, "extra")
        again, extra = await otp.restart_child(sup, "extra")
        assert (await pids_of(sup), extra) == ({"extra": again}, {"port": 80})
        plain = ChildSpec("plain", (partial(otp.spawn_link, trio.sleep_forever), ()))
        assert otp.is_alive(await otp.start_child(sup, plain))
        assert await otp.start_child(sup, ChildSpec("ignored", (ignored, ()))) is None
        with pytest.raises(SupervisorError) as caught:
            await otp.start_child(sup, ChildSpec("junk", (junk, ())))
        assert caught.value.reason[0] == 1
        assert list(await pids_of(sup)) == ["extra", "plain", "ignored"]

    as_process(main)


def test_a_supervisor_answers_nobody_while_a_child_starts(as_process):
    async def main():
        log: list[str] = []
        sup = await tree()

        async def start() -> None:
            await otp.start_child(sup, child("slow", SlowInit, 3.0, log))

        otp.spawn(start)
        await trio.sleep(1)
        assert log == ["init begins"]
        assert list(await pids_of(sup)) == ["slow"]
        assert log == ["init begins", "init ends"]
        assert otp.current_runtime().now() == 3.0

    as_process(main)


def test_killing_it_while_a_child_starts_leaves_no_orphan(as_process):
    async def main():
        otp.trap_exit()
        log: list[str] = []
        sup = await tree(child("a"))
        spec = child("slow", SlowInit, 3.0, log)

        async def start() -> None:
            with pytest.raises(otp.CallExit):
                await otp.start_child(sup, spec)

        otp.spawn(start)
        await trio.sleep(1)
        assert await kill(sup) == "killed"
        await trio.sleep(5)
        assert log == ["init begins"]
        assert otp.current_runtime().processes() == [otp.self()]

    as_process(main)


def test_a_supervisor_is_a_child_of_another(as_process):
    async def main():
        inner = Tree.child_spec(SupFlags(), [child("leaf")], name="inner")
        assert (inner.id, inner.type, inner.shutdown) == ("inner", "supervisor", float("inf"))
        sup = await tree(inner)
        assert await pids_of(sup) == {"inner": otp.whereis("inner")}
        assert await pids_of("inner") == {"leaf": otp.whereis("leaf")}

    as_process(main)


def test_an_init_that_would_wait_is_refused_when_the_class_is_made():
    with pytest.raises(TypeError, match=r"Late\.init must be a plain function"):

        class Late(Supervisor):
            async def init(self) -> Any:
                return SupFlags(), []


def test_who_is_no_supervisor_has_no_children(as_process):
    async def main():
        with pytest.raises(TypeError, match="is no supervisor"):
            await otp.which_children(await Plain.start(None))

    as_process(main)
