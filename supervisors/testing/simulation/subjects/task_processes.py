"""Hand-written task processes: the start protocol and a receive loop, no behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from .... import _proc_lib
from ...._errors import Exit
from ...._gen_server.calls import reply
from ...._pid import Pid
from ...._task import receive
from ..tree import Worker
from .manners import Actor, Boom, react, respond, settle_in
from .subject import Subject, WorkerKind

if TYPE_CHECKING:
    from ..world import World


async def _life(world: World, node: Worker, parent: Pid) -> None:
    actor = Actor(world, node, parent)
    started = settle_in(actor)
    if isinstance(started, tuple):
        await trio.sleep(started[1])
    elif started == "ignore":
        _proc_lib.init_ignore()
    elif started != "ok":
        _proc_lib.init_fail("injected", "injected" if started == "fail" else "normal")
    _proc_lib.init_ack()
    try:
        while True:
            message = await receive()
            done: Any = None
            match message:
                case ("EXIT", pid, reason) if pid is parent:
                    raise Exit(reason)
                case ("$gen_call", from_, request):
                    done = respond(actor, request, from_)
                    if done[0] == "reply":
                        reply(from_, done[1])
                case ("$gen_cast", ("hang", seconds, _)):
                    await trio.sleep(seconds)
                case ("$gen_cast", request):
                    done = react(actor, request)
                case _:
                    done = react(actor, message)
            if done == "nonsense":
                raise Boom("bad return")
            if done and done[0] == "stop":
                if len(done) == 4:
                    reply(from_, done[2])
                raise Exit(done[1])
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(actor.lingers)


async def _start(world: World, node: Worker, parent: Pid) -> Pid:
    pid: Pid = await _proc_lib.start(
        _life, world, node, parent, name=world.name_of(node), link=True
    )
    return pid


SUBJECT = Subject(workers={"task": WorkerKind(_start, 3)})
