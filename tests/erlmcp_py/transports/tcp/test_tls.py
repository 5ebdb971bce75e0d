"""TCP over TLS: the same messages, and a word to those who do not speak it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from erlmcp_py.transports.net.settings import TlsSettings
from tests.erlmcp_py.transports.messages import modern
from tests.erlmcp_py.transports.net.certificates import Authority
from tests.erlmcp_py.transports.tcp.client import Framing, TcpClient, listening


@pytest.mark.parametrize("framing", ["newline", "length"])
async def test_calls_are_answered_over_tls(tmp_path: Path, framing: Framing) -> None:
    authority = Authority(tmp_path)
    certificate, key = tmp_path / "node.pem", tmp_path / "node.key"
    authority.issue(certificate, key)
    tls = TlsSettings(certificate=str(certificate), key=str(key))
    async with listening(framing=framing, tls=tls) as world:
        plain = await trio.open_tcp_stream(*await world.address())
        async with trio.SSLStream(
            plain, authority.client_context(), server_hostname="localhost", https_compatible=True
        ) as stream:
            client = TcpClient(stream, framing)  # type: ignore[arg-type]
            messages = [modern(("echo", "later")[n % 2], n, text="x" * 1000) for n in range(200)]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.say, *messages)
                answers = {(await client.receive())["id"] for _ in messages}
            assert answers == set(range(200))
        async with world.client() as client:
            refused = await client.query(modern("echo", 1, text="x"))
            assert "speaks TLS" in refused["error"]["message"]
            assert await client.receive() is None
