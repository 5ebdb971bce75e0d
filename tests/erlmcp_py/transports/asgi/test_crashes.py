"""Crashes and kills in an ASGI application: what the host and others see of them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

from supervisors import Pid, cast, exit_signal, whereis, which_children
from tests.erlmcp_py.transports.http.client import (
    legacy_call,
    modern_call,
)
from tests.erlmcp_py.transports.node import Probe, kill, until

from .host import Host, legacy_headers, open_session


async def request_process() -> Pid:
    """Of the only request that is at work."""
    (child,) = await which_children("asgi")
    assert child.pid is not None
    return child.pid


async def test_a_handler_that_crashes_is_an_error_of_its_caller(host: Host) -> None:
    assert (await host.ask(**modern_call("crash"))).json["result"]["isError"] is True
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_killed_request_is_503_and_nobody_elses(host: Host, probe: Probe) -> None:
    visit = host.open(**modern_call("hang"))
    await probe.started.wait()
    exit_signal(await request_process(), "kill")
    with trio.fail_after(5):
        await visit.over.wait()
        await probe.cancelled.wait()
    assert visit.answer().status == 503
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_stream_whose_process_is_killed_ends_without_an_end(
    host: Host, autojump_clock: Any
) -> None:
    visit = host.open(**modern_call("hang"))
    assert (await visit.next())["type"] == "http.response.start"
    await kill(await request_process())
    await visit.over.wait()
    assert visit.sent[-1]["more_body"] is True


async def test_a_killed_pool_ends_its_requests_and_no_later_one(host: Host, probe: Probe) -> None:
    visit = host.open(**modern_call("hang"))
    await probe.started.wait()
    pool = whereis("asgi")
    await kill(pool)
    with trio.fail_after(5):
        await visit.over.wait()
    assert visit.answer().status == 503
    await until(lambda: whereis("asgi") not in (None, pool))
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_killed_server_comes_back(host: Host) -> None:
    for _ in range(3):
        await kill(whereis("server_probe"))
        assert (await host.ask(**modern_call("echo", text="on"))).text == "on"


async def test_a_session_outlives_its_server(host: Host) -> None:
    headers = legacy_headers(await open_session(host))
    await kill(whereis("server_probe"))
    answer = await host.ask(body=legacy_call("echo", text="on"), headers=headers)
    assert answer.text == "on"


async def test_a_core_that_gives_up_is_503_and_the_host_goes_on(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "erlmcp_py"):
        for _ in range(30):
            core = whereis("core")
            if core is None:
                break
            await kill(core)
            await trio.sleep(0.02)
    assert (await host.ask(**modern_call("echo", text="x"))).status == 503
    assert any("restarted too often" in record.message for record in caplog.records)


async def test_crashes_are_told_to_the_logging_of_the_host(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "erlmcp_py"):
        cast("asgi", "nobody sends such a thing")
        await until(lambda: any("crash" in record.message for record in caplog.records))
    assert (await host.ask(**modern_call("echo", text="on"))).text == "on"
