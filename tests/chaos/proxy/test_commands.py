"""``chaos proxy ...`` as an operator types it, against a node in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result

from chaos.commands import commands
from erlmcp_py.console.place import DIRECTORY_VARIABLE


async def chaos(node: Any, *words: str) -> Result:
    env = {DIRECTORY_VARIABLE: str(node.directory)}

    def invoke() -> Result:
        return CliRunner().invoke(commands, ["proxy", *words, "--name", "demo"], env=env)

    return await trio.to_thread.run_sync(invoke)


async def test_the_life_of_a_proxy(node: Any) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        upstream = "{}:{}".format(*listener.socket.getsockname())
        assert (await chaos(node, "list")).stdout == "no proxies\n"
        started = await chaos(node, "start", "web", "--upstream", upstream, "--seed", "7", "--json")
        assert started.exit_code == 0, started.output
        listen = json.loads(started.stdout)["listen"]

        words = ("latency", "--delay", "0.001", "--direction", "downstream", "--toxicity", "0.5")
        one = await chaos(node, "set", "web", *words)
        two = await chaos(node, "set", "web", "limit_data", "--after", "3", "--as", "short")
        assert one.exit_code == two.exit_code == 0, one.output + two.output
        assert f"web  {listen} -> {upstream}  seed 7" in two.stdout
        assert "latency  direction downstream  toxicity 0.5  delay 0.001  jitter 0.0" in two.stdout
        assert "short (limit_data)  direction both  toxicity 1.0  after 3" in two.stdout

        host, _, port = listen.rpartition(":")
        client = await trio.open_tcp_stream(host, int(port))
        server = await listener.accept()
        async with client, server:
            await client.send_all(b"abcdef")
            assert await server.receive_some() == b"abc"
            assert await server.receive_some() == b""

        assert "short" not in (await chaos(node, "remove", "web", "short")).stdout
        (found,) = json.loads((await chaos(node, "list", "--json")).stdout)
        assert (found["accepted"], found["closes"], found["bytes_upstream"]) == (1, 1, 3)
        assert list(found["toxics"]) == ["latency"]
        assert "latency" not in (await chaos(node, "remove", "web")).stdout

        assert (await chaos(node, "stop", "web")).exit_code == 0
        assert (await chaos(node, "list")).stdout == "no proxies\n"
        with pytest.raises(OSError, match="failed"):
            await trio.open_tcp_stream(host, int(port))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("start", "b", "--upstream", "nowhere"),
            "upstream must be HOST:PORT, such as 127.0.0.1:8080",
        ),
        (("start", "b", "--upstream", "[::1]:99999"), "not '[::1]:99999'"),
        (("start", "b", "--upstream", "::1:80"), "must be HOST:PORT"),
        (("start", "B", "--upstream", "h:1"), "cannot name a proxy"),
        (("start", "web", "--upstream", "h:1"), "already"),
        (("start", "b", "--upstream", "h:1", "--listen", "0.0.0.0:0"), "of this machine only"),
        (("start", "b", "--upstream", "h:1", "--listen", "unix:/tmp/b"), "of this machine only"),
        (("set", "web", "latency", "--after", "3"), "latency has no after; it has delay"),
        (("set", "web", "loss", "--share", "1.5"), "between 0 and 1, not 1.5"),
        (("set", "nobody", "latency"), "no proxy 'nobody'; there are web"),
        (("remove", "web", "latency"), "proxy web has no toxic 'latency'; it has none"),
        (("remove", "nobody"), "no proxy 'nobody'"),
        (("stop", "nobody"), "no proxy 'nobody'"),
    ],
)
async def test_what_goes_wrong_is_one_line(node: Any, words: tuple[str, ...], said: str) -> None:
    await chaos(node, "start", "web", "--upstream", "127.0.0.1:1")

    result = await chaos(node, *words)

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


async def test_the_shell_knows_them(node: Any) -> None:
    commands = {each["name"]: each for each in await node.ask("commands")}

    assert not commands["chaos.proxy.set"]["readonly"]
    assert commands["chaos.proxy.list"]["readonly"]
    assert commands["chaos.proxy.start"]["usage"].startswith("chaos proxy start NAME UPSTREAM")
