"""Process groups, under a name anybody can ask for (OTP: pg; SEMANTICS 1.11).

A scope is a process that keeps groups; a group is there as long as it has members.
Processes join as often as they like and leave as often; the dead leave by themselves.

    >>> import supervisors as otp
    >>> from supervisors import pg
    >>> async def main():
    ...     await pg.start_link("rooms")
    ...     ref, members = await pg.monitor("rooms", "lobby")
    ...     guest = otp.spawn(otp.receive)
    ...     await pg.join("rooms", "lobby", guest)
    ...     for member in pg.get_members("rooms", "lobby"):
    ...         otp.send(member, "welcome")  # and the guest, who waited for it, ends
    ...     for _ in ("join", "leave"):
    ...         _, verb, group, pids = await otp.receive(lambda news: news[0] is ref)
    ...         print(verb, group, pids == [guest])
    ...     return pg.which_groups("rooms")
    >>> otp.run(main)
    join lobby True
    leave lobby True
    []

`join`, `leave` and the monitors wait for the scope; plain callbacks, which cannot wait,
use `join_soon` and `leave_soon`. Reading (`get_members`, `which_groups`) waits for nobody.
A scope knows the processes of its own node only, until it is started with `Peers`.
"""

from ._pg.client import (
    child_spec,
    demonitor,
    get_local_members,
    get_members,
    join,
    join_soon,
    leave,
    leave_soon,
    monitor,
    monitor_scope,
    start,
    start_link,
    which_groups,
)
from ._pg.peers import Peers

__all__ = [
    "Peers",
    "child_spec",
    "demonitor",
    "get_local_members",
    "get_members",
    "join",
    "join_soon",
    "leave",
    "leave_soon",
    "monitor",
    "monitor_scope",
    "start",
    "start_link",
    "which_groups",
]
