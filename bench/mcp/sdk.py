"""The measured server on the official Python SDK: ``python -m bench.mcp.sdk PORT | stdio``.

Streamable HTTP in its fastest shape: stateless, JSON responses, no request log.
"""

import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("bench", version="1.0.0", log_level="WARNING")


@server.tool()
def add(a: int, b: int) -> int:
    "Add two integers."
    return a + b


def main() -> None:
    where = sys.argv[1]
    if where == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", port=int(where), stateless_http=True, json_response=True)


if __name__ == "__main__":
    main()
