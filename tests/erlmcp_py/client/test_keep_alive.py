"""Kept connections are used as long as their server says that it keeps them, and not in its last moment."""

from __future__ import annotations

import ssl

import pytest
import trio.testing

from erlmcp_py.client.http.address import read_address
from erlmcp_py.client.http.pool import Pool

from .bad import Asked, http_server, json_answer

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("header", "kept", "gone"),
    [
        ("Keep-Alive: timeout=5\r\n", 3.9, 4.0),
        ("Keep-Alive: max=100, Timeout=60\r\n", 58.9, 59.0),
        ("Keep-Alive: timeout=1\r\n", None, 0.0),
        ("Keep-Alive: timeout=0\r\n", None, 0.0),
        ("Keep-Alive: timeout=soon\r\n", 3600.0, None),
        ("Keep-Alive: idle-timeout=5\r\n", 3600.0, None),
        ("", 3600.0, None),
    ],
)
async def test_how_long(
    header: str, kept: float | None, gone: float | None, mock_clock: trio.testing.MockClock
) -> None:
    def behave(_: Asked) -> bytes:
        return json_answer({}, headers=header)

    async with http_server(behave) as (url, _):
        pool = Pool(read_address(url), ssl.create_default_context)

        async def ask() -> int:
            reply = await pool.open(REQUEST)
            assert await reply.body() == b"{}"
            reply.close()
            return pool.made

        assert await ask() == 1
        if kept is not None:
            mock_clock.jump(kept)
            assert await ask() == 1
        if gone is not None:
            mock_clock.jump(gone)
            assert await ask() == 2
        pool.close()


async def test_it_counts_from_the_answer(mock_clock: trio.testing.MockClock) -> None:
    def behave(_: Asked) -> bytes:
        return json_answer({}, headers="Keep-Alive: timeout=5\r\n")

    async with http_server(behave) as (url, _):
        pool = Pool(read_address(url), ssl.create_default_context)
        for _ in range(2):
            reply = await pool.open(REQUEST)
            await reply.body()
            mock_clock.jump(4.5)  # somebody logs in, and the answer is let go of after that
            reply.close()
        assert pool.made == 2
        pool.close()
