"""From a class to what the engine calls: its callback mode, and the function of each state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._gen_server.behaviour import Undefined
from .actions import listed
from .engine import Callback, Module
from .misuse import Misuse

if TYPE_CHECKING:
    from .behaviour import GenStateMachine

STATE_FUNCTIONS = "state_functions"
HANDLE_EVENT_FUNCTION = "handle_event_function"


def load(machine: Any) -> Module:
    """The module of a subclass of GenStateMachine; asks for its callback mode.

    Raises Misuse for something else, and for a mode that does not exist (T7).
    """
    from .behaviour import GenStateMachine

    if not (isinstance(machine, type) and issubclass(machine, GenStateMachine)):
        raise Misuse(("not_a_callback_module", machine))
    mode = machine.instance.callback_mode()
    style = None
    enter = False
    for item in listed(mode):
        if item in (STATE_FUNCTIONS, HANDLE_EVENT_FUNCTION):
            style = item
        elif item == "state_enter":
            enter = True
        else:
            style = None
            break
    if style is None:
        raise Misuse(("bad_return_from_callback_mode", mode))
    return Module(machine.instance, style, enter)


def run(callback: Callback) -> Any:
    """Call a state callback; a coroutine if it is async."""
    module, type_, content, state, data = callback
    if module.style == HANDLE_EVENT_FUNCTION:
        return module.callbacks.handle_event(type_, content, state, data)
    try:
        function = module.callbacks.functions[state]
    except (KeyError, TypeError):
        function = _function(module.callbacks, state)
    return function(type_, content, data)


def _function(callbacks: GenStateMachine, state: Any) -> Any:
    """The method that is the state; it is looked up once."""
    from .behaviour import GenStateMachine

    name = type(callbacks).__qualname__
    if not isinstance(state, str):
        raise Undefined(f"{name}: with state_functions a state is a method's name, not {state!r}")
    if state.startswith("_") or hasattr(GenStateMachine, state):
        raise Undefined(f"{name}: {state!r} cannot be the name of a state, it means something else")
    function = getattr(callbacks, state, None)
    if not callable(function):
        raise Undefined(f"{name} has no method {state!r} for the state of that name")
    callbacks.functions[state] = function
    return function
