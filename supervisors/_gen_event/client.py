"""What others do with an event manager: start it, add handlers, notify, call.

`manager` is a pid or a name everywhere. Requests wait without a limit, as in
OTP, except `call` (5 seconds). CallExit ("noproc", or the reason the manager ended with)
is raised when it is not there.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, overload

from .._errors import BadArg, CallExit, Reason, format_reason
from .._gen_server import calls, requests
from .._gen_server.calls import RequestId
from .._gen_server.requests import CollectedResponse, RequestIds, Response
from .._gen_server.stop import stop as stop_server
from .._names import Name, resolve
from .._pid import Pid, Ref
from .._signals import self
from .._supervisor.spec import ChildSpec, Restart, Shutdown
from .handlers import Handler, Refused, blank
from .manager import EventManager

Manager = Pid | Name


class HandlerError(Exception):
    """A handler was not added, not found, or failed while it was asked.

    reason: ``"module_not_found"`` or ``"bad_module"`` when the manager has no such handler;
    ``("EXIT", reason)`` when the callback raised; otherwise the value it must not return.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        if self.reason == "module_not_found" or self.reason == "bad_module":
            return f"{self.reason}: the manager has no such handler; see which_handlers()"
        return f"the event handler failed: {format_reason(self.reason)}"


async def start(*, name: Name | None = None, hibernate_after: float | None = None) -> Pid:
    """Start a manager without handlers, unlinked; options and errors as GenServer.start."""
    return await EventManager.start(name=name, hibernate_after=hibernate_after)


async def start_link(*, name: Name | None = None, hibernate_after: float | None = None) -> Pid:
    """As `start`, linked to the calling process, which becomes the parent."""
    return await EventManager.start_link(name=name, hibernate_after=hibernate_after)


async def start_monitor(
    *, name: Name | None = None, hibernate_after: float | None = None
) -> tuple[Pid, Ref]:
    """As `start`, monitored by the calling process; see `GenServer.start_monitor`."""
    return await EventManager.start_monitor(name=name, hibernate_after=hibernate_after)


def child_spec(
    *,
    id: Any = None,
    name: Name | None = None,
    restart: Restart = "permanent",
    shutdown: Shutdown = 5.0,
    significant: bool = False,
) -> ChildSpec:
    """A manager as a child of a supervisor; id defaults to the name, else "gen_event".

    A restarted manager has no handlers: a process that needs one there adds it with
    `add_sup_handler`, hears of its end and adds it again.
    """
    return ChildSpec(
        id=id if id is not None else name or "gen_event",
        start=(start_link if name is None else partial(start_link, name=name), ()),
        restart=restart,
        shutdown=shutdown,
        significant=significant,
        modules="dynamic",
    )


async def stop(manager: Manager, reason: Reason = "normal", timeout: float = math.inf) -> None:
    """Stop a manager; every handler gets ``terminate("stop", state)``. As GenServer's stop."""
    await stop_server(manager, reason, timeout)


def notify(manager: Manager, event: Any) -> None:
    """Send an event and go on at once.

    Silent when nobody is there; BadArg for a registered name that nobody has.
    """
    if isinstance(manager, str) and resolve(manager) is None:
        raise BadArg(f"gen_event.notify(): no process is registered as {manager!r}")
    calls.cast(manager, ("notify", event))


async def sync_notify(manager: Manager, event: Any) -> None:
    """Send an event and return when every handler has handled it."""
    await _request(manager, ("sync_notify", event))


async def call(manager: Manager, handler: Handler, request: Any, timeout: float = 5.0) -> Any:
    """Ask one handler.

    Raises HandlerError: "bad_module" when it is not installed; why it failed when it was
    removed for that. CallExit, cause "timeout", after `timeout` seconds.
    """
    try:
        answer = await calls.call(manager, ("call", blank(handler), request), timeout)
    except CallExit as exit_:
        exit_.reason = (exit_.cause, ("gen_event", "call", (manager, handler, request, timeout)))
        raise
    return _value(answer)


def send_request(manager: Manager, handler: Handler, request: Any) -> RequestId:
    """As `call`, without waiting for the answer; from a process only (G16).

    `receive_response`, `wait_response` and `check_response` of this module take it, one by
    one or from a collection of requests, from the mailbox that it comes to.
    """
    return calls.send_request(manager, ("call", blank(handler), request))


@overload
async def receive_response(
    request: RequestId, timeout: float = math.inf
) -> Response | Literal["timeout"]: ...


@overload
async def receive_response(
    request: RequestIds, timeout: float = math.inf, *, delete: bool
) -> CollectedResponse | Literal["timeout", "no_request"]: ...


async def receive_response(
    request: RequestId | RequestIds, timeout: float = math.inf, *, delete: bool = False
) -> Any:
    """As `supervisors.receive_response`; ``("error", reason)`` is also a handler's failure.

    reason: that of HandlerError; or ``(reason, manager)`` when the manager is or goes away.
    """
    if isinstance(request, RequestId):
        return _of_handler(await requests.receive_response(request, timeout))
    return _of_handler(await requests.receive_response(request, timeout, delete=delete))


@overload
async def wait_response(
    request: RequestId, timeout: float = math.inf
) -> Response | Literal["timeout"]: ...


@overload
async def wait_response(
    request: RequestIds, timeout: float = math.inf, *, delete: bool
) -> CollectedResponse | Literal["timeout", "no_request"]: ...


async def wait_response(
    request: RequestId | RequestIds, timeout: float = math.inf, *, delete: bool = False
) -> Any:
    """As `receive_response`, but a time-out changes nothing: wait again."""
    if isinstance(request, RequestId):
        return _of_handler(await requests.wait_response(request, timeout))
    return _of_handler(await requests.wait_response(request, timeout, delete=delete))


@overload
def check_response(message: Any, request: RequestId) -> Response | Literal["no_reply"]: ...


@overload
def check_response(
    message: Any, request: RequestIds, *, delete: bool
) -> CollectedResponse | Literal["no_reply", "no_request"]: ...


def check_response(message: Any, request: RequestId | RequestIds, *, delete: bool = False) -> Any:
    """The answer that a message from the mailbox is to a request, else "no_reply"."""
    if isinstance(request, RequestId):
        return _of_handler(requests.check_response(message, request))
    return _of_handler(requests.check_response(message, request, delete=delete))


def _of_handler(response: Any) -> Any:
    """A response in which a handler's failure is an error, as in what `call` raises."""
    match response:
        case (("reply" | "error", _) as answer, label, RequestIds() as collection):
            return _of_handler(answer), label, collection
        case ("reply", Refused(reason)):
            return "error", reason
    return response


async def add_handler(manager: Manager, handler: Handler, args: Any = None) -> None:
    """Add a handler before all others; its ``init(args)`` runs in the manager.

    handler: a subclass of GenEvent, or ``(subclass, id)``. Raises HandlerError with what
    `init` returned instead of ``("ok", state)``, or ``("EXIT", reason)`` when it raised.
    """
    await _request(manager, ("add_handler", blank(handler), args))


async def add_sup_handler(manager: Manager, handler: Handler, args: Any = None) -> None:
    """As `add_handler`, supervised by the calling process (E2).

    The caller gets ``("gen_event_EXIT", handler, reason)`` however the handler is removed:
    reason "normal" (deleted, or it removed itself), "shutdown" (the manager stopped),
    ``("swapped", new_handler, supervisor)``, or why it failed. When the caller ends, the
    handler is removed with ``terminate(("stop", reason), state)``. Caller and manager are
    linked from now on: if the manager is killed, the caller dies too unless it traps exits.
    """
    await _request(manager, ("add_handler", blank(handler, self()), args))


async def delete_handler(manager: Manager, handler: Handler, argument: Any = None) -> Any:
    """Remove a handler; what its ``terminate(argument, state)`` returns.

    Raises HandlerError: "module_not_found", or ``("EXIT", reason)`` when terminate raised;
    the handler is removed all the same.
    """
    answer = await _request(manager, ("delete_handler", blank(handler), argument))
    if type(answer) is tuple and len(answer) == 2 and answer[0] == "EXIT":
        raise HandlerError(answer)
    return answer


async def swap_handler(
    manager: Manager, old: tuple[Handler, Any], new: tuple[Handler, Any]
) -> None:
    """Replace a handler without losing an event in between, handing over its state (E3).

    old: ``(handler, args1)``; its ``terminate(args1, state)`` returns what is handed over.
    new: ``(handler, args2)``; its ``init((args2, result))`` takes it. A supervisor of the
    old one supervises the new one. Raises HandlerError with what `init` returned instead
    of ``("ok", state)``, ``("EXIT", reason)`` when it raised; the old handler is gone then.
    """
    await _swap(manager, old, new, None)


async def swap_sup_handler(
    manager: Manager, old: tuple[Handler, Any], new: tuple[Handler, Any]
) -> None:
    """As `swap_handler`, and the calling process supervises the new handler (E2)."""
    await _swap(manager, old, new, self())


async def _swap(
    manager: Manager, old: tuple[Handler, Any], new: tuple[Handler, Any], supervisor: Pid | None
) -> None:
    (handler1, args1), (handler2, args2) = old, new
    request = ("swap_handler", blank(handler1), args1, blank(handler2, supervisor), args2)
    await _request(manager, request)


async def which_handlers(manager: Manager) -> list[Handler]:
    """The installed handlers, as they were designated, newest first."""
    answer: list[Handler] = await _request(manager, "which_handlers")
    return answer


async def _request(manager: Manager, request: Any) -> Any:
    return _value(await calls.call(manager, request, math.inf))


def _value(answer: Any) -> Any:
    if isinstance(answer, Refused):
        raise HandlerError(answer.reason)
    return answer
