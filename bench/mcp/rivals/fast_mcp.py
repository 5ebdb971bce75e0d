"""The measured server on FastMCP."""

import sys

from fastmcp import Context, FastMCP

from .serving import STREAM, serve

server = FastMCP("bench", version="1.0.0")


@server.tool
def add(a: int, b: int) -> int:
    "Add two integers."
    return a + b


@server.tool
def echo(text: str) -> str:
    "What was said."
    return text


@server.tool
async def report(a: int, b: int, ctx: Context) -> int:
    "Add two integers, and report progress on the way."
    await ctx.report_progress(1, 2)
    return a + b


if __name__ == "__main__":
    serve(
        server.http_app(stateless_http=True, json_response=not STREAM),
        sys.argv[1:],
        lambda: server.run_stdio_async(show_banner=False, log_level="WARNING"),
    )
