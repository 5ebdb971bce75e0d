"""The paths that orchestrators and load balancers ask: /health, /ready, /live, /ping.

`/ping` and `/live` say that the node takes requests at all, so nothing may be asked of another
process for them. `/ready` and `/health` answer 503 unless every component is healthy or at most
degraded; `/health` shows why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from erlmcp_py import __version__
from erlmcp_py.guards import drain
from erlmcp_py.ops.health import report
from supervisors import CallExit, current_runtime

Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]
Probe: TypeAlias = Callable[[Any], Awaitable[Answer]]


async def ping(_request: object) -> Answer:
    """200 `pong`."""
    return 200, {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}, b"pong"


async def live(_request: object) -> Answer:
    """200 while the node's loop turns."""
    return _json(200, {"status": "alive"})


async def ready(_request: object) -> Answer:
    """200 or 503, and which components stand in the way."""
    found = await _report()
    if "draining" in found:
        return _json(503, {"ready": False, "status": DRAINING, "waiting_for": {}})
    waiting = {c["id"]: c["status"] for c in found["components"] if c["status"] not in _GOOD}
    return _json(200 if found["ready"] else 503, {"ready": found["ready"], "waiting_for": waiting})


async def health(_request: object) -> Answer:
    """200 or 503 like `ready`, with the record of every component."""
    found = await _report()
    node = {"node": current_runtime().node, "version": __version__}
    return _json(200 if found["ready"] else 503, node | found)


ROUTES: Mapping[str, Probe] = {"/ping": ping, "/live": live, "/ready": ready, "/health": health}

_GOOD = ("healthy", "degraded")
DRAINING: Final = "draining"


async def _report() -> dict[str, Any]:
    """The monitor's report; while the monitor itself is down, a report that says just that; while the node
    drains, how far it is.
    """
    going = await drain.status()
    try:
        found: dict[str, Any] = msgspec.to_builtins(await report())
    except CallExit as failure:
        monitor = {"id": "health", "status": "unknown", "last_error": str(failure)}
        found = {"status": "unknown", "ready": False, "components": [monitor]}
    if going is not None:
        left = {"requests": going.requests, "connections": going.connections}
        found |= {"status": DRAINING, "ready": False, "draining": left}
    return found


def _json(status: int, body: object) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return status, headers, msgspec.json.encode(body)
