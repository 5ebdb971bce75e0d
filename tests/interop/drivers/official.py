"""The client of the official Python SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
from mcp import StdioServerParameters, stdio_client, types
from mcp.client.client import Client
from mcp.client.sse import sse_client

from .line import Connected, emit, plain, serve, user


@asynccontextmanager
async def connect(config: dict[str, Any]) -> AsyncIterator[Connected]:
    target: Any = config.get("url")
    if config.get("sse"):
        target = sse_client(target)
    elif target is None:
        command, *arguments = config["command"]
        target = stdio_client(
            StdioServerParameters(
                command=command, args=arguments, cwd=config["cwd"], env=config["env"]
            )
        )

    async def elicit(_context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult.model_validate(user.answer("elicitation/create", plain(params)))

    async def sample(_context: Any, params: Any) -> types.CreateMessageResult:
        said = user.answer("sampling/createMessage", plain(params))
        return types.CreateMessageResult.model_validate(said)

    async def roots(_context: Any) -> types.ListRootsResult:
        return types.ListRootsResult.model_validate(user.answer("roots/list", {}))

    async def log(params: Any) -> None:
        emit({"event": "notification", "method": "notifications/message", "params": plain(params)})

    async def told(message: Any) -> None:
        if hasattr(message, "method") and message.method != "notifications/message":
            emit({"event": "notification", **plain(message)})

    answers: dict[str, Any] = {}
    if config["answers"]:
        answers = {
            "elicitation_callback": elicit,
            "sampling_callback": sample,
            "list_roots_callback": roots,
        }
    modern = config["era"] == "modern"
    async with (
        Client(
            target,
            mode="auto" if modern else "legacy",
            logging_callback=log,
            log_level=config.get("log_level"),
            message_handler=told,
            cache=None,
            **answers,
        ) as client,
        AsyncExitStack() as subscriptions,
    ):

        async def call(params: dict[str, Any], progress: Any) -> Any:
            name, arguments = params["name"], params.get("arguments")
            meta = params.get("_meta")
            return plain(
                await client.call_tool(name, arguments, progress_callback=progress, meta=meta)
            )

        async def prompt(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.get_prompt(params["name"], params.get("arguments")))

        async def read(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.read_resource(params["uri"]))

        async def complete(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.complete(ref=params["ref"], argument=params["argument"]))

        async def listen(params: dict[str, Any], _progress: Any) -> Any:
            opened = client.listen(
                tools_list_changed=params.get("toolsListChanged", False),
                resource_subscriptions=params.get("resourceSubscriptions", ()),
            )
            return plain((await subscriptions.enter_async_context(opened)).honored)

        async def unlisten(_params: dict[str, Any], _progress: Any) -> Any:
            await subscriptions.aclose()
            return {"ended": "local"}

        def listing(method: Any) -> Any:
            async def listed(params: dict[str, Any], _progress: Any) -> Any:
                return plain(await method(**params))

            return listed

        async def subscribe(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.subscribe_resource(params["uri"]))

        async def unsubscribe(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.unsubscribe_resource(params["uri"]))

        async def set_level(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.set_logging_level(params["level"]))

        yield Connected(
            {
                "version": client.protocol_version,
                "server": None if client.server_info is None else plain(client.server_info),
                "capabilities": plain(client.server_capabilities),
                "instructions": client.instructions,
            },
            {
                "tools/list": listing(client.list_tools),
                "tools/call": call,
                "resources/list": listing(client.list_resources),
                "resources/templates/list": listing(client.list_resource_templates),
                "resources/read": read,
                "resources/subscribe": subscribe,
                "resources/unsubscribe": unsubscribe,
                "prompts/list": listing(client.list_prompts),
                "prompts/get": prompt,
                "completion/complete": complete,
                "logging/setLevel": set_level,
                "listen": listen,
                "unlisten": unlisten,
            },
        )


if __name__ == "__main__":
    anyio.run(serve, connect, backend="trio")
