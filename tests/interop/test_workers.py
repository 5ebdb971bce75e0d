"""Official clients of both eras against three workers: a session over many connections at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from mcp.client.client import Client

from .conftest import Node

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore:Async generator '(httpx2|mcp):ResourceWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("workers"), "--workers", "3")
    yield node
    assert node.stop() == 0


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_calls_at_once_go_over_many_connections(workers: Node, mode: str) -> None:
    right = []

    async def call(client: Client, number: int) -> None:
        arguments = {"left": number, "operator": "+", "right": 1}
        result = await client.call_tool("calculate", arguments)
        right.append(result.structured_content["value"] == number + 1)

    async def work() -> None:
        async with (
            Client(workers.url("calculator"), mode=mode) as client,  # type: ignore[arg-type]
            trio.open_nursery() as nursery,
        ):
            for number in range(12):
                nursery.start_soon(call, client, number)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(work)
    assert right == [True] * 48
