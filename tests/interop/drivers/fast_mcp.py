"""FastMCP's client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import fastmcp
import mcp_types as types
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport
from mcp.client.subscriptions import listen as open_subscription

from .line import Connected, emit, plain, serve, user


@asynccontextmanager
async def connect(config: dict[str, Any]) -> AsyncIterator[Connected]:
    target: Any = config.get("url")
    if target is None:
        command, *arguments = config["command"]
        target = StdioTransport(
            command=command,
            args=arguments,
            cwd=config["cwd"],
            env=config["env"],
            keep_alive=False,
        )

    async def elicit(_message: str, _type: Any, params: Any, _context: Any) -> Any:
        return ElicitResult(**user.answer("elicitation/create", plain(params)))

    async def sample(_messages: Any, params: Any, _context: Any) -> types.CreateMessageResult:
        said = user.answer("sampling/createMessage", plain(params))
        return types.CreateMessageResult.model_validate(said)

    async def roots(_context: Any) -> list[types.Root]:
        return types.ListRootsResult.model_validate(user.answer("roots/list", {})).roots

    async def log(params: Any) -> None:
        emit({"event": "notification", "method": "notifications/message", "params": plain(params)})

    async def told(message: Any) -> None:
        if hasattr(message, "method") and message.method != "notifications/message":
            emit({"event": "notification", **plain(message)})

    answers: dict[str, Any] = {}
    if config["answers"]:
        answers = {"elicitation_handler": elicit, "sampling_handler": sample, "roots": roots}
    async with (
        fastmcp.Client(
            target,
            mode="auto" if config["era"] == "modern" else "legacy",
            log_handler=log,
            message_handler=told,
            **answers,
        ) as client,
        AsyncExitStack() as subscriptions,
    ):

        async def call(params: dict[str, Any], progress: Any) -> Any:
            name, arguments = params["name"], params.get("arguments") or {}
            meta = params.get("_meta")
            return plain(
                await client.call_tool_mcp(name, arguments, progress_handler=progress, meta=meta)
            )

        async def prompt(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.get_prompt_mcp(params["name"], params.get("arguments")))

        async def read(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.read_resource_mcp(params["uri"]))

        async def complete(params: dict[str, Any], _progress: Any) -> Any:
            kind = {
                "ref/prompt": types.PromptReference,
                "ref/resource": types.ResourceTemplateReference,
            }[params["ref"]["type"]]
            ref = kind.model_validate(params["ref"])
            return plain(await client.complete_mcp(ref, params["argument"]))

        async def set_level(params: dict[str, Any], _progress: Any) -> Any:
            await client.set_logging_level(params["level"])
            return {}

        # FastMCP subscribes by the session of the SDK below it.

        async def subscribe(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.session.subscribe_resource(params["uri"]))

        async def unsubscribe(params: dict[str, Any], _progress: Any) -> Any:
            return plain(await client.session.unsubscribe_resource(params["uri"]))

        async def listen(params: dict[str, Any], _progress: Any) -> Any:
            opened = open_subscription(
                client.session,
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

        server = client.server_info
        yield Connected(
            {
                "version": client.protocol_version,
                "server": None if server is None else plain(server),
                "capabilities": plain(client.server_capabilities),
                "instructions": client.instructions,
            },
            {
                "tools/list": listing(client.list_tools_mcp),
                "tools/call": call,
                "resources/list": listing(client.list_resources_mcp),
                "resources/templates/list": listing(client.list_resource_templates_mcp),
                "resources/read": read,
                "resources/subscribe": subscribe,
                "resources/unsubscribe": unsubscribe,
                "prompts/list": listing(client.list_prompts_mcp),
                "prompts/get": prompt,
                "completion/complete": complete,
                "logging/setLevel": set_level,
                "listen": listen,
                "unlisten": unlisten,
            },
        )


if __name__ == "__main__":
    anyio.run(serve, connect)
