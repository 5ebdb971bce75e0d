"""MCP servers inside somebody else's ASGI application, under a server that runs on trio.

::

    from starlette.applications import Starlette
    from starlette.routing import Mount

    mcp = asgi.application({"weather": server})
    app = Starlette(routes=[Mount("/tools", app=mcp)], lifespan=lambda _: mcp.running())

    # hypercorn --worker-class trio module:app      MCP is at /tools/mcp

An ASGI application that stands alone needs no `running`: it starts and stops with its server
(``hypercorn --worker-class trio module:mcp``). docs/transports/asgi.md has the rest.
"""

from erlmcp_py.transports.asgi.application import (
    Application,
    NotRunning,
    WrongLoop,
    application,
)
from erlmcp_py.transports.asgi.embedding import StartFailed

__all__ = ["Application", "NotRunning", "StartFailed", "WrongLoop", "application"]
