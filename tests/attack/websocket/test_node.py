"""The table and random damage, at a node: the right Close frame or none, and nothing is left."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from erlmcp_py.transports.net.supervisor import connections
from supervisors import CrashReport, current_runtime
from tests.attack.websocket.judge import judge
from tests.attack.websocket.table import FRAGMENTS, LIMIT, cases
from tests.erlmcp_py.transports.http.client import legacy_call, meta
from tests.erlmcp_py.transports.node import open_descriptors, until
from tests.erlmcp_py.transports.websocket.client import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    World,
    WsClient,
    frame,
    listening,
)


def echo(id: int, text: str) -> bytes:
    message = legacy_call("echo", id, text=text)
    message["params"]["_meta"] = meta()
    return json.dumps(message).encode()


async def play(world: World, wire: bytes, rng: random.Random) -> bytes | int | None:
    """Send it in pieces of any size; what was answered has to be what the judge says."""
    verdict = judge(wire, LIMIT, FRAGMENTS)
    async with world.client() as client, trio.open_nursery() as nursery:
        nursery.start_soon(_send, client, wire, rng)
        pongs, ending = [], None
        if verdict.close is None:
            nursery.start_soon(_send_later, client, wire)
        while True:
            got = await client.frame()
            assert got is not None, f"closed without a word, where {verdict} was due"
            assert got.fin
            if got.opcode == PONG:
                pongs.append(got.payload)
            elif got.opcode == TEXT:
                answer = json.loads(got.payload)
                assert "error" in answer or answer["result"]
            else:
                assert got.opcode == CLOSE, got
                ending = got.payload
                break
        assert pongs[: len(verdict.pongs)] == verdict.pongs
        expected = verdict.close
        if expected is None:
            return None  # what was incomplete went on with our zeros, or did not
        if isinstance(expected, int):
            assert int.from_bytes(ending[:2], "big") == expected, (ending, verdict)
            ending[2:].decode()
        else:
            assert ending == expected
        assert await client.frame() is None
        nursery.cancel_scope.cancel()
    return expected


async def _send(client: WsClient, wire: bytes, rng: random.Random) -> None:
    try:
        while wire:
            size = rng.choice([1, 3, 50, 5000, 1 << 20])
            await client.stream.send_all(wire[:size])
            wire = wire[size:]
    except trio.BrokenResourceError:
        pass  # the node had heard enough


async def _send_later(client: WsClient, wire: bytes) -> None:
    """Bring an open end to an end: no frame goes on behind so many zeros, which are no frames."""
    await wait_all_tasks_blocked(0.01)
    try:
        await client.stream.send_all(bytes(2 * LIMIT))
    except trio.BrokenResourceError:
        pass


def crashes(world: World) -> list[Any]:
    return [report for report in world.reports if isinstance(report, CrashReport)]


async def settled(world: World) -> None:
    with trio.fail_after(10):
        while (await world.numbers()).open:
            await trio.sleep(0.01)


async def test_the_table_at_a_node() -> None:
    rng = random.Random(1)
    async with listening(message_limit=LIMIT, fragments=FRAGMENTS) as world:
        for case in cases():
            await play(world, case.wire, rng)
        await settled(world)
        assert not crashes(world)


def damaged(rng: random.Random) -> bytes:
    """A few good frames, among which something goes wrong."""
    good = [
        frame(TEXT, echo(1, "hello")),
        frame(TEXT, echo(2, "grüße" * 50)[:50], fin=False) + frame(PING, b"p") + frame(0, echo(2, "grüße" * 50)[50:]),
        frame(PING, bytes(rng.randrange(126))),
        frame(PONG, b"?"),
        frame(TEXT, b"no message"),
        frame(CLOSE, b"\x03\xe8bye"),
    ]  # fmt: skip
    wire = bytearray(b"".join(rng.choices(good, (5, 5, 3, 1, 2, 1), k=rng.randrange(1, 8))))
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        at = rng.randrange(len(wire))
        how = rng.randrange(5)
        if how == 0:
            wire[at] = rng.randrange(256)
        elif how == 1:
            wire[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            del wire[at : at + rng.randrange(1, 20)]
        elif how == 3:
            wire[at:at] = rng.randbytes(rng.randrange(1, 20))
        else:
            wire[at:at] = wire[: rng.randrange(30)]
        if not wire:
            break
    return bytes(wire)


@pytest.mark.parametrize("seed", range(2))
async def test_damaged_frames_at_a_node(seed: int) -> None:
    rng = random.Random(seed)
    endings: Counter[Any] = Counter()
    async with listening(message_limit=LIMIT, fragments=FRAGMENTS) as world:
        await play(world, frame(3), rng)
        await settled(world)
        descriptors, processes = open_descriptors(), len(current_runtime().processes())
        for number in range(400):
            wire = damaged(rng)
            try:
                with trio.fail_after(20):
                    endings[await play(world, wire, rng)] += 1
            except BaseException as problem:
                problem.add_note(f"seed {seed}, number {number}: {wire!r}")
                raise
        await settled(world)
        assert not await connections("http")
        assert not crashes(world)
        await until(lambda: open_descriptors() <= descriptors)
        await until(lambda: len(current_runtime().processes()) <= processes)
        async with world.client() as client:
            await client.say(echo(1, "still here"))
            assert (await client.receive())["result"]["content"][0]["text"] == "still here"
    assert len(endings) >= 4, endings
