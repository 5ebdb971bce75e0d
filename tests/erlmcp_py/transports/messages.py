"""Messages that clients of every two-way transport send in tests, and what they ask for."""

from __future__ import annotations

from typing import Any

import msgspec

from erlmcp_py.server import Context
from tests.erlmcp_py.transports.http.client import legacy_call, meta

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def modern(tool: str, id: int | str = 1, **arguments: Any) -> dict[str, Any]:
    message = legacy_call(tool, id, **{k: v for k, v in arguments.items() if k != "meta"})
    message["params"]["_meta"] = meta(**arguments.get("meta", {}))
    return message


def wish(id: int | str, **wanted: Any) -> dict[str, Any]:
    params = {"_meta": meta(), "notifications": wanted}
    return {"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}


def cancel(id: int | str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}


def text(message: Any) -> str:
    return str(message["result"]["content"][0]["text"])


def late() -> str:
    """A tool that comes later."""
    return "late"


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


async def ask_name(context: Context) -> str:
    """Ask the client."""
    return (await context.elicit(Name)).name


def large(size: int) -> str:
    """Something long."""
    return "x" * size
