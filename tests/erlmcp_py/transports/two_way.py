"""The transports on which both sides may speak at any time, under one roof: a node, and clients with the
same words (`say`, `query`, `receive`).
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from tests.erlmcp_py.transports.node import Probe
from tests.erlmcp_py.transports.tcp import client as tcp
from tests.erlmcp_py.transports.websocket import client as websocket

Way = Literal["newline", "length", "websocket"]
"""A framing of TCP, or WebSocket."""


def listening(
    way: Way, probe: Probe | None = None, *, idle_timeout: float = 75.0, **settings: Any
) -> AbstractAsyncContextManager[Any]:
    """A node whose server "probe" is served, and its `World`. settings: those both transports know."""
    if way == "websocket":
        return websocket.listening(probe, http={"idle_timeout": idle_timeout}, **settings)
    return tcp.listening(probe, way, idle_timeout=idle_timeout, **settings)


def transport(way: Way) -> str:
    """The name of the listener."""
    return "http" if way == "websocket" else "tcp"
