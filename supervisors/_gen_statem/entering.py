"""Becoming a state machine in the middle of a process's life (OTP: gen_statem:enter_loop)."""

from __future__ import annotations

from typing import Any, NoReturn

from .._cell import task_process
from .._gen_server.task import TaskServer
from .behaviour import GenStateMachine
from .engine import Engine
from .loading import load


async def enter_loop(
    cls: type[GenStateMachine], state: Any, data: Any, actions: Any = ()
) -> NoReturn:
    """Make the current process a machine of this class, in `state`; never returns.

    For a process started by `proc_lib.start` whose initialisation is a story of its own: it
    calls `init_ack`, then this, in place of the `init` callback. actions: as init's; they
    and the first enter call come before anything is received. Callbacks may be plain or
    async, it stays a task process. RuntimeError outside a task process.
    """
    process = task_process.get()
    if process is None:
        raise RuntimeError("enter_loop() needs a task process, e.g. one of proc_lib.start()")
    process.behaviour = cls
    server = TaskServer(process, cls.module)
    await server.enter(Engine(load, state, data), ("continue", actions))
