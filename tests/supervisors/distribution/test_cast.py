"""Casts to nodes that are not there: lost, at no cost to the sender (G15)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import supervisors as otp
from supervisors import GenServer


class Keeper(GenServer):
    """Keeps the casts it gets."""

    def init(self) -> Any:
        return "ok", []

    def handle_cast(self, request: Any, state: Any) -> Any:
        return "noreply", [*state, request]


@pytest.mark.otp("gen_server", "cast_fast")
async def test_a_cast_to_a_node_that_is_away_is_lost_and_costs_no_time(
    autojump_clock: Any, cluster: Any
) -> None:
    async with cluster("a", "b") as nodes:

        async def serve() -> None:
            await Keeper.start(name="keeper")

        await nodes.on("b", serve)

        async def main() -> None:
            began = trio.current_time()
            otp.cast(("keeper", "nowhere"), "to no node")
            nodes.network.partition(["a"], ["b"])
            for _ in range(1000):
                otp.cast(("keeper", "b"), "while it is away")
            assert trio.current_time() == began
            nodes.network.heal()
            await trio.sleep(1)
            otp.cast(("nobody", "b"), "to nobody")
            otp.cast(("keeper", "b"), "it is back")
            await trio.sleep(1)

        await nodes.on("a", main)

        async def state() -> Any:
            return await otp.sys.get_state("keeper")

        assert await nodes.on("b", state) == ["it is back"]
