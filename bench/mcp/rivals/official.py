"""The measured server on the official Python SDK."""

import sys

from mcp.server.mcpserver import Context, MCPServer

from .serving import STREAM, serve

server = MCPServer("bench", version="1.0.0", log_level="WARNING")


@server.tool()
def add(a: int, b: int) -> int:
    "Add two integers."
    return a + b


@server.tool()
def echo(text: str) -> str:
    "What was said."
    return text


@server.tool()
async def report(a: int, b: int, ctx: Context) -> int:
    "Add two integers, and report progress on the way."
    await ctx.report_progress(1, 2)
    return a + b


if __name__ == "__main__":
    serve(
        server.streamable_http_app(stateless_http=True, json_response=not STREAM),
        sys.argv[1:],
        server.run_stdio_async,
    )
