"""The node of `fan_out`: a server whose resource changes when a tool is called.

    python -m bench.mcp.changing --connections N

Prints its port on a line, then serves until standard input ends.
"""

import argparse
import sys
from time import process_time

import msgspec
import trio

from erlmcp_py import registry
from erlmcp_py.config import Config, HttpConfig
from erlmcp_py.parts import Parts
from erlmcp_py.server import Server
from erlmcp_py.tree import Node, child_specs
from supervisors import run

URI = "bench:changing"
server = Server("changing", version="1.0.0")


@server.resource(URI)
def changing() -> str:
    """What changes."""
    return "changed"


@server.tool()
def touch() -> str:
    """Change it."""
    server.notify_updated(URI)
    return spent()


@server.tool()
def spent() -> str:
    """Milliseconds of processor time, user and system, since the start."""
    return f"{process_time() * 1000:.3f}"


async def serve(connections: int) -> None:
    config = msgspec.structs.replace(
        Config(),
        http=HttpConfig(port=0, connections=connections, streams=connections, idle_timeout=600.0),
    )
    core = child_specs(config, Parts({"changing": server}, None, lambda pid: None))[0]
    await Node.start_link((core,), name="node")
    print((await registry.transports())["http"].info["port"], flush=True)
    await trio.to_thread.run_sync(sys.stdin.read)
    sys.exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.mcp.changing")
    parser.add_argument("--connections", type=int, required=True)
    run(serve, parser.parse_args().connections, log=False)
