"""The guide is right: its code blocks, run in order, make a server that does what the text says."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from erlmcp_py.server import Server

from .conftest import Connect

GUIDE = Path(__file__).parents[3] / "docs" / "writing-a-server.md"


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    text = GUIDE.read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "greeter.py").write_text("\n".join(blocks))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("greeter").server
    del sys.modules["greeter"]


async def test_the_guide(greeter: Server, connect: Connect, autojump_clock: MockClock) -> None:
    peer = await connect(greeter, log_level="info")

    async def text_of(name: str, /, **arguments: object) -> str:
        (block,) = (await peer.tool(name, **arguments))["content"]
        return block["text"]

    assert await text_of("greet", name="Ada") == "Hello, Ada! How are you?"
    problem = await peer.failure("greet", nme="Ada")
    assert problem in GUIDE.read_text()
    offers = [{"item": "pen", "price": 2}, {"item": "ink", "price": 1}]
    assert await text_of("cheapest", offers=offers) == '{"item":"ink","price":1.0}'
    assert "minimum of 0" in await peer.failure("cheapest", offers=[{"item": "x", "price": -1}])
    assert await text_of("patient_greet", name="Ada") == "Hello at last, Ada!"
    assert "nobody" in await peer.failure("greet_all", names=[])
    params = {"name": "greet_slowly", "arguments": {"names": ["Ada", "Bo"]}}
    await peer.result("tools/call", params, token="t")
    assert [note["method"].rpartition("/")[2] for note in peer.notifications] == [
        "message",
        "progress",
        "message",
        "progress",
    ]
    uri = "greetings://fr/Ada"
    (contents,) = (await peer.result("resources/read", {"uri": uri}))["contents"]
    assert contents["text"] == "Bonjour, Ada!"
    assert await peer.error("resources/read", {"uri": "greetings://xx/Ada"})
    assert await peer.error("resources/read", {"uri": "greetings://fr/.."})
    uri = "letters://fr/top/left?tags=a&tags=b"
    (contents,) = (await peer.result("resources/read", {"uri": uri}))["contents"]
    assert json.loads(contents["text"]) == {
        "language": "fr",
        "shelf": ["top", "left"],
        "tags": ["a", "b"],
        "limit": 10,
    }
    assert (await peer.tool("words_spell", word="Hi"))["structuredContent"] == ["H", "i"]
    params = {"name": "write_letter", "arguments": {"name": "Ada", "language": "eo"}}
    (message,) = (await peer.result("prompts/get", params))["messages"]
    assert "Saluton" in message["content"]["text"]


async def test_the_thread_of_the_guide(greeter: Server, connect: Connect) -> None:
    (block,) = (await (await connect(greeter)).tool("slow_greet", name="Ada"))["content"]
    assert block["text"] == "Hello from a thread, Ada!"


async def test_the_worker_process_of_the_guide(greeter: Server, connect: Connect) -> None:
    result = await (await connect(greeter)).tool("count_greetings", letters="hello")
    assert result["structuredContent"] == 60


async def test_the_endless_list_of_the_guide(greeter: Server, connect: Connect) -> None:
    peer = await connect(greeter)
    defined = await peer.result("resources/list")
    first = await peer.result("resources/list", {"cursor": defined["nextCursor"]})
    second = await peer.result("resources/list", {"cursor": first["nextCursor"]})
    assert first["resources"][-1]["name"] == "greeting 1000"
    assert second["resources"][0]["uri"] == "greetings://en/1001"
