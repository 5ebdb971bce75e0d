"""Circuit breakers: what keeps failing is left alone for a while, then tried again with few requests.

`machine` decides, without I/O or clock; `process` carries it out, one process for each breaker. It knows
nothing of what it guards: whoever sends requests asks `enter` before, and tells the `Permit` how it ended.
"""

from erlmcp_py.guards.breaker.machine import Breaker, BreakerSettings, BreakerStatus
from erlmcp_py.guards.breaker.process import (
    PREFIX,
    Permit,
    check,
    child_spec,
    close_breaker,
    configure_breaker,
    enter,
    open_breaker,
    reset_breaker,
    statuses,
)

__all__ = [
    "PREFIX",
    "Breaker",
    "BreakerSettings",
    "BreakerStatus",
    "Permit",
    "check",
    "child_spec",
    "close_breaker",
    "configure_breaker",
    "enter",
    "open_breaker",
    "reset_breaker",
    "statuses",
]
