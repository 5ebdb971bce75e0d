"""GenServer with plain callbacks: the process that has no task.

The two hot loops of the kernel live here, `drain` (mail, in order) and `enter_call`
(direct dispatch). Both handle the one return value that nearly every message has in line
and hand everything else to `conclude`. `tests/supervisors/gen_server` proves by property
test that the two ways in give the same order and the same outcomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from .._cell import cell
from .._errors import Reason, Throw, interrupts, is_normal, reason_of
from .._pid import Pid
from .._process import (
    CALL,
    EXITED,
    IDLE,
    RUNNABLE,
    RUNNING,
    TIMEOUT,
    WAITING,
    Envelope,
    Process,
    crash_report,
    finish,
)
from .._runtime import Runtime
from .._sys.debug import Debug, debug_of
from .._sys.hooks import Event
from . import outcome
from .calls import NO_REPLY, From, reply
from .outcome import STARTED
from .reporting import error_report, reported
from .resting import RestingServer
from .system import ServerHooks

if TYPE_CHECKING:
    from .behaviour import GenServer

CAST: Final = 3
"""The kind of an envelope that a traced cast is put into, so that it is concluded in full."""


class PlainServer(RestingServer, ServerHooks):
    """The record of a GenServer whose callbacks are all plain functions."""

    __slots__ = ("module", "state")

    module: GenServer

    def __init__(self, runtime: Runtime, parent: Process | None, module: GenServer) -> None:
        # Written out instead of chained: starting a server is a measured path.
        runtime._ids += 1
        pid = self.pid = Pid(runtime.node, runtime._ids, runtime.serial)
        pid._process = self
        pid._post = self
        self.runtime = runtime
        self.status = RUNNING
        self.trap_exit = False
        self.queued = False
        self.links = None
        self.extras = None
        self.exit_reason = None
        self.box = None
        self.batch = None
        self.mailbox = None
        self.messages_in = 0
        self.started_at = perf_counter()
        self.module = module
        self.state: Any = None
        if parent is None:
            self.parent = None
            self.ancestors = ()
        else:
            self.parent = parent.pid
            extras = parent.extras
            self.ancestors = (
                parent.lineage()
                if extras is None or extras.children_ancestors is None
                else extras.children_ancestors
            )
        runtime.table[pid] = self

    @property
    def initial_call(self) -> str:
        return f"{type(self.module).__module__}:{type(self.module).__qualname__}"

    # --- the two ways in ----------------------------------------------------------------

    def enter_call(self, request: Any, from_: From) -> Any:
        """Run one call on the caller's stack; the process is IDLE.

        Answers the reply, or NO_REPLY when the handler gave none on return.
        """
        self.status = RUNNING
        self.messages_in += 1
        previous = cell.current
        cell.current = self
        try:
            value = self.module.handle_call(request, from_, self.state)
        except BaseException as error:
            try:
                self._crash_in_call(error, request, from_)
            finally:
                cell.current = previous
                if self.status != EXITED:
                    self.settle()
            return NO_REPLY
        if type(value) is tuple and len(value) == 3 and value[0] == "reply":
            cell.current = previous
            self.state = value[2]
            if self.status == RUNNING:
                self.status = IDLE
            else:
                self.settle()
            return value[1]
        try:
            self.conclude(outcome.read(value, is_call=True), request, from_)
        finally:
            cell.current = previous
            if self.status != EXITED:
                self.settle()
        return NO_REPLY

    def enter_request(self, request: Any, from_: From) -> None:
        """As `enter_call`, for a request whose answer goes to a mailbox: before anything that
        happened to the server meanwhile is told to anybody.
        """
        self.status = RUNNING
        self.messages_in += 1
        previous, cell.current = cell.current, self
        try:
            value = self.module.handle_call(request, from_, self.state)
            self.conclude(outcome.read(value, is_call=True), request, from_)
        except BaseException as error:
            self._crash_in_call(error, request, from_)
        finally:
            cell.current = previous
            if self.status != EXITED:
                self.settle()

    def catch_up(self) -> bool:
        """Handle what is queued, so that a caller may enter; False if it has to queue."""
        status = self.status
        extras = self.extras
        if extras is not None and (extras.debug is not None or extras.hibernate_after is not None):
            return False
        if status == RUNNABLE and self.queue_length() < cell.unused():
            self.drain()
            status = self.status
        if status == WAITING:
            self.cancel_timeout()
            self.status = status = IDLE
        return status == IDLE

    def drain(self) -> None:
        if self.status != RUNNABLE:
            return
        previous = cell.current
        cell.current = self
        self.status = RUNNING
        state = self.state
        handle_cast = self.module.handle_cast
        message: Any = None
        batch: Any = None
        handled = there = 0
        quota = 1  # nothing is known yet of how heavy the messages are
        try:
            while self.status == RUNNING:
                batch = self.take_batch()
                if batch is None:
                    break
                there = batch.__length_hint__()
                if handled:
                    if handled == 1:
                        cell.one_at_a_time()
                    if (cell.budget <= 0 or handled == 1) and not cell.look():
                        break
                    quota = cell.budget
                turn: Iterable[Any] = islice(batch, quota)
                if self.extras is not None and (debug := debug_of(self)) is not None:
                    turn = self._traced(turn, debug)
                for message in turn:
                    if type(message) is Envelope:
                        self.state = state
                        self.open(message)
                        if self.status != RUNNING:
                            break
                        state = self.state
                        continue
                    value = handle_cast(message, state)
                    try:
                        tag, new = value
                    except (TypeError, ValueError):
                        tag = None
                    if tag == "noreply":
                        state = new
                        continue
                    self.state = state
                    self.conclude(outcome.read(value, is_call=False), message)
                    if self.status != RUNNING:
                        break
                    state = self.state
                self.state = state
                handled += _spend(batch, there, quota)
                there = 0
        except BaseException as error:
            self.state = state
            self.crash(error, message)
        finally:
            if there:
                handled += _spend(batch, there, quota)
            self.messages_in += handled
            cell.current = previous
        if self.status != EXITED:
            self.settle()

    def _traced(self, turn: Iterable[Any], debug: Debug) -> Iterator[Any]:
        for message in turn:
            debug(("in", shown(message)))
            if type(message) is Envelope:
                yield message
            else:
                envelope = Envelope()
                envelope.kind = CAST
                envelope.body = message
                yield envelope

    def _debug(self, event: Event) -> None:
        if self.extras is not None and self.extras.debug is not None:
            self.extras.debug(event)

    # --- one message ----------------------------------------------------------------------

    def open(self, envelope: Envelope) -> None:
        """Handle what is not a cast."""
        body = envelope.body
        if envelope.kind == CALL:
            value = self.module.handle_call(body, envelope.extra, self.state)
            self.conclude(outcome.read(value, is_call=True), body, envelope.extra)
            return
        if envelope.kind == CAST:
            value = self.module.handle_cast(body, self.state)
            self.conclude(outcome.read(value, is_call=False), body)
            return
        if envelope.kind == TIMEOUT:
            body = "timeout"
        elif self.trap_exit and self._is_parent_exit(envelope):
            self.parent_exit(body[2])
            return
        value = self.module.handle_info(body, self.state)
        self.conclude(outcome.read(value, is_call=False), body)

    def conclude(self, result: outcome.Outcome, message: Any, from_: From | None = None) -> None:
        """Do what a callback's return value asks for, and what follows from that (G4-G7)."""
        while True:
            if isinstance(result, outcome.Stop):
                if not result.keep_state:
                    self.state = result.state
                self.stop(result.reason, message, from_ if result.replies else None, result.reply)
                return
            if isinstance(result, outcome.Answer):
                assert from_ is not None
                reply(from_, result.reply)
                self._debug(("out", result.reply, from_.pid, result.state))
            elif message is not STARTED:
                self._debug(("noreply", result.state))
            self.state = result.state
            option = result.option
            if option is None or self.exit_reason is not None:
                return
            if type(option) is not tuple:
                self.arm(option)
                return
            try:
                value = self.module.handle_continue(option[1], self.state)
            except Throw as thrown:
                value = thrown.value
            except BaseException as error:
                kind, reason = reason_of(error)
                self.stop(reason, option, kind=kind, raised=error)
                return
            result = outcome.read(value, is_call=False)
            message = option
            from_ = None

    # --- supervisors.sys ----------------------------------------------------------------

    def record(self) -> Process:
        return self

    def run_module(self, module: GenServer) -> None:
        self.module = module

    def replace_state(self, state: Any) -> None:
        self.state = state

    def system_terminate(self, reason: Reason) -> None:
        previous, cell.current = cell.current, self
        try:
            self.stop(reason, "terminate")
        finally:
            cell.current = previous

    # --- endings ---------------------------------------------------------------------------

    def crash(self, error: BaseException, message: Any) -> None:
        """A callback raised while `message` was handled."""
        body, from_ = message, None
        if type(message) is Envelope:
            body = message.body
            from_ = message.extra if message.kind == CALL else None
        self._crash_in_call(error, body, from_)

    def _crash_in_call(self, error: BaseException, body: Any, from_: From | None) -> None:
        if isinstance(error, Throw):
            self.conclude(outcome.read(error.value, is_call=from_ is not None), body, from_)
            return
        kind, reason = reason_of(error)
        self.stop(reason, body, kind=kind, raised=error)

    def parent_exit(self, reason: Reason) -> None:
        """EXIT from the parent of a server that traps exits: terminate, even for normal (G8)."""
        previous, cell.current = cell.current, self
        try:
            self.stop(reason, ("EXIT", self.parent, reason))
        finally:
            cell.current = previous

    def stop(
        self,
        reason: Reason,
        message: Any,
        from_: From | None = None,
        answer: Any = None,
        *,
        kind: str = "exit",
        raised: BaseException | None = None,
    ) -> None:
        """Terminate, answer the caller that is owed a reply after it (G5), report, end.

        Raises what a callback raised only if that was Ctrl-C: it is for the program.
        """
        try:
            self.module.terminate(reason, self.state)
        except Throw:
            pass  # a throw is a return, and what terminate returns is ignored (G3)
        except BaseException as error:
            kind, reason = reason_of(error)
            raised = error
        if from_ is not None:
            reply(from_, answer)
            self._debug(("out", answer, from_.pid, self.state))
        if not is_normal(reason):
            error_report(self, self.module, self.state, message, reported(reason, raised))
            crash_report(self, kind, reason)
        finish(self, reason)
        if raised is not None and interrupts(raised):
            raise raised


def _spend(batch: Any, there: int, quota: int) -> int:
    """Take from the turn's budget what was taken from a batch in which so many messages were; how many.

    WHY no counter: it would be a tenth of what handling a cast takes. What was flushed counts as taken; a
    server that has ended has lost the rest of its mail, of which no more counts than it could have taken.
    """
    taken: int = min(there - batch.__length_hint__(), quota)
    cell.budget -= taken
    return taken


def shown(message: Any) -> Any:
    """A mailbox entry of a callback process as a trace shows it."""
    if type(message) is not Envelope:
        return ("$gen_cast", message)
    if message.kind == CALL:
        return ("$gen_call", message.extra.pid, message.body)
    return "timeout" if message.kind == TIMEOUT else message.body
