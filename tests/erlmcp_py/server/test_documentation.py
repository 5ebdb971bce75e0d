"""The guide is right: its code blocks, run in order, make a server that does what the text says."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from trio.testing import MockClock

from erlmcp_py.server import Server

from .conftest import Connect

GUIDE = Path(__file__).parents[3] / "docs" / "writing-a-server.md"


@pytest.fixture
def greeter() -> Iterator[Server]:
    text = GUIDE.read_text()
    module = ModuleType("greeter")
    sys.modules["greeter"] = module
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start()) + 1
        code = compile("\n" * line + block[1], str(GUIDE), "exec")
        exec(code, module.__dict__)
    yield module.server
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
    params = {"name": "write_letter", "arguments": {"name": "Ada", "language": "eo"}}
    (message,) = (await peer.result("prompts/get", params))["messages"]
    assert "Saluton" in message["content"]["text"]


async def test_the_thread_of_the_guide(greeter: Server, connect: Connect) -> None:
    (block,) = (await (await connect(greeter)).tool("slow_greet", name="Ada"))["content"]
    assert block["text"] == "Hello from a thread, Ada!"
