"""A client as a program: orders come as lines of JSON, results and events go out as lines of JSON.

The same as `js/line.mjs`, for clients written in Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import anyio

Method = Callable[[dict[str, Any], Callable[..., Any] | None], Awaitable[Any]]


@dataclass
class Connected:
    """A client that has shaken hands. about: what it has learned; methods: by their MCP names."""

    about: dict[str, Any]
    methods: Mapping[str, Method]


Connect = Callable[[dict[str, Any]], AbstractAsyncContextManager[Connected]]


class User:
    """Who answers the server's questions; `action` is ordered from outside."""

    action = "accept"

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        emit({"event": "asked", "method": method, "params": params})
        if method == "roots/list":
            return {"roots": [{"uri": "file:///tmp", "name": "tmp"}]}
        if method == "sampling/createMessage":
            content = {"type": "text", "text": "Hi!"}
            return {"role": "assistant", "content": content, "model": "test"}
        if self.action != "accept" or params.get("mode") == "url":
            return {"action": self.action}
        fields = params["requestedSchema"]["properties"]
        return {"action": "accept", "content": {"name": "Ada"} if "name" in fields else {"ok": 1}}


user = User()


def emit(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def plain(model: Any) -> Any:
    """A pydantic model as it was on the wire."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


async def serve(connect: Connect) -> None:
    """Until the orders end."""
    orders = anyio.wrap_file(sys.stdin)
    config = json.loads(await orders.readline())
    scopes: dict[int, anyio.CancelScope] = {}

    async def run(order: dict[str, Any]) -> None:
        id = order["id"]

        async def on_progress(done: float, total: float | None, message: str | None) -> None:
            params = {"progress": done, "total": total, "message": message}
            emit({"event": "progress", "of": id, "params": params})

        with anyio.CancelScope() as scopes[id]:
            try:
                callback = on_progress if order.get("progress") else None
                result = await client.methods[order["method"]](order.get("params") or {}, callback)
                emit({"id": id, "result": result})
            except Exception as error:
                told = getattr(error, "error", error)
                emit(
                    {
                        "id": id,
                        "error": {
                            "code": getattr(told, "code", None),
                            "message": getattr(told, "message", None) or str(error),
                            "data": getattr(told, "data", None),
                        },
                    }
                )
        if scopes[id].cancelled_caught:
            emit({"id": id, "error": {"code": None, "message": "cancelled", "data": None}})

    async with connect(config) as client, anyio.create_task_group() as tasks:
        emit({"ready": client.about})
        while line := await orders.readline():
            order = json.loads(line)
            if "answer" in order:
                user.action = order["answer"]
            elif "cancel" in order:
                scopes[order["cancel"]].cancel()
            else:
                tasks.start_soon(run, order)
        tasks.cancel_scope.cancel()
