"""The fixture of the older revisions knows nothing of the newest, and all else passes."""

from __future__ import annotations

import pytest

from erlmcp_py.client import Client
from erlmcp_py.protocol.types import TextContent
from tests.erlmcp_py.client.serving import http_node

from .old import grown_old
from .server import server


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_begins_with_initialize(mode: str) -> None:
    async with http_node(server) as url:
        with grown_old(url) as old:
            options: dict[str, object] = {"mode": mode, "elicit": lambda _: {"name": "Ada"}}
            async with Client(old, **options) as client:  # type: ignore[arg-type]
                assert client.hello.version == "2025-11-25"
                (content,) = (await client.call_tool("test_streaming_elicitation")).content
                assert isinstance(content, TextContent)
                assert content.text == "Hello, Ada!"
            async with Client(url, **options) as client:  # type: ignore[arg-type]
                assert client.hello.era == ("modern" if mode == "auto" else "legacy")
