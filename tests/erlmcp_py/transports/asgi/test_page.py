"""The example of docs/transports/asgi.md does what the page says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.config import HttpConfig
from erlmcp_py.server import Server
from erlmcp_py.transports import asgi
from tests.erlmcp_py.transports.http.client import modern_call

from .host import Visit, connect, http_scope, hypercorn

PAGE = (Path(__file__).parents[4] / "docs/transports/asgi.md").read_text("utf-8")


async def test_the_site_of_the_page() -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    site: dict[str, Any] = {"__name__": "site"}
    exec(compile(source, "asgi.md", "exec"), site)
    async with hypercorn(site["app"]) as port, connect(port) as client:
        assert (await client.ask("GET", "/")).body == b"a web page"
        for path in ("/tools/mcp", "/tools/mcp/weather"):
            answer = await client.ask(**modern_call("forecast", path=path, city="Oslo"))
            assert answer.text == "sunshine in Oslo"


def test_the_page_says_what_the_code_says() -> None:
    scope = http_scope("GET", "/mcp")
    with pytest.raises(asgi.WrongLoop) as wrong:
        asyncio.run(Visit(asgi.application(Server("x", version="1")), scope).run())
    assert f"    {wrong.value}\n" in PAGE
    keys = re.findall(r"`(?:http\.)?([a-z_]+)`", PAGE.partition("## Configuration")[2])
    assert set(keys) - {"asgi"} <= {*HttpConfig.__struct_fields__, "allowed_hosts"}
