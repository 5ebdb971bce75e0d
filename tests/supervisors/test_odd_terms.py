"""Terms whose own ``==``, ``hash`` or ``repr`` raises: the fault of whoever brings them (K8)."""

from __future__ import annotations

import io
from typing import Any

import pytest

import supervisors as otp
from supervisors import (
    ChildSpec,
    GenServer,
    GenStateMachine,
    Registry,
    Supervisor,
    SupFlags,
    WarningReport,
    call,
    cast,
    gen_event,
    pg,
    sys,
)
from supervisors.testing import end_of, events, wait_all_blocked


class Odd:
    """Sound until it is told which of the three to refuse."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)

    def check(self, what: str) -> None:
        if what in self.refused:
            raise ValueError(f"no {what} of this")

    def __eq__(self, other: object) -> bool:
        self.check("==")
        if isinstance(other, Odd):
            other.check("==")
        return self is other

    def __hash__(self) -> int:
        self.check("hash")
        return 7

    def __repr__(self) -> str:
        self.check("repr")
        return "Odd()"


class Machine(GenStateMachine):
    def callback_mode(self) -> Any:
        return "handle_event_function"

    def init(self) -> Any:
        return "ok", "begin", None

    def handle_event(self, type_: Any, content: Any, state: Any, data: Any) -> Any:
        return content


class WaitingMachine(Machine):
    async def handle_event(self, type_: Any, content: Any, state: Any, data: Any) -> Any:
        return content


@pytest.mark.parametrize("machine", [Machine, WaitingMachine])
@pytest.mark.parametrize(
    "returned",
    [
        lambda: ("next_state", Odd("=="), None),
        lambda: ("keep_state_and_data", Odd("==")),
        lambda: ("keep_state_and_data", [(("timeout", Odd("hash")), 1, "late")]),
        lambda: ("next_state", "other", None, [("next_event", Odd("=="), "content")]),
        lambda: Odd("=="),
    ],
    ids=["state", "action", "name of a time-out", "type of an event", "return"],
)
def test_a_machine_crashes_alone(as_process: Any, machine: Any, returned: Any) -> None:
    async def body() -> None:
        pid = await machine.start()
        reason = await end_of(pid, lambda: cast(pid, returned()))
        assert isinstance(reason[0], ValueError) or reason[0][0].startswith("bad_")
        assert otp.is_alive(await machine.start())

    as_process(body)


@pytest.mark.parametrize("machine", [Machine, WaitingMachine])
def test_a_machine_whose_state_cannot_be_shown_crashes_with_its_own_reason(
    as_process: Any, machine: Any
) -> None:
    async def body() -> Any:
        pid = await machine.start()
        cast(pid, ("next_state", Odd("repr"), Odd("repr"), [(("timeout", Odd("repr")), 9, 1)]))
        return await end_of(pid, lambda: cast(pid, ("stop", "enough")))

    assert as_process(body) == "enough"


@pytest.mark.parametrize("kind", ["unique", "duplicate"])
def test_a_registry_refuses_a_key_without_a_hash(as_process: Any, kind: Any) -> None:
    async def body() -> None:
        registry = await Registry.start_link(keys=kind)
        for use in (Registry.register, Registry.lookup):
            with pytest.raises(ValueError, match="no hash of this"):
                use(registry, Odd("hash"))
        assert Registry.count(registry) == 0
        Registry.register(registry, "sound")
        assert Registry.keys(registry, otp.self()) == ["sound"]

    as_process(body)


@pytest.mark.parametrize("kind", ["unique", "duplicate"])
def test_a_key_that_broke_is_reported_at_the_end_of_its_process(as_process: Any, kind: Any) -> None:
    async def body() -> None:
        registry = await Registry.start_link(keys=kind)
        key = Odd()

        async def owner() -> None:
            for each in (key, "sound"):
                Registry.register(registry, each)
            await otp.receive()

        pid, ref = otp.spawn_monitor(owner)
        await wait_all_blocked()
        key.refused = {"hash", "repr"}
        with events() as seen:
            otp.send(pid, "end")
            assert await otp.receive() == ("DOWN", ref, "process", pid, "normal")
        (report,) = seen.of(WarningReport)
        assert (report.pid, report.details["error"]) == (registry, "ValueError: no hash of this")
        assert Registry.lookup(registry, "sound") == []
        key.refused = set()
        assert Registry.lookup(registry, key) in ([], [(pid, None)])
        Registry.register(registry, key)
        assert otp.is_alive(registry)

    as_process(body)


@pytest.mark.parametrize("refused", ["hash", "=="])
def test_a_scope_outlives_a_group_that_cannot_be_a_key(as_process: Any, refused: str) -> None:
    async def body() -> None:
        scope = await pg.start_link()
        sound, me = Odd(), otp.self()
        await pg.join("pg", sound, me)
        for use in (pg.join, pg.leave):
            with pytest.raises(ValueError, match="of this"):
                await use("pg", Odd(refused), me)
        for soon in (pg.join_soon, pg.leave_soon):
            with pytest.raises(ValueError, match="of this"):
                soon("pg", Odd(refused), me)
        with pytest.raises(ValueError, match="of this"):
            await pg.monitor("pg", Odd(refused))
        await wait_all_blocked()
        assert otp.is_alive(scope)
        assert pg.get_members("pg", sound) == [me]

    as_process(body)


class Echo(GenServer):
    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        return "reply", request, state

    def handle_info(self, message: Any, state: Any) -> Any:
        return "noreply", state


def test_a_trace_prints_what_cannot_be_shown(
    as_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)

    async def body() -> None:
        pid = await Echo.start(name="echo")
        sys.trace(pid, True)
        await call(pid, Odd("repr"))
        otp.send(pid, (Odd("=="), "with", "more"))
        await call(pid, "still traced")

    as_process(body)
    unseen = "<Odd that shows itself with ValueError>"
    lines = printed.getvalue().splitlines()
    assert lines[0].startswith(f"*DBG* echo got call {unseen} from <")
    assert lines[1].startswith(f"*DBG* echo sent {unseen} to <")
    assert lines[2] == "*DBG* echo got (Odd(), 'with', 'more')"
    assert "still traced" in lines[3]


@pytest.mark.parametrize("tag", [Odd("=="), Odd("hash"), []], ids=["==", "hash", "list"])
def test_senders_to_the_suspended_and_the_full_have_no_part_in_it(
    as_process: Any, tag: Any
) -> None:
    class Full(Echo):
        def init(self) -> Any:
            otp.limit_mailbox(1)
            return "ok", None

    async def body() -> None:
        for server in (Echo, Full):
            pid = await server.start_link()
            await sys.suspend(pid)
            for _ in range(3):
                otp.send(pid, (tag, "some", "thing"))
            await sys.resume(pid)
            await wait_all_blocked()
            assert await call(pid, "there") == "there"

    as_process(body)


class Waiting(Echo):
    async def handle_info(self, message: Any, state: Any) -> Any:
        return "noreply", state


class Quiet(GenStateMachine):
    def callback_mode(self) -> Any:
        return "handle_event_function"

    def init(self) -> Any:
        return "ok", "begin", None

    def handle_event(self, type_: Any, content: Any, state: Any, data: Any) -> Any:
        return "keep_state_and_data"


class WaitingQuiet(Quiet):
    async def handle_event(self, type_: Any, content: Any, state: Any, data: Any) -> Any:
        return "keep_state_and_data"


class Empty(Supervisor):
    def init(self) -> Any:
        return SupFlags(), []


class Simple(Supervisor):
    def init(self) -> Any:
        return SupFlags("simple_one_for_one"), [ChildSpec("child", (Echo.start_link, ()))]


STRAYS = (
    *(tuple(Odd("==", "hash") for _ in range(n)) for n in range(1, 7)),
    *(
        (tag, *(Odd("==", "hash") for _ in range(2)))
        for tag in ("EXIT", "$reply", "$error", "late")
    ),
    *((tag, *(Odd("==", "hash") for _ in range(4))) for tag in ("DOWN", "pg_sync")),
    ("DOWN", Odd("==", "hash"), "process", Odd("=="), Odd("==")),
    Odd("==", "hash"),
)
"""What a stranger may send: nothing in it can be compared."""


@pytest.mark.parametrize(
    "start",
    [
        Echo.start,
        Waiting.start,
        Quiet.start,
        WaitingQuiet.start,
        Empty.start_link,
        Simple.start_link,
        otp.DynamicSupervisor.start_link,
        otp.TaskSupervisor.start_link,
        otp.Registry.start_link,
        pg.start_link,
        gen_event.start_link,
    ],
    ids=lambda start: f"{start.__module__}.{start.__qualname__}",
)
def test_a_message_that_cannot_be_compared_ends_no_behaviour(as_process: Any, start: Any) -> None:
    async def body() -> None:
        pid = await start()
        for message in STRAYS:
            otp.send(pid, message)
            await wait_all_blocked()
        assert otp.is_alive(pid)

    as_process(body)


@pytest.mark.parametrize("start", [Empty.start_link, Simple.start_link])
def test_a_request_that_cannot_be_compared_is_refused_by_a_supervisor(
    as_process: Any, start: Any
) -> None:
    async def body() -> None:
        pid = await start()
        for request in (Odd("=="), (Odd("=="), 1)):
            assert (await call(pid, request))[0] == "error"
        assert otp.is_alive(pid)

    as_process(body)
