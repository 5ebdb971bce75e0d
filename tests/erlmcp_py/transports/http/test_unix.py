"""HTTP over a Unix socket: the file, who may have it, and what is in its way."""

# ruff: noqa: ASYNC240 -- a look at a file of the test takes no time

from __future__ import annotations

import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
import trio

from erlmcp_py import registry
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.http.supervisor import child_spec
from erlmcp_py.transports.net.supervisor import connections
from supervisors import Runtime, StartError, terminate_child, whereis
from tests.erlmcp_py.transports.http.client import Client, modern_call
from tests.erlmcp_py.transports.http.test_listener import start_on
from tests.erlmcp_py.transports.http.test_tls import World
from tests.erlmcp_py.transports.node import Probe, kill, make_server, node, open_descriptors, until


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory() as directory:  # the path of a socket must be short
        yield Path(directory) / "s.sock"


def config(path: Path) -> ListenerConfig:
    return ListenerConfig(host=f"unix:{path}")


@contextlib.asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Client]:
    async with await trio.open_unix_socket(path) as stream:
        yield Client(stream)


async def refused(path: Path) -> Any:
    async with Runtime():
        with pytest.raises(StartError) as failed:
            await start_on(config(path))
    return failed.value.reason


async def test_a_call_and_what_is_said_of_it(path: Path) -> None:
    before = open_descriptors()
    async with node({"probe": make_server(Probe())}, child_spec(config(path))):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        info = (await registry.transports())["http"].info
        assert (info["kind"], info["address"], info["tls"]) == ("http", f"unix:{path}", False)
        async with connected(path) as client, connected(path) as other:
            assert (await client.call("echo", text="x")).text == "x"
            assert (await other.call("echo", text="y")).text == "y"
            assert {each.peer for each in await connections("http")} == {"unix#1", "unix#2"}
            foreign = modern_call("echo", text="x")
            foreign["headers"]["Host"] = "evil.example"
            assert (await client.ask(**foreign)).status == 421
    assert not path.exists()
    await until(lambda: open_descriptors() == before)


async def test_tls_on_a_unix_socket(path: Path, tmp_path: Path) -> None:
    world = World(tmp_path)
    there = msgspec.structs.replace(world.config(), host=f"unix:{path}")
    async with (
        node({"probe": make_server(Probe())}, child_spec(there)),
        await trio.open_unix_socket(path) as plain,
    ):
        context = world.authority.client_context()
        stream = trio.SSLStream(plain, context, server_hostname="localhost", https_compatible=True)
        client = Client(stream)  # type: ignore[arg-type]
        assert (await client.call("echo", text="x")).text == "x"


async def test_the_file_goes_with_the_listener(path: Path) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(config(path))):
        await terminate_child("node", "http")
        assert not path.exists()


async def test_killed_processes_find_the_socket_again(path: Path) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(config(path))):
        inode = path.stat().st_ino
        for victim in ("http_listener", "http_socket"):
            await kill(whereis(victim))
            async with connected(path) as client:
                assert (await client.call("echo", text="x")).text == "x"
        assert path.stat().st_ino == inode


async def test_the_socket_of_a_dead_node_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with (
        node({"probe": make_server(Probe())}, child_spec(config(path))),
        connected(path) as client,
    ):
        assert (await client.call("echo", text="x")).text == "x"


async def test_the_socket_of_a_live_one_is_not(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen(1)
        assert await refused(path) == ("socket_in_use", str(path))
        assert path.exists()
        # Also when its queue is full.
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            for client in (one, two):
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.connect(str(path))
            assert await refused(path) == ("socket_in_use", str(path))


async def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    assert await refused(path) == ("not_a_socket", str(path))
    assert path.read_text() == "precious"


async def test_a_link_to_a_socket_is_no_socket(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    assert await refused(path) == ("not_a_socket", str(path))


async def test_where_none_can_be_made(path: Path) -> None:
    nowhere = path.parent / "missing" / "s.sock"
    kind, address, text = await refused(nowhere)
    assert (kind, address, "No such file" in text) == ("cannot_listen", f"unix:{nowhere}", True)
    kind, _, text = await refused(path.parent / ("x" * 200))
    assert (kind, "too long" in text) == ("cannot_listen", True)


async def test_a_successor_keeps_its_file(path: Path) -> None:
    async with node({"probe": make_server(Probe())}, child_spec(config(path))):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
            await terminate_child("node", "http")
            assert path.exists()
