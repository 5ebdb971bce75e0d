"""Event managers: start them, add and swap handlers, notify (OTP: gen_event).

    >>> import supervisors
    >>> from supervisors import GenEvent, gen_event
    >>> class Prints(GenEvent):
    ...     def init(self, prefix):
    ...         return "ok", prefix
    ...     def handle_event(self, event, prefix):
    ...         print(prefix, event)
    ...         return "ok", prefix
    >>> async def main():
    ...     manager = await gen_event.start_link()
    ...     await gen_event.add_handler(manager, Prints, "seen:")
    ...     await gen_event.sync_notify(manager, "door opened")
    ...     return await gen_event.delete_handler(manager, Prints, "enough")
    >>> supervisors.run(main)
    seen: door opened

`supervisors.GenEvent` is the class that handlers are subclasses of; docs/events.md is the
chapter.
"""

from ._gen_event.client import (
    HandlerError,
    add_handler,
    add_sup_handler,
    call,
    check_response,
    child_spec,
    delete_handler,
    notify,
    receive_response,
    send_request,
    start,
    start_link,
    start_monitor,
    stop,
    swap_handler,
    swap_sup_handler,
    sync_notify,
    wait_response,
    which_handlers,
)
from ._gen_event.handlers import Handler, Installed
from ._gen_event.reporting import HandlerReport

__all__ = [
    "Handler",
    "HandlerError",
    "HandlerReport",
    "Installed",
    "add_handler",
    "add_sup_handler",
    "call",
    "check_response",
    "child_spec",
    "delete_handler",
    "notify",
    "receive_response",
    "send_request",
    "start",
    "start_link",
    "start_monitor",
    "stop",
    "swap_handler",
    "swap_sup_handler",
    "sync_notify",
    "wait_response",
    "which_handlers",
]
