"""Lines on standard input: play them to a node."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import trio
import trio.testing

from supervisors import Report
from tests.fuzz import channel
from tests.fuzz.world import PATIENCE, stdio_node


def play(lines: Sequence[bytes]) -> tuple[list[Any], list[Report]]:
    """What the node says to these lines and a good request behind them, and what it reported."""
    said: bytes = b""
    reported: list[Report] = []

    async def main() -> None:
        nonlocal said
        data = b"".join(line + b"\n" for line in (*lines, json.dumps(channel.GOOD).encode()))
        async with stdio_node() as (ends, reports), trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE):

                async def send() -> None:
                    await ends.write.send_all(data)
                    await ends.write.aclose()

                nursery.start_soon(send)
                said = await ends.all()
            reported.extend(reports)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return [json.loads(line) for line in said.splitlines()], reported
