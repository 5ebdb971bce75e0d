"""A wire with TLS, by itself: between a process of the node and a client in a thread."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from erlmcp_py.transports.net.settings import TlsSettings
from erlmcp_py.transports.net.tls.credentials import Credentials
from erlmcp_py.transports.net.tls.wire import TlsWire
from supervisors import Runtime, receive, spawn
from supervisors import self as own_pid
from tests.erlmcp_py.transports.net.certificates import Authority

Serve = Callable[[TlsWire], Awaitable[None]]
Client = Callable[[ssl.SSLSocket], bytes]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.issue(tmp_path / "node.pem", tmp_path / "node.key")
    return made


async def talk(authority: Authority, serve: Serve, client: Client) -> bytes:
    """What the client returns that talks to `serve`."""
    directory = authority.path.parent
    settings = TlsSettings(certificate=str(directory / "node.pem"), key=str(directory / "node.key"))
    credentials = Credentials(settings)
    credentials.load()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    wire = TlsWire(ours, credentials)
    done = trio.Event()

    async def life() -> None:
        wire.owner = own_pid()
        assert await wire.open()
        try:
            await serve(wire)
        finally:
            wire.close()
            done.set()

    def in_thread() -> bytes:
        theirs.settimeout(10)
        with authority.client_context().wrap_socket(
            theirs, server_hostname="localhost", suppress_ragged_eofs=False
        ) as stream:
            return client(stream)

    async with Runtime():
        spawn(life)
        with trio.fail_after(10):
            result = await trio.to_thread.run_sync(in_thread)
            await done.wait()
    return result


def read_all(stream: ssl.SSLSocket) -> bytes:
    data = b""
    while piece := stream.recv(65536):
        data += piece
    return data


async def test_what_is_sent_in_anybodys_turn_stays_in_order(authority: Authority) -> None:
    """A record that the system has taken in part has to be finished before anything else is sent."""
    expected: list[bytes] = []
    go = trio.Event()

    async def serve(wire: TlsWire) -> None:
        number = 0
        while True:
            data = b"%08d " % number * 1000
            if not wire.send_now(data):
                break
            expected.append(data)
            number += 1
        go.set()
        assert await receive() == ("unsent",)
        wire.write(b"the end")
        expected.append(b"the end")
        await wire.flush()
        assert wire.stuck_since is None
        await wire.linger()

    def client(stream: ssl.SSLSocket) -> bytes:
        trio.from_thread.run(go.wait)
        return read_all(stream)

    received = await talk(authority, serve, client)
    assert len(expected) > 3
    assert received == b"".join(expected)


async def test_an_end_that_is_said_and_one_that_is_not(authority: Authority) -> None:
    gone: list[bool] = []

    async def serve(wire: TlsWire) -> None:
        assert await wire.read() == b"x"
        assert await wire.read() == b""
        gone.append(wire.gone)
        wire.write(b"bye")
        await wire.flush()

    def orderly(stream: ssl.SSLSocket) -> bytes:
        stream.sendall(b"x")
        with pytest.raises(ssl.SSLError):
            # It says its end, and then finds what the other side still had to say.
            stream.unwrap()
        return b""

    def cut(stream: ssl.SSLSocket) -> bytes:
        stream.sendall(b"x")
        socket.socket.shutdown(stream, socket.SHUT_WR)
        return b""

    await talk(authority, serve, orderly)
    await talk(authority, serve, cut)
    assert gone == [False, True]
