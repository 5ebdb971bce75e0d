"""Connections that come in at the last moment."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

from erlmcp_py.transports.tcp import TcpSettings, child_spec
from supervisors import call, exit_signal, sys
from tests.erlmcp_py.transports.node import Probe, make_server, node
from tests.erlmcp_py.transports.tcp.client import listening


@pytest.mark.parametrize("ending", ["the runtime closes", "shutdown", "kill"])
async def test_who_came_in_and_was_not_served_yet_is_closed(ending: str) -> None:
    listener = child_spec(TcpSettings(port=0))
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours:
        async with node({"probe": make_server(Probe())}, listener):
            pid = await call("tcp_connections", ("start", theirs, "stranger"))
            if ending != "the runtime closes":
                exit_signal("tcp_connections", ending)
                await wait_all_tasks_blocked()
            else:
                assert pid is not None
        assert theirs.fileno() == -1
        assert ours.recv(1) == b""


async def test_the_machine_of_a_quiet_client_is_asked_whether_it_is_there() -> None:
    async with listening() as world, world.client() as client:
        assert "error" in await client.query(b"{}")
        state: Any = await sys.get_state("tcp_connections")
        (connection,) = state.open.values()
        with socket.socket(fileno=os.dup(connection.wire.descriptor)) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6)):
                if hasattr(socket, option):
                    assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) == value
