"""The MCP client: one API over all transports and both eras, on a supervised connection.

>>> from erlmcp_py.client import Client
>>> from erlmcp_py.server import Server
>>> import trio
>>> server = Server("greeter", version="1")
>>> @server.tool()
... def greet(name: str) -> str:
...     "Greet somebody."
...     return f"Hello, {name}!"
>>> async def main():
...     async with Client.in_process(server) as client:
...         result = await client.call_tool("greet", {"name": "Ada"})
...         return result.content[0].text
>>> trio.run(main)
'Hello, Ada!'
"""

from typing import TYPE_CHECKING, Any

from erlmcp_py.client.client import Client
from erlmcp_py.client.desk import ClientStatus
from erlmcp_py.client.errors import (
    BadAnswer,
    ClientError,
    ConnectError,
    ConnectionLost,
    HttpStatus,
    InvalidOutput,
    NotConnected,
    RequestTimeout,
    SessionLost,
    SkillMismatch,
    TaskFailed,
)
from erlmcp_py.client.handlers import Answerer
from erlmcp_py.client.http.authorizing import Answered, Authorizer
from erlmcp_py.client.link import Hello
from erlmcp_py.client.options import Options
from erlmcp_py.client.subscribing import Change, Subscription
from erlmcp_py.client.taking import RunningTask, TaskView

if TYPE_CHECKING:
    from erlmcp_py.client.authorization import NotAuthorized, OAuth
else:

    def __getattr__(name: str) -> Any:
        # Most clients are nobody in particular, and start faster without it.
        if name not in ("NotAuthorized", "OAuth"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from erlmcp_py.client import authorization

        return getattr(authorization, name)


__all__ = [
    "Answered",
    "Answerer",
    "Authorizer",
    "BadAnswer",
    "Change",
    "Client",
    "ClientError",
    "ClientStatus",
    "ConnectError",
    "ConnectionLost",
    "Hello",
    "HttpStatus",
    "InvalidOutput",
    "NotAuthorized",
    "NotConnected",
    "OAuth",
    "Options",
    "RequestTimeout",
    "RunningTask",
    "SessionLost",
    "SkillMismatch",
    "Subscription",
    "TaskFailed",
    "TaskView",
]
