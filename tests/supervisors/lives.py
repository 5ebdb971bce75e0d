"""How the processes of tests live, and hearing how they ended."""

from __future__ import annotations

from typing import Any

import trio

from supervisors import Pid, Ref, exit_signal, receive, spawn_monitor


def raises(error: BaseException) -> Any:
    """A callback, or a request that is called by one, that raises `error`."""

    def fn(*_: Any) -> Any:
        raise error

    return fn


async def down_of(ref: Ref) -> Any:
    """The reason that the DOWN of a monitor tells."""
    return (await receive(lambda m: m[0] == "DOWN" and m[1] is ref))[4]


async def dead() -> Pid:
    """A process that was, and is heard of no more."""
    pid, ref = spawn_monitor(trio.sleep_forever)
    exit_signal(pid, "kill")
    await down_of(ref)
    return pid
