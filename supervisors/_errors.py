"""Exit reasons and the exceptions that carry them.

A reason is a plain value, as in Erlang: ``"normal"``, ``"shutdown"``, ``("shutdown", T)``,
``"killed"`` or any other term. An uncaught exception becomes ``(exception, Stack)``
(rule P3: ``{E, Stack}``), an uncaught `Throw` ``(("nocatch", value), Stack)``.
"""

from __future__ import annotations

from collections.abc import Callable
from traceback import StackSummary, TracebackException
from typing import Any, Final

import trio

Reason = Any


class Exit(Exception):
    """End the process with `reason`: Erlang's ``exit(Reason)`` (rule P3)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return format_reason(self.reason)


class CallExit(Exit):
    """A `call` that got no reply (rule G12); uncaught, it ends the caller.

    Attributes
    ----------
    reason: ``(cause, ("gen_server", "call", (server, request, timeout)))``.
    cause: ``"noproc"``, ``"timeout"``, ``"calling_self"``, or the server's exit reason.
    """

    def __init__(self, cause: Reason, server: object, request: object, timeout: float) -> None:
        super().__init__((cause, ("gen_server", "call", (server, request, timeout))))
        self.cause = cause
        self.server = server

    def __str__(self) -> str:
        return f"call to {self.server} failed: {format_reason(self.cause)}"


class Throw(Exception):
    """Erlang's ``throw(Value)``: in a behaviour's callback the same as returning it (G3)."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class ErrorTerm(Exception):
    """Erlang's ``error(Term)``: ends a process with ``(term, Stack)``, class error (P3).

    Any other exception is itself the term.
    """

    def __init__(self, term: object) -> None:
        super().__init__(term)
        self.term = term


class StartError(Exception):
    """A start function failed: Erlang's ``{error, Reason}`` (rules G1, G2, V1).

    monitor: the reference whose DOWN arrives for it, after `proc_lib.start_monitor`.
    """

    monitor: Any = None

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return format_reason(self.reason)


class Ignore(Exception):
    """A start function whose init asked to be ignored: Erlang's ``ignore`` (G1, V3).

    monitor: as of StartError.
    """

    monitor: Any = None


class BadArg(Exception):
    """Erlang's ``badarg``: an unknown name, a name taken, a dead process to register."""


class NoProc(Exception):
    """``link`` to a process that is gone, from a process that does not trap exits (P7)."""


class SelfExit(BaseException):
    """Unwinds a task process that sent itself a deadly exit signal. Not for catching."""


class Finished(BaseException):
    """Unwinds a behaviour's task that has terminated and reported. Not for catching."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


UNWINDING: Final = (KeyboardInterrupt, trio.Cancelled, SelfExit, Finished, GeneratorExit)


def unwinds(error: BaseException) -> bool:
    """Whether an exception ends more than the callback it leaves: Ctrl-C, a cancellation, the
    end of the task. Any other, ``SystemExit`` too, is a crash of the process that raised it.
    """
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(UNWINDING) is not None
    return isinstance(error, UNWINDING)


def interrupts(error: BaseException | None) -> bool:
    """Whether it is Ctrl-C, which ends the program: also from inside a nursery."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)


class Stack:
    """Where an exception was raised: the second half of ``{E, Stack}``.

    Holds text positions, never frames, so a kept reason keeps nothing else alive.
    """

    __slots__ = ("_exception",)

    def __init__(self, exception: BaseException) -> None:
        self._exception = TracebackException.from_exception(
            exception, lookup_lines=False, limit=-40
        )
        _drop_frames(exception)

    @property
    def frames(self) -> StackSummary:
        return self._exception.stack

    def __str__(self) -> str:
        return "".join(self._exception.format()).rstrip()

    def __repr__(self) -> str:
        return f"<Stack of {len(self._exception.stack)} frames>"


def _drop_frames(exception: BaseException) -> None:
    """Cut the frames out of an exception and everything chained to it."""
    todo: list[BaseException] = [exception]
    seen: set[int] = set()
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = None
        todo.extend(e for e in (current.__cause__, current.__context__) if e is not None)
        if isinstance(current, BaseExceptionGroup):
            todo.extend(current.exceptions)


def unwrap(exception: BaseException) -> BaseException:
    """The only exception inside nested groups of one; otherwise the exception itself.

    trio wraps what leaves a nursery in a group; the reason of the process is what was
    raised, not the wrapping.
    """
    while isinstance(exception, BaseExceptionGroup) and len(exception.exceptions) == 1:
        exception = exception.exceptions[0]
    return exception


def reason_of(exception: BaseException) -> tuple[str, Reason]:
    """``(class, reason)`` of an uncaught exception; class is exit, throw or error (P3)."""
    exception = unwrap(exception)
    if isinstance(exception, Exit):
        return "exit", exception.reason
    if isinstance(exception, Throw):
        return "throw", (("nocatch", exception.value), Stack(exception))
    if isinstance(exception, ErrorTerm):
        return "error", (exception.term, Stack(exception))
    return "error", (exception, Stack(exception))


def is_atom(reason: Reason, atom: str) -> bool:
    """``reason == atom``, also for a reason whose own ``==`` raises or answers no bool."""
    return isinstance(reason, str) and reason == atom


def is_normal(reason: Reason) -> bool:
    """Whether nothing is to be reported for it: normal, shutdown or (shutdown, term)."""
    if type(reason) is tuple:
        return len(reason) == 2 and is_atom(reason[0], "shutdown")
    return is_atom(reason, "normal") or is_atom(reason, "shutdown")


def format_reason(reason: Reason) -> str:
    """A reason as one line for people: ``ValueError: no such city``, ``(shutdown, idle)``."""
    if isinstance(reason, str):
        return reason
    if isinstance(reason, BaseException):
        text = " ".join(_shown(str, reason).split())
        name = type(reason).__name__
        return f"{name}: {text}" if text else name
    if isinstance(reason, tuple):
        if len(reason) == 2 and isinstance(reason[1], Stack):
            return format_reason(reason[0])
        return "(" + ", ".join(format_reason(part) for part in reason) + ")"
    return " ".join(shown(reason).split())


def shown(term: object) -> str:
    """``repr(term)``, also of a term whose own raises: a stranger may have sent it."""
    return _shown(repr, term)


def _shown(how: Callable[[object], str], term: object) -> str:
    try:
        return how(term)
    except Exception as error:
        return f"<{type(term).__name__} that shows itself with {type(error).__name__}>"
