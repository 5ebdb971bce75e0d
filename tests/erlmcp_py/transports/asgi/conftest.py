"""A server with a probe, in an application of a host that is made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from erlmcp_py.transports import asgi
from tests.erlmcp_py.transports.node import Probe, make_server

from .host import Host, hosting


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
async def host(probe: Probe) -> AsyncIterator[Host]:
    async with hosting(asgi.application(make_server(probe))) as host:
        yield host
