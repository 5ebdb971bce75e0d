"""The client's side of a state machine: what to ask a `GenStateMachine` with.

    >>> import supervisors
    >>> from supervisors import GenStateMachine, gen_statem
    >>> class Lamp(GenStateMachine):
    ...     def callback_mode(self):
    ...         return "state_functions"
    ...     def init(self):
    ...         return "ok", "off", None
    ...     def off(self, type, content, data):
    ...         return "next_state", "on", data, [("reply", type[1], "light")]
    ...     def on(self, type, content, data):
    ...         return "next_state", "off", data, [("reply", type[1], "dark")]
    >>> async def main():
    ...     lamp = await Lamp.start_link()
    ...     return [await gen_statem.call(lamp, "press") for _ in range(3)]
    >>> supervisors.run(main)
    ['light', 'dark', 'light']

The functions are those of `GenServer`, but for `call`: it waits for ever unless told
otherwise (rule T6; five seconds for a server).
"""

from __future__ import annotations

import math
from typing import Any

from ._errors import CallExit
from ._gen_server import calls
from ._gen_server.calls import From, RequestId, abandon, cast, reply, send_request
from ._gen_server.requests import check_response, receive_response, wait_response
from ._gen_server.stop import stop
from ._gen_statem.entering import enter_loop
from ._pid import Pid


async def call(server: Pid | str, request: Any, timeout: float = math.inf) -> Any:
    """Ask a machine and wait for the reply, which it may give in a later state.

    Arguments and errors as `supervisors.call`; the reason of a CallExit names gen_statem.
    """
    try:
        return await calls.call(server, request, timeout)
    except CallExit as failed:
        failed.reason = (failed.cause, ("gen_statem", "call", (server, request, timeout)))
        raise


__all__ = [
    "From",
    "RequestId",
    "abandon",
    "call",
    "cast",
    "check_response",
    "enter_loop",
    "receive_response",
    "reply",
    "send_request",
    "stop",
    "wait_response",
]
