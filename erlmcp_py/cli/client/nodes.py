"""Servers of a node that runs, by their names: ``NAME@NODE``."""

from __future__ import annotations

from erlmcp_py.console.client import Client, CommandFailed, NodeGone, NoSuchNode
from erlmcp_py.console.place import DEFAULT_NAME

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class NotServed(Exception):
    """No node serves that; one line."""


def url_of(target: str) -> str:
    """Where ``NAME@NODE`` is served; without NAME at `/mcp`, without NODE by the node `erlmcp`.

    Raises `NotServed`.
    """
    name, _, node = target.partition("@")
    node = node or DEFAULT_NAME
    try:
        with Client.connect(node) as console:
            status = console.request("status")
    except (NoSuchNode, NodeGone, CommandFailed) as problem:
        raise NotServed(str(problem)) from None
    if name and name not in status["servers"]:
        known = ", ".join(status["servers"]) or "none"
        raise NotServed(f"node {node!r} has no server {name!r}; there are {known}")
    http = status["transports"].get("http")
    if http is None or not isinstance(http.get("port"), int):
        raise NotServed(f"node {node!r} does not listen for HTTP on a port")
    if http["host"].startswith("unix:"):
        raise NotServed(
            f"node {node!r} listens for HTTP on {http['host']} only, and this client needs a port; "
            "where the node has TCP on a Unix socket, name that: unix:/PATH"
        )
    host = _EVERYWHERE.get(http["host"], http["host"])
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if http["tls"] else "http"
    return f"{scheme}://{shown}:{http['port']}/mcp" + (f"/{name}" if name else "")
