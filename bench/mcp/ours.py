"""The measured server on erlmcp-py: started as ``erlmcp-node run --server bench.mcp.ours:server``."""

from erlmcp_py.server import Server

server = Server("bench", version="1.0.0")


@server.tool()
def add(a: int, b: int) -> int:
    "Add two integers."
    return a + b
