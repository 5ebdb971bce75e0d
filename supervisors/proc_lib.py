"""The start protocol for hand-written task processes: see `start` (SEMANTICS 1.2).

Whoever starts one waits until it says that it is ready, or why it is not:

    >>> import supervisors
    >>> from supervisors import StartError, proc_lib, receive, send, self
    >>> async def listener(port):
    ...     if port < 1024:
    ...         proc_lib.init_fail("eacces")
    ...     proc_lib.init_ack()
    ...     who = await receive()
    ...     send(who, ("listening", port))
    >>> async def main():
    ...     try:
    ...         await proc_lib.start(listener, 80)
    ...     except StartError as failed:
    ...         print(failed.reason)
    ...     pid = await proc_lib.start(listener, 8080, link=True)
    ...     send(pid, self())
    ...     return await receive()
    >>> supervisors.run(main)
    eacces
    ('listening', 8080)
"""

from ._gen_server.stop import stop
from ._proc_lib import init_ack, init_fail, init_ignore, spawn_opt, start, start_monitor

__all__ = [
    "init_ack",
    "init_fail",
    "init_ignore",
    "spawn_opt",
    "start",
    "start_monitor",
    "stop",
]
