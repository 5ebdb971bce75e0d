"""Many requests at once on one connection: each gets its own answer, in order, or the connection ends."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from tests.attack.http.answers import Reader
from tests.attack.http.battle import attack, check_good, clean_request, dial, send
from tests.attack.http.mutation import call, chunked_call
from tests.attack.http.table import CASES
from tests.erlmcp_py.transports.http.client import http, modern_call
from tests.erlmcp_py.transports.node import Probe, make_server, node
from tests.fuzz.world import faults

RNG = random.Random(0)


@asynccontextmanager
async def attacked_node() -> AsyncIterator[None]:
    async with node({"probe": make_server(Probe())}, child_spec(ListenerConfig(port=0))) as reports:
        yield
        await clean_request()
        assert not faults(reports)


def slow(text: str, seconds: float = 0.05) -> bytes:
    return http("POST", **modern_call("later", text=text, seconds=seconds))


async def test_whatever_the_table_has_the_next_request_gets_its_own_answer_or_none() -> None:
    async with attacked_node():
        for number, case in enumerate(CASES):
            nonce = f"nonce {number}"
            for pieces in ([case.wire], [case.wire[:-1], case.wire[-1:]]):
                answers = await attack(pieces, nonce)
                heard = nonce.encode() in answers[-1].body
                if isinstance(case.verdict, int):
                    assert [a.status for a in answers] == [case.verdict], case.name
                    assert answers[0].closes, case.name
                else:
                    assert len(answers) == 2, case.name
                    assert heard, case.name


async def test_a_thousand_deep() -> None:
    async with attacked_node():
        wires = [
            (call if number % 2 else chunked_call)(RNG, f"number {number}")
            for number in range(1000)
        ]
        with trio.fail_after(20), await dial() as sock:
            reader = Reader(sock)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, sock, [b"".join(wires)])
                for number in range(1000):
                    check_good(await reader.answer(), f"number {number}")


async def test_mixed_with_refusals_and_a_slow_one() -> None:
    wires = [
        call(RNG, "first"),
        http("GET", "/nothing"),
        slow("second"),
        http("POST", "/mcp", b"{"),
        http("HEAD", "/nothing"),
        http("PUT", "/mcp"),
        call(RNG, "third"),
    ]
    async with attacked_node():
        with trio.fail_after(20), await dial() as sock:
            reader = Reader(sock)
            await send(sock, [b"".join(wires)])
            statuses = []
            for number in range(len(wires)):
                answer = await reader.answer(bodiless=number == 4)
                assert answer is not None
                statuses.append(answer.status)
                if number in (0, 2, 6):
                    check_good(answer, {0: "first", 2: "second", 6: "third"}[number])
    assert statuses == [200, 404, 200, 400, 404, 405, 200]


async def test_what_comes_while_a_slow_one_is_answered_is_kept() -> None:
    async with attacked_node():
        with trio.fail_after(20), await dial() as sock:
            reader = Reader(sock)
            await send(sock, [slow("slow", 0.3)])
            later = [call(RNG, f"number {number}") for number in range(500)]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, sock, later)
                check_good(await reader.answer(), "slow")
                for number in range(500):
                    check_good(await reader.answer(), f"number {number}")


@pytest.mark.parametrize("last", ["close", "refused"])
async def test_nothing_is_answered_behind_the_last(last: str) -> None:
    ends = {
        "close": http("GET", "/nothing", b"", {"Connection": "close"}),
        "refused": b"GET / HTTP/1.1\r\n\r\n",
    }
    wires = [call(RNG, "first"), ends[last], *[call(RNG, "never") for _ in range(100)]]
    async with attacked_node():
        with trio.fail_after(20), await dial() as sock:
            reader = Reader(sock)
            await send(sock, [b"".join(wires)])
            check_good(await reader.answer(), "first")
            answer = await reader.answer()
            assert answer is not None
            assert answer.closes
            assert await reader.rest() == b""


@pytest.mark.parametrize(
    ("expect", "length", "status", "interim"),
    [
        ("100-continue", None, 200, 1),
        ("100-Continue", None, 200, 1),
        ("tea", None, 417, 0),
        ("100-continue, tea", None, 417, 0),
        ("100-continue", 5_000_000, 413, 0),
        ("100-continue", 5, 400, 1),
    ],
)
async def test_expect(expect: str, length: int | None, status: int, interim: int) -> None:
    request = modern_call("echo", text="x")
    headers = {**request["headers"], "Expect": expect}
    head, _, body = http("POST", "/mcp", request["body"], headers).partition(b"\r\n\r\n")
    if length is not None:
        head = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % length)
        body = body[:length]
    async with attacked_node():
        with trio.fail_after(20), await dial() as sock:
            reader = Reader(sock)
            await send(sock, [head + b"\r\n\r\n"])
            async with trio.open_nursery() as nursery:
                # A client that does not wait for ever (RFC 9110, 10.1.1).
                nursery.start_soon(_after, 0.1, sock, body)
                answer = await reader.answer()
            assert answer is not None
            assert (answer.status, reader.interim) == (status, interim)
            assert answer.closes is (status in (413, 417))


async def _after(seconds: float, sock: object, body: bytes) -> None:
    await trio.sleep(seconds)
    await send(sock, [body])
