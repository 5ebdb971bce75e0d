"""Log files, printed logs and traces, and what is left when all is off."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest

import supervisors
from supervisors import GenServer, call, cast, stop, sys


class Counter(GenServer):
    def init(self) -> Any:
        return "ok", 0

    def handle_call(self, request: Any, from_: Any, count: int) -> Any:
        return "reply", count, count

    def handle_cast(self, step: int, count: int) -> Any:
        return "noreply", count + step


class AsyncCounter(Counter):
    async def handle_cast(self, step: int, count: int) -> Any:
        return super().handle_cast(step, count)


both = pytest.mark.parametrize("server", [Counter, AsyncCounter])


@pytest.mark.otp("sys", "log_to_file")
@both
def test_a_log_file_has_every_event_until_the_end(as_process, server, tmp_path: Path) -> None:
    path = tmp_path / "counter.log"

    async def main() -> None:
        pid = await server.start(name="counter")
        await sys.log_to_file(pid, path)
        assert (await sys.get_status(pid))["debug"] == [("log_to_file", str(path))]
        cast(pid, 2)
        await call(pid, "get")
        await stop(pid)

    as_process(main)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["*DBG* counter got cast 2", "*DBG* counter new state 2"]
    assert "got call 'get'" in lines[2]
    assert lines[-1] == "*DBG* counter ended: normal"


@both
def test_a_log_file_that_cannot_be_opened_leaves_nothing_on(as_process, server, tmp_path) -> None:
    async def main() -> None:
        pid = await server.start()
        with pytest.raises(OSError, match="missing"):
            await sys.log_to_file(pid, tmp_path / "missing" / "file")
        assert (await sys.get_status(pid))["debug"] == []

    as_process(main)


@pytest.mark.otp("sys", "trace")
@both
def test_printed_to_standard_error(as_process, server, capsys) -> None:
    async def main() -> None:
        pid = await server.start(name="counter")
        sys.trace(pid, True)
        cast(pid, 1)
        await call(pid, "get")
        sys.trace(pid, False)
        await sys.log(pid, True)
        cast(pid, 5)
        await call(pid, "get")
        await sys.log(pid, "print")

    as_process(main)
    out, err = capsys.readouterr()
    assert out == ""
    assert "*DBG* counter got cast 1\n" in err
    assert "*DBG* counter got cast 5\n*DBG* counter new state 6\n" in err


@both
def test_off_means_that_nothing_is_left(as_process, server) -> None:
    async def main() -> None:
        pid = await server.start()
        await sys.log(pid, True)
        await sys.statistics(pid, True)
        sys.trace(pid, lambda event: None)
        await sys.install(pid, lambda state, event, who: state)
        assert len((await sys.get_status(pid))["debug"]) == 4
        await sys.no_debug(pid)
        assert (await sys.get_status(pid))["debug"] == []
        assert pid._process.extras.debug is None

    as_process(main)


def test_a_size_below_one_is_refused(as_process) -> None:
    async def main() -> None:
        pid = await Counter.start()
        with pytest.raises(ValueError, match="a number of events"):
            await sys.log(pid, 0)

    as_process(main)


@both
def test_the_status_says_what_the_process_is(as_process, server) -> None:
    async def main() -> None:
        pid = await server.start(name="counter")
        status = await sys.get_status(pid)
        assert status["behaviour"] == "gen_server"
        assert status["module"].endswith(server.__qualname__)
        assert (status["status"], status["hibernating"], status["log"]) == ("running", False, [])

    as_process(main)


def test_the_examples_of_the_manual() -> None:
    from supervisors._gen_server import nodes, requests

    for module in (supervisors.sys, nodes, requests):
        result = doctest.testmod(module)
        assert result.attempted > 3
        assert result.failed == 0
