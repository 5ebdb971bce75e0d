"""Who may ask how the node is: the same as may call it, and whoever knows it by its address."""

from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.server import Server

SERVERS = {"main": Server("main", version="1")}


@pytest.mark.parametrize("path", ["/health", "/ready", "/live", "/ping"])
async def test_a_page_cannot_read_a_probe(running: Any, path: str) -> None:
    async with running(SERVERS) as client:
        foreign = {"Origin": "https://evil.example"}
        assert (await client.request("GET", path, headers=foreign)).status == 403
        rebound = {"Host": "evil.example"}
        assert (await client.request("GET", path, headers=rebound)).status == 421
        local = {"Origin": "http://localhost:3000"}
        assert (await client.request("GET", path, headers=local)).status in (200, 503)


@pytest.mark.parametrize("host", ["10.1.2.3:8080", "[fd00::1]:8080", "localhost"])
async def test_an_orchestrator_probes_by_address(running: Any, host: str) -> None:
    async with running(SERVERS) as client:
        assert (await client.request("GET", "/live", headers={"Host": host})).status == 200
        asked = await client.post("main", "ping", {}, {"Host": host})
        assert (asked.status == 421) is (host != "localhost")
