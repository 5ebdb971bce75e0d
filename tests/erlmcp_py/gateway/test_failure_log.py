"""What is said of an upstream that does not start: to operators in one line each time, to clients less."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import trio

from erlmcp_py.client import ConnectError
from erlmcp_py.config import UpstreamConfig
from erlmcp_py.gateway import instance, overview
from erlmcp_py.protocol.errors import McpError
from supervisors import Backoff, current_runtime
from tests.programs import Program

from .upstreams import EXITS, OLD, gateway, program

HIDDEN = "/srv/hidden/bin"
NOT_FOUND = "the program 'no-such-program' was not found on the node"
MISSING = UpstreamConfig(command="no-such-program", env={"PATH": HIDDEN}, restarts=2)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are started again without a pause worth waiting for."""
    monkeypatch.setattr(instance, "PAUSE", Backoff(first=0.01, factor=2.0, limit=60.0, jitter=0.0))


async def log_with(text: str, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """The lines until this is in one of them: processes and the log's thread lie between. Only those of
    this node: the thread of an earlier one writes its last lines when it comes to it. None of alarms: the
    machine may be busy.
    """
    here = f".{current_runtime().serial}> "
    seen = ""
    with trio.fail_after(20):
        while True:
            lines = [line for line in seen.splitlines() if here in line and "alarm" not in line]
            if any(text in line for line in lines) and seen.endswith("\n"):
                return lines
            await trio.sleep(0.01)
            seen += capfd.readouterr().err


async def test_each_start_in_vain_is_one_line_that_says_what_why_how_often_and_when_next(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with gateway({"bad": program(EXITS, restarts=2)}, log="warning"):
        lines = await log_with("4 failures in a row", capfd)
    why = "ended with status 4"
    said = [
        re.sub(r"^.*?(upstream .*?) (could|since).*?: \S*python\S* ", r"\1 \2 ", line)
        for line in lines
        if "upstream" in line  # and not that this machine is busy
    ]
    assert [line.split("; ")[0] for line in said[:4]] == [
        f"upstream bad could {why}",
        f"upstream bad could {why}",
        f"upstream 'bad' is down since {why}",
        f"upstream 'bad' is down since {why}",
    ]
    assert [line.rpartition("; ")[2] for line in said[:4]] == [
        "1 failure, next try in 0.01 s",
        "2 failures in a row, next try in 0.02 s",
        "3 failures in a row, next try in 0.04 s",
        "4 failures in a row, next try in 0.08 s",
    ]


async def test_what_a_program_says_at_each_start_is_told_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with gateway({"bad": program(EXITS)}, log="info"):
        lines = await log_with("4 failures in a row", capfd)
    assert len([line for line in lines if line.endswith(" bad: no licence")]) == 1


async def test_what_ended_for_it_is_in_the_log_for_those_who_want_details(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with gateway({"bad": program(EXITS)}, log="debug"):
        lines = await log_with("could not be started", capfd)
    (report,) = [line for line in lines if "child_terminated" in line][:1]
    assert " debug " in report
    assert "ended with status 4" in report


def worse(lines: list[str]) -> list[str]:
    """Those above level info, from the upstream on."""
    return [line.partition("upstream ")[2] or line for line in lines if " info " not in line]


async def test_a_loss_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """Its subscriptions were lost as well, which was two lines for each."""
    async with gateway({"bad": program(OLD)}, log="info") as node, node.at("bad") as bad:
        await log_with("upstream bad is up", capfd)
        with pytest.raises(McpError):
            await bad.call_tool("die")
        (line,) = worse(await log_with("upstream bad is up", capfd))
    assert line.startswith("bad was lost: ")
    assert "ended with status 7; it said: " in line
    assert line.endswith("; next try in 0.01 s")


async def test_a_loss_too_many_says_that_it_is_down(capfd: pytest.CaptureFixture[str]) -> None:
    bad = program(OLD, restarts=0)
    async with gateway({"bad": bad}, log="info") as node, node.at("bad") as client:
        with pytest.raises(McpError):
            await client.call_tool("die")
        lines = worse(await log_with("next try", capfd))
    assert lines[0].startswith("'bad' is down since ")
    assert "ended with status 7; it said: " in lines[0]
    assert lines[0].endswith("; next try in 0.01 s")


async def test_a_restart_that_somebody_has_ordered_is_no_loss(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with gateway({"good": program(OLD)}, log="info"):
        await log_with("upstream good is up", capfd)
        (one,) = (await overview.served())["good"].instances
        assert await one.begin_anew("ada has restarted it", 0.0)
        lines = await log_with("upstream good is up", capfd)
    assert worse(lines) == []
    assert sum(line.endswith("is started anew: ada has restarted it") for line in lines) == 1


async def test_a_server_at_a_url_that_goes_away_is_one_line_that_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was said to hang."""
    server = Program(tmp_path, "run", "--http", "127.0.0.1:0", "--server", "examples.simple:server")
    try:
        server.up()
        web = UpstreamConfig(
            url=f"http://127.0.0.1:{server.port}/mcp", ping_interval=0.5, ping_timeout=2.0
        )
        async with gateway({"web": web}, log="info"):
            await log_with("upstream web is up", capfd)
            server.process.kill()
            lines = worse(await log_with("upstream web could not be reached", capfd))
    finally:
        server.close()
    assert [line.split(": ")[0] for line in lines[:2]] == [
        "web was lost",
        "web could not be reached",
    ]
    assert "Connection refused" in lines[0]
    assert lines[0].endswith("; next try in 0.01 s")


async def test_clients_are_not_told_where_a_program_was_looked_for_operators_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    told: list[str] = []
    async with gateway({"bad": MISSING, "good": program(OLD)}, log="warning") as node:
        with trio.fail_after(20):
            while not any("is down" in each for each in told):
                try:
                    async with node.at("bad") as client:
                        await client.list_tools()
                except (ConnectError, McpError) as problem:
                    told.append(str(problem))
        async with node.at() as every:
            page, _ = await every.forward("tools/list", {})
            told.append(bytes(page.result).decode())
        row, _ = await overview.rows((await overview.served()).values(), time.time())
        lines = await log_with(HIDDEN, capfd)
    assert all(NOT_FOUND in each for each in told if "is down" in each or '"down"' in each)
    assert not [each for each in told if HIDDEN in each]
    assert row.last_failure is not None
    assert row.last_failure.text.startswith(f"{NOT_FOUND}: PATH is {HIDDEN};")
    assert len([line for line in lines if HIDDEN in line]) == 1, "it is long, and told once"
