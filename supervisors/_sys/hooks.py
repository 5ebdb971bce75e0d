"""The seam between `supervisors.sys` and a behaviour: what a behaviour answers for.

OTP asks the same of its behaviours and of special processes (``system_get_state``,
``system_replace_state``, ``system_code_change``, ``system_terminate``). A behaviour on a
task process puts its hooks into ``process.sys``; the record of a callback process inherits
from them. One that is built on a GenServer needs none of this: see `GenServer`, whose
callback module may define the ``system_…`` callbacks.

What it does besides, with ``debug = process.extras.debug``, which is nearly always None:
it calls ``debug(event)`` with

===============================  ====================================================
event                            when
===============================  ====================================================
``("in", message)``              it takes a message from its mailbox
``("out", reply, to, state)``    it has answered `to`; `state` is what it goes on with
``("noreply", state)``           it has handled a message that got no answer
===============================  ====================================================

The kernel adds ``("exit", reason)``, and the "in" of processes that are no behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._errors import Reason, Throw, format_reason, reason_of, unwinds

if TYPE_CHECKING:
    from .._task import TaskProcess

Event = tuple[Any, ...]


class CodeChangeError(Exception):
    """A code change was refused or failed; code and state are what they were (1.7).

    reason: ``("unknown_system_msg", request)`` when the process was not suspended, ``("EXIT",
    reason)`` when its migration raised or there is none, else what the migration returned
    instead of ``("ok", state)``.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        match self.reason:
            case ("unknown_system_msg", _):
                return "code can only be changed while the process is suspended: sys.suspend()"
        return f"code change failed: {format_reason(self.reason)}"


def migrated(change: Callable[[], Any]) -> Any:
    """The state that a migration answers, as ``("ok", state)``.

    Raises CodeChangeError with what else it answers, or ``("EXIT", reason)``.
    """
    try:
        answer = change()
    except Throw as thrown:
        answer = thrown.value
    except BaseException as error:
        if unwinds(error):
            raise
        answer = "EXIT", reason_of(error)[1]
    match answer:
        case ("ok", state):
            return state
    raise CodeChangeError(answer)


class CallbackFailed(Exception):
    """The function given to `replace_state` raised; the state is what it was.

    Or a callback of a special process that was asked for its state. reason: what it raised.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"callback failed: {format_reason(self.reason)}"


class SystemHooks:
    """What `sys` asks of a behaviour; the answers here suit one that has nothing to say."""

    __slots__ = ()

    behaviour = "process"
    """The behaviour, as `sys.get_status` names it: "gen_server", "supervisor"."""

    def callback_module(self) -> str:
        """The code it runs, as ``module:name``; empty when the process's own will do."""
        return ""

    def get_state(self) -> Any:
        """The state, as it is between two messages."""
        raise AssertionError("each behaviour knows its state")

    def replace_state(self, state: Any) -> None:
        """Take another state; raises when it cannot be replaced."""
        raise AssertionError("each behaviour keeps its own state")

    def transform_state(self, fn: Callable[[Any], Any]) -> Any:
        """Replace the state by ``fn(state)``; what `sys.replace_state` answers."""
        state = fn(self.get_state())
        self.replace_state(state)
        return state

    def shown_status(self, log: list[Event]) -> dict[str, Any]:
        """What may be shown: at least "state" and "log", as `format_status` makes them."""
        return {"state": self.get_state(), "log": log}

    def seen_state(self, state: Any) -> Any:
        """What an event that is logged or traced has in the place of `state`."""
        return state

    def change_code(self, module: Any, old_vsn: Any, extra: Any) -> None:
        """Go over to the code that is loaded now, and migrate the state.

        Raises CodeChangeError, with code and state as they were.
        """
        raise CodeChangeError(("EXIT", "undef"))

    def post_system(self, process: TaskProcess, serve: Callable[[], None]) -> None:
        """Have a task process call `serve` between two of its messages."""
        process.post_system(serve)

    def post_terminate(self, process: TaskProcess, reason: Reason) -> None:
        """Have a task process end through its terminate callback, before all else."""
        from .._mailbox import Terminate

        process.mailbox.appendleft(Terminate(reason))
        process.wake()

    def is_hibernating(self) -> bool:
        """Whether it has put away what it can until the next message (G17)."""
        return False

    def system_served(self) -> None:
        """A system message has been answered; a running timeout starts anew (G7)."""

    def system_terminate(self, reason: Reason) -> None:
        """End through the terminate callback; asked of callback processes only."""
        raise AssertionError("each behaviour ends in its own way")
