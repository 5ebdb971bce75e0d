"""A server with every kind of handler, and tools that misbehave on request.

erlmcp-node run --server examples.simple:server
erlmcp-node run --stdio --server examples.simple:server
"""

import time
from typing import Annotated

import trio
from msgspec import Meta

from erlmcp_py.server import Context, Server, ToolError

server = Server(
    "simple",
    version="1.0.0",
    title="Simple",
    instructions="Call echo to see that it works, then crash, hang or block to see that it goes on.",
)

Seconds = Annotated[float, Meta(ge=0, le=60)]


@server.tool()
def echo(text: str) -> str:
    """Give the text back.

    Args:
        text: What to say.
    """
    return text


@server.tool()
def crash(message: str = "as you wished") -> str:
    """Raise an exception that nobody expects; the server lives on.

    Args:
        message: The text of the exception.
    """
    raise RuntimeError(message)


@server.tool()
def refuse(wish: str) -> str:
    """Fail in the polite way: an error for the caller, no crash.

    Args:
        wish: What shall be refused.
    """
    raise ToolError(f"I cannot {wish}; try echo instead")


@server.tool(timeout=2.0)
async def hang() -> None:
    """Wait for ever. After two seconds the call is given up and its process killed."""
    await trio.sleep_forever()


@server.tool(isolation="thread", timeout=10.0)
def block(ctx: Context, seconds: Seconds = 1.0) -> str:
    """Block a thread, as a slow library would, while the server serves others.

    Args:
        seconds: How long.
    """
    ctx.log("info", f"blocking a thread for {seconds} s")
    time.sleep(seconds)
    return f"blocked for {seconds} s"


@server.resource("simple://greeting", mime_type="text/plain")
def greeting() -> str:
    """A text that never changes."""
    return "Hello from a process that may crash at any moment."


@server.prompt()
def introduce(name: str, language: str = "English") -> str:
    """Ask the model to introduce somebody.

    Args:
        name: Who is to be introduced.
        language: In which language.
    """
    return f"Introduce {name} in two sentences of {language}."
