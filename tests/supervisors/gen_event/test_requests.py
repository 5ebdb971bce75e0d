"""Requests to handlers without waiting, managers that hibernate, code changes of handlers."""

from __future__ import annotations

import importlib
import sys as python
from pathlib import Path
from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import GenEvent, gen_event, reqids_add, reqids_new, sys


class Echo(GenEvent):
    """Answers; does as it is told."""

    def init(self, args: Any) -> Any:
        return args if isinstance(args, tuple) else ("ok", args)

    def handle_event(self, event: Any, state: Any) -> Any:
        return event(state) if callable(event) else ("ok", state)

    def handle_info(self, message: Any, state: Any) -> Any:
        return self.handle_event(message, state)

    def handle_call(self, request: Any, state: Any) -> Any:
        return request(state) if callable(request) else ("ok", (request, state), state)

    def code_change(self, old_vsn: Any, state: Any, extra: Any) -> Any:
        return "ok", (state, old_vsn, extra)


class Other(Echo):
    pass


class Fresh(Echo):
    """Put in the place of another, as a swap does it; hibernates when told "asleep"."""

    def init(self, args: Any) -> Any:
        state, _ = args
        return sleepy(state) if state == "asleep" else ("ok", state)


class Bare(GenEvent):
    def handle_event(self, event: Any, state: Any) -> Any:
        return "ok", state


def sleepy(state: Any) -> Any:
    return "ok", state, "hibernate"


def crash(state: Any) -> Any:
    raise ValueError("asked to")


# --- send_request ---------------------------------------------------------------------------


def test_the_answer_of_a_handler_comes_to_the_mailbox(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, (Echo, 1), "state")
        request = gen_event.send_request(pid, (Echo, 1), "hi")
        assert await gen_event.receive_response(request) == ("reply", ("hi", "state"))
        request = gen_event.send_request(pid, Echo, "hi")
        assert await gen_event.wait_response(request) == ("error", "bad_module")
        request = gen_event.send_request(pid, (Echo, 1), crash)
        verdict, (tag, (error, _)) = await gen_event.receive_response(request)
        assert (verdict, tag, str(error)) == ("error", "EXIT", "asked to")
        assert await gen_event.which_handlers(pid) == []
        await gen_event.stop(pid)
        request = gen_event.send_request(pid, Echo, "hi")
        message = await otp.receive()
        assert gen_event.check_response("stray", request) == "no_reply"
        assert gen_event.check_response(message, request) == ("error", ("noproc", pid))
        with pytest.raises(TypeError, match="no event handler"):
            gen_event.send_request(pid, dict, "hi")

    as_process(body)


def test_answers_are_waited_for_again_or_given_up(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo, "state")
        await sys.suspend(pid)
        first = gen_event.send_request(pid, Echo, 1)
        second = gen_event.send_request(pid, Echo, 2)
        assert await gen_event.wait_response(first, 1) == "timeout"
        assert await gen_event.receive_response(second, 1) == "timeout"
        await sys.resume(pid)
        assert await gen_event.wait_response(first, 1) == ("reply", (1, "state"))
        with pytest.raises(trio.TooSlowError):
            await otp.receive(timeout=1)  # the second was given up

    as_process(body)


def test_answers_of_a_collection_have_their_labels(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo, "state")
        requests = reqids_new()
        reqids_add(gen_event.send_request(pid, Echo, 1), "one", requests)
        reqids_add(gen_event.send_request(pid, Bare, 2), "two", requests)
        answers = {}
        while (got := await gen_event.receive_response(requests, 1, delete=True)) != "no_request":
            response, label, collection = got
            answers[label] = response
            assert collection is requests
        assert answers == {"one": ("reply", (1, "state")), "two": ("error", "bad_module")}
        reqids_add(gen_event.send_request(pid, Bare, 3), "three", requests)
        message = await otp.receive()
        checked = gen_event.check_response(message, requests, delete=False)
        assert checked[:2] == (("error", "bad_module"), "three")
        assert gen_event.check_response("stray", requests, delete=True) == "no_reply"
        await sys.suspend(pid)
        waiting = reqids_add(gen_event.send_request(pid, Echo, 4), "four", reqids_new())
        assert await gen_event.wait_response(waiting, 1, delete=True) == "timeout"

    as_process(body)


# --- hibernation ----------------------------------------------------------------------------


@pytest.mark.otp("gen_event_SUITE", "hibernate")
def test_a_manager_hibernates_when_one_of_the_handlers_asks_for_it(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, Echo, ("ok", "asleep", "hibernate"))
        assert sys.is_hibernating(pid)
        assert (await sys.get_status(pid))["hibernating"]  # being looked at does not wake it
        await gen_event.add_handler(pid, Other, "awake")
        assert not sys.is_hibernating(pid)

        def event(state: Any) -> Any:
            return sleepy(state) if state == "asleep" else ("ok", state)

        await gen_event.sync_notify(pid, event)
        assert sys.is_hibernating(pid)
        await gen_event.sync_notify(pid, "wakes")
        assert not sys.is_hibernating(pid)
        await gen_event.call(pid, Echo, lambda state: ("ok", "reply", state, "hibernate"))
        assert sys.is_hibernating(pid)
        assert await gen_event.call(pid, Other, "x") == ("x", "awake")
        assert not sys.is_hibernating(pid)
        gen_event.notify(pid, event)
        otp.send(pid, event)
        await trio.sleep(1)
        assert sys.is_hibernating(pid)
        await gen_event.add_handler(pid, Bare, "newest")
        await gen_event.swap_handler(pid, (Bare, None), (Fresh, "asleep"))
        await gen_event.sync_notify(pid, "wakes")
        assert not sys.is_hibernating(pid)
        await gen_event.sync_notify(pid, event)
        assert sys.is_hibernating(pid)  # the newest and the oldest of three have asked
        await gen_event.delete_handler(pid, Echo)
        await gen_event.sync_notify(pid, event)
        assert sys.is_hibernating(pid)  # the newest of two
        await gen_event.delete_handler(pid, Fresh)
        await gen_event.add_handler(pid, Echo, "asleep")
        await gen_event.swap_handler(pid, (Echo, None), (Fresh, "asleep"))
        assert sys.is_hibernating(pid)
        await gen_event.call(
            pid, Other, lambda state: ("swap_handler", "reply", None, state, (Fresh, 2), "awake")
        )
        assert not sys.is_hibernating(pid)
        with pytest.raises(gen_event.HandlerError):
            await gen_event.add_handler(pid, Echo, ("ok", "asleep", "for ever"))
        assert not sys.is_hibernating(pid)

    as_process(body)


# --- code change ----------------------------------------------------------------------------


def test_a_code_change_reaches_every_handler_of_the_class_and_no_other(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        for handler in (Echo, (Echo, 2), Other, Bare):
            await gen_event.add_handler(pid, handler, "old")
        await sys.suspend(pid)
        await sys.change_code(pid, Echo, 1, "extra")
        new = ("old", 1, "extra")
        changed = [(Bare, None, "old"), (Other, None, "old"), (Echo, 2, new), (Echo, None, new)]
        assert await sys.get_state(pid) == changed
        with pytest.raises(sys.CodeChangeError, match="Bare has no code_change"):
            await sys.change_code(pid, Bare, 1, "extra")
        await sys.change_code(pid, dict, 1, "extra")  # nobody's class: nobody is reached
        await sys.change_code(pid, "some.other.module", 1, "extra")
        assert await sys.get_state(pid) == changed
        await sys.change_code(pid, __name__, 2, None)
        assert [state for _, _, state in await sys.get_state(pid)] == [
            "old",  # it has no code_change, and was not loaded anew
            ("old", 2, None),
            (new, 2, None),
            (new, 2, None),
        ]
        await sys.resume(pid)
        assert await gen_event.call(pid, Other, "x") == ("x", ("old", 2, None))

    as_process(body)


OLD = """
from supervisors import GenEvent

class Tally(GenEvent):
    def handle_event(self, event, count):
        return "ok", count + 1

class Log(Tally):
    pass
"""
NEW = (
    OLD.replace("count + 1", "count + 10")
    + """
    def code_change(self, old_vsn, count, extra):
        return "ok", count * extra
"""
)


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of handlers, and the way to have another version of it loaded."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(python, "dont_write_bytecode", True)
    path = tmp_path / "handlers_under_test.py"
    path.write_text(OLD)
    module = importlib.import_module("handlers_under_test")

    def load(text: str) -> None:
        path.write_text(text)
        importlib.reload(module)

    yield module, load
    python.modules.pop("handlers_under_test", None)


@pytest.mark.parametrize("by", ["new class", "old class"])
def test_a_reloaded_handler_runs_its_new_code(as_process: Any, handlers: Any, by: str) -> None:
    module, load = handlers

    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, module.Log, 1)
        await gen_event.add_handler(pid, module.Tally, 1)
        old, tally = module.Log, module.Tally
        load(NEW)
        await sys.suspend(pid)
        await sys.change_code(pid, module.Log if by == "new class" else old, "v1", 5)
        assert await sys.get_state(pid) == [(tally, None, 1), (module.Log, None, 5)]
        await sys.resume(pid)
        await gen_event.sync_notify(pid, "event")
        assert [state for _, _, state in await sys.get_state(pid)] == [2, 15]

    as_process(body)


def test_a_failing_migration_keeps_every_handler_as_it_was(as_process: Any, handlers: Any) -> None:
    module, load = handlers

    async def body() -> None:
        pid = await gen_event.start()
        await gen_event.add_handler(pid, module.Log, 1)
        await gen_event.add_handler(pid, module.Tally, 1)
        before = await sys.get_state(pid)
        load(NEW)
        await sys.suspend(pid)
        with pytest.raises(sys.CodeChangeError, match="Tally has no code_change"):
            await sys.change_code(pid, module, "v1", 5)
        assert await sys.get_state(pid) == before
        await sys.resume(pid)
        await gen_event.sync_notify(pid, "event")
        assert [state for _, _, state in await sys.get_state(pid)] == [2, 2]

    as_process(body)


def test_the_log_of_a_manager_has_its_handlers_as_get_state_has_them(as_process: Any) -> None:
    async def body() -> None:
        pid = await gen_event.start()
        await sys.log(pid, True)
        await gen_event.add_handler(pid, Echo, "state")
        gen_event.notify(pid, lambda state: ("ok", [state]))
        await gen_event.which_handlers(pid)
        log = await sys.log(pid, "get")
        states = [event[-1] for event in log if event[0] != "in"]
        assert states == [[(Echo, None, "state")], *[[(Echo, None, ["state"])]] * 2]

    as_process(body)
