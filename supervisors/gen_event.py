"""Event managers: start them, add and swap handlers, notify (OTP: gen_event).

`supervisors.GenEvent` is the class that handlers are subclasses of; an example is there.
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
