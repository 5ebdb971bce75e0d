"""How both Python rivals are served: uvicorn with httptools on uvloop, whatever their own `run` does.

WHY not their own `run`: the official SDK's starts uvicorn on asyncio's own loop even where uvloop is
installed, and both close a connection that was idle for five seconds, which no idle connection of
`idle_load` would survive.
"""

import os
from collections.abc import Callable
from typing import Any

import uvicorn

STREAM = os.environ.get("BENCH_STREAM") == "1"
"""Answer with an event stream instead of JSON."""

_KEEP_ALIVE = 3600
_BACKLOG = 4096


def serve(app: Any, words: list[str], stdio: Callable[[], Any]) -> None:
    """words: the arguments of the program, see the package."""
    if words == ["stdio"]:
        import uvloop

        uvloop.run(stdio())
        return
    port, *files = words
    certificate, key = files or (None, None)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE,
        backlog=_BACKLOG,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
