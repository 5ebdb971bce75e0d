"""A server with the official Python SDK or with FastMCP, as a program: `official` or `fast_mcp`, then
`stdio`, or `http` or `sse` with the number of a port.
"""

from __future__ import annotations

import sys
from typing import Any

import anyio
from mcp_types import (
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ToolListChangedNotification,
)
from pydantic import BaseModel

FLAVOUR, KIND, *PORT = sys.argv[1:]

server: Any
if FLAVOUR == "official":
    from mcp.server.mcpserver import Context, MCPServer

    server = MCPServer(FLAVOUR, instructions="Try it.", log_level="ERROR")
else:
    from fastmcp import Context, FastMCP

    server = FastMCP(FLAVOUR, instructions="Try it.")


class Weather(BaseModel):
    """A structured result."""

    city: str
    degrees: float


class Name(BaseModel):
    """What is asked."""

    name: str


@server.tool()
def echo(text: str) -> str:
    """Say it back."""
    return text


@server.tool()
def weather(city: str) -> Weather:
    """The weather."""
    return Weather(city=city, degrees=21.5)


@server.tool()
async def steps(count: int, ctx: Context) -> str:
    """Report progress."""
    for step in range(count):
        await ctx.report_progress(step + 1, count)
    return f"{count} steps"


@server.tool()
async def hang() -> str:
    """Wait."""
    await anyio.sleep(600)
    return "never"


@server.tool()
async def greet(ctx: Context) -> str:
    """Ask for a name in the middle of the work (the revisions with sessions)."""
    answer = await ctx.elicit("Your name?", Name)
    return f"Hello, {answer.data.name}!" if answer.action == "accept" else answer.action


@server.tool()
async def greet_in_rounds(ctx: Context) -> str | InputRequiredResult:
    """Ask for a name, and be called again with it (2026-07-28)."""
    if ctx.input_responses is None:
        form = ElicitRequestFormParams(
            message="Your name?", requested_schema=Name.model_json_schema()
        )
        return InputRequiredResult(input_requests={"name": ElicitRequest(params=form)})
    answer: Any = ctx.input_responses["name"]
    return f"Hello, {answer.content['name']}!" if answer.action == "accept" else answer.action


@server.tool()
async def touch(ctx: Context) -> str:
    """Tell of a change, as each has it."""
    if FLAVOUR == "fast_mcp":
        await ctx.send_notification(ToolListChangedNotification())
    else:
        await ctx.notify_tools_changed()
        if ctx.protocol_version < "2026":
            await ctx.session.send_tool_list_changed()
    return "told"


@server.resource("theirs://card")
def card() -> str:
    """A card."""
    return "card"


@server.prompt()
def trip(city: str) -> str:
    """A trip."""
    return f"Plan a trip to {city}."


if __name__ == "__main__":
    options: dict[str, Any] = {"show_banner": False} if FLAVOUR == "fast_mcp" else {}
    if KIND != "stdio":
        options |= {"host": "127.0.0.1", "port": int(PORT[0])}
    server.run("streamable-http" if KIND == "http" else KIND, **options)
