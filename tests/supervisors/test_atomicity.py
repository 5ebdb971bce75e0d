"""What one message does, it does as a whole; and what becomes of messages under way."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import supervisors as otp
from supervisors import CallExit, GenServer, Supervisor, SupFlags, call, cast, send, whereis
from supervisors.testing import restart_of, run


class Account(GenServer):
    """State: what it was opened with, and every booking."""

    def init(self, seen: list[Any], opened_with: int) -> Any:
        return "ok", (seen, (opened_with,))

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        seen, bookings = state
        match request:
            case "bookings":
                return "reply", bookings, state
            case "crash":
                state = (seen, (*bookings, "never"))
                raise ValueError("half way")
        return "reply", len(bookings), (seen, (*bookings, request))

    def handle_cast(self, request: Any, state: Any) -> Any:
        seen, bookings = state
        seen.append(request)
        return "noreply", (seen, (*bookings, request))

    def terminate(self, reason: Any, state: Any) -> None:
        state[0].append(("terminate", state[1]))


class SlowAccount(Account):
    async def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        state[0].append(("begins", request))
        await trio.sleep(1)
        state[0].append(("ends", request))
        return super().handle_call(request, from_, state)


ACCOUNTS = pytest.mark.parametrize("server", [Account, SlowAccount])


@ACCOUNTS
def test_a_callback_that_raises_has_changed_nothing(as_process: Any, server: Any) -> None:
    async def main() -> None:
        seen: list[Any] = []
        account = await server.start(seen, 1)
        await call(account, 2)
        with pytest.raises(CallExit):
            await call(account, "crash")
        await wait_all_tasks_blocked()
        assert seen[-1] == ("terminate", (1, 2))

    as_process(main)


def test_a_server_that_waits_takes_no_other_message(as_process: Any) -> None:
    async def main() -> None:
        seen: list[Any] = []
        account = await SlowAccount.start(seen, 0)
        otp.spawn(call, account, 1)
        await wait_all_tasks_blocked()
        cast(account, "meanwhile")
        otp.spawn(call, account, 2)
        await trio.sleep(5)
        assert seen == [("begins", 1), ("ends", 1), "meanwhile", ("begins", 2), ("ends", 2)]

    as_process(main)


class Bank(Supervisor):
    def init(self, seen: list[Any]) -> Any:
        return SupFlags(), [SlowAccount.child_spec(seen, 7, name="account")]


def test_mail_of_the_dead_is_lost_and_those_who_wait_for_it_hear_so(as_process: Any) -> None:
    async def main() -> None:
        seen: list[Any] = []
        bank = await Bank.start_link(seen)
        old = whereis("account")
        assert old is not None
        first, second = (otp.send_request("account", n) for n in (1, 2))
        await wait_all_tasks_blocked()
        cast("account", "in its mailbox")
        new = await restart_of(bank, "account", lambda: otp.exit_signal(old, "kill"))
        for request in (first, second):
            assert await otp.receive_response(request, 1) == ("error", ("killed", "account"))
        cast(old, "to the dead")
        send(old, "to the dead")
        assert await call("account", "bookings") == (7,)
        assert whereis("account") is new
        assert "in its mailbox" not in seen
        assert "to the dead" not in seen

    as_process(main)


def test_signals_of_two_senders_come_in_any_order() -> None:
    async def sends(to: otp.Pid, what: str) -> None:
        send(to, what)

    async def main() -> str:
        for what in "ab":
            otp.spawn(sends, otp.self(), what)
        return str(await otp.receive())

    assert {run(main, seed=seed) for seed in range(20)} == {"a", "b"}


def test_a_plain_callback_is_not_interrupted(as_process: Any) -> None:
    class Stubborn(GenServer):
        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            otp.exit_signal(otp.self(), "kill")
            request.append("went on")
            return "reply", otp.is_alive(otp.self()), state

    async def main() -> None:
        done: list[str] = []
        pid = await Stubborn.start()
        assert await call(pid, done)
        assert done == ["went on"]
        assert not otp.is_alive(pid)

    as_process(main)


def test_no_timer_fires_early(as_process: Any) -> None:
    async def main() -> None:
        for seconds in (0.3, 0.1, 2.0):
            otp.send_after(seconds, otp.self(), seconds)
        begun = otp.current_runtime().now()
        for _ in range(3):
            due = await otp.receive()
            assert otp.current_runtime().now() - begun >= due

    as_process(main)
