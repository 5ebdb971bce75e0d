"""The measured server on erlmcp-py: started as ``erlmcp-node run --server bench.mcp.ours:server``."""

from erlmcp_py.server import Context, Server

server = Server("bench", version="1.0.0")

SPIN = 30_000
"""Steps of work in `spin`, half a millisecond or so: many times what the load spends on a request."""


@server.tool()
def add(a: int, b: int) -> int:
    "Add two integers."
    return a + b


@server.tool()
def echo(text: str) -> str:
    "What was said."
    return text


@server.tool()
def report(ctx: Context, a: int, b: int) -> int:
    "Add two integers, and report progress on the way."
    ctx.report_progress(1, 2)
    return a + b


@server.tool()
def spin(a: int, b: int) -> int:
    "Add two integers, after work that keeps a processor busy."
    return a + b + 0 * sum(range(SPIN))
