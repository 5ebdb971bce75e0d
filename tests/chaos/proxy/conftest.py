"""The proxies of a runtime in virtual time, which leave no descriptor and no crash behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from chaos import proxy
from supervisors import CrashReport, Report, Runtime, spawn

from .world import World, descriptors


@pytest.fixture
async def world() -> AsyncIterator[World]:
    before = descriptors()
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    reports: list[Report] = []
    async with listener, Runtime() as runtime:
        runtime.subscribe(reports.append)
        started = trio.Event()

        async def top() -> None:
            await proxy.Proxies.start_link(name=proxy.PROXIES)
            started.set()
            await trio.sleep_forever()

        spawn(top)
        await started.wait()
        yield World(listener, reports)
    assert descriptors() <= before
    assert not [each for each in reports if isinstance(each, CrashReport) and each.kind != "exit"]
