"""Who looks at a process and fails at it takes neither the process nor the runtime along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import supervisors
from supervisors import GenServer, sys


class Plain(GenServer):
    def init(self) -> tuple[str, int]:
        supervisors.trap_exit()
        return ("ok", 0)

    def handle_call(self, _request: Any, _from: Any, state: int) -> tuple[str, int, int]:
        return ("reply", state + 1, state + 1)


class Waiting(GenServer):
    def init(self) -> tuple[str, int]:
        supervisors.trap_exit()
        return ("ok", 0)

    async def handle_call(self, _request: Any, _from: Any, state: int) -> tuple[str, int, int]:
        return ("reply", state + 1, state + 1)


def fails(*_event: Any) -> None:
    raise RuntimeError("no")


BOTH = pytest.mark.parametrize("server", [Plain, Waiting])


@BOTH
def test_a_tracer_that_raises_is_removed(server: Any, capsys: Any) -> None:
    async def main() -> list[int]:
        pid = await server.start(name="traced")
        sys.trace(pid, fails)
        return [await supervisors.call(pid, "next") for _ in range(2)]

    assert supervisors.run(main) == [1, 2]
    assert capsys.readouterr().err.count("tracer of traced removed: ") == 1


@BOTH
def test_a_tracer_that_raises_while_the_runtime_closes(server: Any, capsys: Any) -> None:
    async def main() -> str:
        sys.trace(await server.start(name="traced"), fails)
        return "ended"

    assert supervisors.run(main) == "ended"
    assert "tracer of traced removed: " in capsys.readouterr().err


@BOTH
def test_a_log_on_a_full_disk_is_let_go(server: Any, capsys: Any) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    async def main() -> list[int]:
        pid = await server.start(name="logged")
        await sys.log_to_file(pid, "/dev/full")
        return [await supervisors.call(pid, "next") for _ in range(2)]

    assert supervisors.run(main) == [1, 2]
    assert capsys.readouterr().err.count("log file /dev/full of logged removed: ") == 1
