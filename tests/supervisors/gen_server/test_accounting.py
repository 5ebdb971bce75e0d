"""What a plain server has taken is counted, message by message, in whatever way it handles them."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import GenServer, Pid


class Counter(GenServer):
    """Handles messages in every way there is. State: how many."""

    def init(self) -> Any:
        return "ok", 0

    def handle_call(self, request: Any, from_: Any, state: int) -> Any:
        return "reply", state, state

    def handle_cast(self, request: Any, state: int) -> Any:
        match request:
            case "continue":
                return "noreply", state + 1, ("continue", "more")
            case "another":
                otp.cast(otp.self(), "plain")
            case "look":
                assert otp.process_info(otp.self()).message_queue_len == 3
        return "noreply", state + 1

    def handle_continue(self, _more: Any, state: int) -> Any:
        return "noreply", state

    def handle_info(self, _message: Any, state: int) -> Any:
        return "noreply", state + 1


def taken(pid: Pid) -> int:
    return int(otp.process_info(pid).messages_in)


@pytest.mark.parametrize("count", [1, 2, 3, 1_999, 2_000, 2_001, 7_000])
def test_every_message_counts_once(as_process: Any, count: int) -> None:
    async def main() -> None:
        pid = await Counter.start()
        for number in range(count):
            if number % 3 == 2:
                otp.send(pid, "info")
            else:
                otp.cast(pid, ("plain", "continue")[number % 3])
        assert await otp.call(pid, "count") == count
        assert taken(pid) == count + 1

    as_process(main)


def test_what_comes_of_a_message_counts_when_its_turn_has_come(as_process: Any) -> None:
    async def main() -> None:
        pid = await Counter.start()
        for what in ("another", "plain", "another", "look", "plain"):
            otp.cast(pid, what)
        assert await otp.call(pid, "count") == 7
        assert taken(pid) == 8

    as_process(main)
