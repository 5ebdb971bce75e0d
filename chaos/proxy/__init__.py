"""A TCP fault proxy: a supervised process between a client and a node that spoils what passes.

::

    await proxy.start(proxy.ProxySettings(name="web", upstream=("127.0.0.1", 8080)))
    await proxy.set_toxic("web", proxy.Latency(delay=0.2, jitter=0.1, direction="downstream"))
    await proxy.remove_toxic("web", "latency")

What passes when is decided by `chaos.proxy.flow`, which does no I/O; all that is left to chance
follows from the seed. docs/fault-proxy.md is the page on it.
"""

from chaos.proxy.place import ProxySettings
from chaos.proxy.pool import ProxyStatistics
from chaos.proxy.supervisor import (
    PROXIES,
    Proxies,
    ProxyError,
    child_spec,
    names,
    remove_toxic,
    set_toxic,
    start,
    statistics,
    stop,
)
from chaos.proxy.toxics import (
    KINDS,
    BadToxic,
    Bandwidth,
    Corruption,
    HalfOpen,
    Latency,
    LimitData,
    Loss,
    Reset,
    Slicer,
    SlowClose,
    Toxic,
    toxic,
)

__all__ = [
    "KINDS",
    "PROXIES",
    "BadToxic",
    "Bandwidth",
    "Corruption",
    "HalfOpen",
    "Latency",
    "LimitData",
    "Loss",
    "Proxies",
    "ProxyError",
    "ProxySettings",
    "ProxyStatistics",
    "Reset",
    "Slicer",
    "SlowClose",
    "Toxic",
    "child_spec",
    "names",
    "remove_toxic",
    "set_toxic",
    "start",
    "statistics",
    "stop",
    "toxic",
]
