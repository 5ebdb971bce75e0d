"""What is no pid, no reference and no caller is refused by name, where it was handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import supervisors as otp
from supervisors import GenServer, Trace, call

NO_PIDS = [None, 7, "somebody", ("pid",), object()]


@pytest.mark.parametrize("value", NO_PIDS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("said", "function"),
    [
        ("link", otp.link),
        ("unlink", otp.unlink),
        ("is_alive", otp.is_alive),
        ("process_info", otp.process_info),
        ("process_info", lambda value: otp.process_info(value, "links")),
        ("register", lambda value: otp.register("name", value)),
    ],
)
def test_only_a_pid_will_do(
    as_process: Any, said: str, function: Callable[[Any], Any], value: Any
) -> None:
    async def body() -> None:
        with pytest.raises(TypeError) as refused:
            function(value)
        assert str(refused.value) == f"{said}(): expected a pid, got {value!r}"

    as_process(body)


@pytest.mark.parametrize(
    ("said", "function"),
    [
        ("monitor", otp.monitor),
        ("exit_signal", lambda value: otp.exit_signal(value, "bang")),
        ("send", lambda value: otp.send(value, "hello")),
        ("send_after", lambda value: otp.send_after(1, value, "hello")),
    ],
)
@pytest.mark.parametrize("value", [None, 7, ["somebody"]], ids=repr)
def test_a_pid_or_a_name(
    as_process: Any, said: str, function: Callable[[Any], Any], value: Any
) -> None:
    async def body() -> None:
        with pytest.raises(TypeError) as refused:
            function(value)
        expected = f"{said}(): expected a pid or the name of a process, got {value!r}"
        assert str(refused.value) == expected

    as_process(body)


@pytest.mark.parametrize("function", [otp.demonitor, otp.unalias])
@pytest.mark.parametrize("value", [None, "ref", []], ids=repr)
def test_only_a_reference_will_do(
    as_process: Any, function: Callable[[Any], Any], value: Any
) -> None:
    async def body() -> None:
        expected = f"{function.__name__}(): expected a reference, got {value!r}"
        with pytest.raises(TypeError) as refused:
            function(value)
        assert str(refused.value) == expected

    as_process(body)


class Strange:
    """Takes any attribute, so that nothing fails by itself."""

    def __repr__(self) -> str:
        raise ValueError("nor can it be shown")


@pytest.mark.parametrize("value", [None, "caller", Strange()], ids=lambda v: type(v).__name__)
def test_only_a_caller_gets_a_reply(as_process: Any, value: Any) -> None:
    async def body() -> None:
        with pytest.raises(TypeError, match=r"reply\(\): expected the from_ of a call, got ."):
            otp.reply(value, "answer")

    as_process(body)


def test_the_server_that_replies_to_nobody_crashes_with_that_word(as_process: Any) -> None:
    class Confused(GenServer):
        def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
            otp.reply(otp.self(), "to the wrong one")  # type: ignore[arg-type]
            return "noreply", state

    async def body() -> str:
        with pytest.raises(otp.CallExit) as failed:
            await call(await Confused.start(), "hello")
        return str(failed.value.cause[0])

    assert as_process(body).startswith("reply(): expected the from_ of a call, got <")


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([None], "Trace(): expected a pid, got None"),
        ([7], "Trace(): expected a pid, got 7"),
        (7, "Trace(): expected a list of pids and names, got 7"),
    ],
)
def test_targets_of_a_trace(as_process: Any, targets: Any, said: str) -> None:
    async def body() -> str:
        with pytest.raises(TypeError) as refused:
            async with Trace(targets):
                pass
        return str(refused.value)

    assert as_process(body) == said
