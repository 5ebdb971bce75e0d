"""The process of a state machine: a GenServer whose callbacks run the engine.

WHY a GenServer: starting, names, calls entered directly, suspension, hibernation, `sys`,
reports and endings are the same for both behaviours, so they are the same code. What
differs is what a message means, and that is the engine's. The engine is the server's
state; what `sys` shows of it and takes for it is the pair ``(state, data)``, as in OTP.

Time-outs are the runtime's timers: they arrive in the mailbox, as ``("timeout", timer,
name)``, in order with everything else.
"""

from __future__ import annotations

from collections.abc import Callable as Function
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar

from .._cell import cell, require_process
from .._errors import Reason, Stack, Throw
from .._gen_server.behaviour import GenServer, Undefined
from .._gen_server.calls import From, reply
from .._gen_server.system import loaded_class
from .._process import Process, info
from .actions import Reply
from .engine import Engine
from .loading import load, run
from .misuse import Misuse
from .timeouts import Cancel, Event, Start, Timer

if TYPE_CHECKING:
    from .behaviour import GenStateMachine


class Machine(GenServer):
    """What the two kinds have in common; a subclass of each kind for each kind of machine.

    callbacks: the user's class, which this stands in for.
    """

    behaviour = "gen_statem"
    status_details = ("queue", "postponed", "timeouts", "modules")
    callbacks: ClassVar[type[GenStateMachine]]

    # --- events ---------------------------------------------------------------------------

    def _event(self, message: Any, engine: Engine) -> Event | None:
        """What a message that is neither call nor cast is; None: nothing any more."""
        if type(message) is tuple and len(message) == 3 and type(message[1]) is Timer:
            return engine.timeouts.fired(message[1])
        return "info", message

    def _started(self, value: Any) -> Any:
        """What init returned, as a GenServer's init would say it (G1)."""
        actions: Any = ()
        match value:
            case ("ok", state, data):
                pass
            case ("ok", state, data, actions):
                pass
            case "ignore" | ("stop", _) | ("error", _):
                return value
            case _:
                return "stop", ("bad_return_from_init", value)
        return "ok", Engine(load, state, data), ("continue", actions)

    def _begin(self, engine: Engine, actions: Any) -> None:
        """The first transition: init's actions and the first enter call."""
        try:
            engine.start(self.callbacks, actions)
        finally:
            _carry_out(engine)

    def _take(self, engine: Engine, value: Any) -> None:
        """Give the engine what a callback returned, and do what it answers."""
        cell.budget -= 1
        try:
            engine.take(value)
        finally:
            _carry_out(engine)

    def _rest(self, engine: Engine) -> Any:
        """Back to the server, which waits or stops."""
        if engine.halted is not None:
            return "stop", engine.halted.reason, engine
        if engine.hibernate:
            return "noreply", engine, "hibernate"
        return "noreply", engine

    def _in_force(self, engine: Engine) -> GenStateMachine:
        callbacks: GenStateMachine = (
            engine.module.callbacks if engine.modules else self.callbacks.instance
        )
        return callbacks

    # --- supervisors.sys --------------------------------------------------------------------

    def system_get_state(self, state: Engine) -> Any:
        return state.state, state.data

    def system_replace_state(self, fn: Function[[Any], Any], state: Engine) -> tuple[Any, Any]:
        pair = fn((state.state, state.data))
        if type(pair) is not tuple or len(pair) != 2:
            raise TypeError(
                f"the state of a state machine is a pair (state, data), not {pair!r}; that is "
                "what the function given to sys.replace_state has to return"
            )
        state.state, state.data = pair
        return pair, state

    def system_code_change(self, old_vsn: Any, state: Engine, extra: Any) -> Any:
        """Load all callback modules anew and have the one in force migrate (1.7)."""
        own = self.callbacks
        classes = [type(module.callbacks) for module in state.modules]
        try:
            modules = [load(own if c is state.origin else loaded_class(c)) for c in classes]
        except Misuse as misuse:
            return "error", misuse.term
        callbacks = modules[-1].callbacks
        change = getattr(callbacks, "code_change", None)
        if change is None:
            raise Undefined(f"{type(callbacks).__qualname__} has no code_change")
        match change(old_vsn, state.state, state.data, extra):
            case ("ok", new_state, new_data):
                state.modules = modules
                state.origin = own
                state.state, state.data = new_state, new_data
                return "ok", state
            case other:
                return other

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """As the machine's `format_status` wants it shown, which sees state and data apart."""
        engine: Engine = status["state"]
        whole = {
            **status,
            "state": engine.state,
            "data": engine.data,
            "queue": engine.unhandled,
            "postponed": list(engine.postponed),
            "timeouts": [(timer.name, timer.content) for timer in engine.timeouts],
        }
        callbacks = self._in_force(engine)
        shown: object = callbacks.format_status(dict(whole))
        if not isinstance(shown, dict) or shown.keys() != whole.keys():
            raise TypeError(
                f"{type(callbacks).__qualname__}.format_status must return a dict with "
                f"the keys {sorted(whole)}, not {shown!r}"
            )
        shown["state"] = shown["state"], shown.pop("data")
        shown["modules"] = [type(module.callbacks) for module in reversed(engine.modules)]
        return shown


class PlainMachine(Machine):
    """All callbacks are plain functions: the process has no task."""

    def init(self, *args: Any) -> Any:
        try:
            value = self.callbacks.instance.init(*args)
        except Throw as thrown:
            value = thrown.value
        return self._started(value)

    def handle_continue(self, term: Any, state: Engine) -> Any:
        self._begin(state, term)
        return self._run(state)

    def handle_call(self, request: Any, from_: From, state: Engine) -> Any:
        state.queue.append((("call", from_), request))
        return self._run(state)

    def handle_cast(self, request: Any, state: Engine) -> Any:
        state.queue.append(("cast", request))
        return self._run(state)

    def handle_info(self, message: Any, state: Engine) -> Any:
        event = self._event(message, state)
        if event is None:
            return "noreply", state
        state.queue.append(event)
        return self._run(state)

    def _run(self, engine: Engine) -> Any:
        while engine.halted is None and (callback := engine.next_callback()) is not None:
            try:
                value = run(callback)
            except Throw as thrown:
                value = thrown.value
            self._take(engine, value)
        return self._rest(engine)

    def terminate(self, reason: Reason, state: Engine) -> Any:
        _stop_timers(state)
        return self._in_force(state).terminate(_bare(reason), state.state, state.data)


class AsyncMachine(Machine):
    """Callbacks may wait: the process has a task."""

    async def init(self, *args: Any) -> Any:
        try:
            value = await _done(self.callbacks.instance.init(*args))
        except Throw as thrown:
            value = thrown.value
        return self._started(value)

    async def handle_continue(self, term: Any, state: Engine) -> Any:
        self._begin(state, term)
        return await self._run(state)

    async def handle_call(self, request: Any, from_: From, state: Engine) -> Any:
        state.queue.append((("call", from_), request))
        return await self._run(state)

    async def handle_cast(self, request: Any, state: Engine) -> Any:
        state.queue.append(("cast", request))
        return await self._run(state)

    async def handle_info(self, message: Any, state: Engine) -> Any:
        event = self._event(message, state)
        if event is None:
            return "noreply", state
        state.queue.append(event)
        return await self._run(state)

    async def _run(self, engine: Engine) -> Any:
        while engine.halted is None and (callback := engine.next_callback()) is not None:
            try:
                value = await _done(run(callback))
            except Throw as thrown:
                value = thrown.value
            self._take(engine, value)
        return self._rest(engine)

    async def terminate(self, reason: Reason, state: Engine) -> Any:
        _stop_timers(state)
        return await _done(self._in_force(state).terminate(_bare(reason), state.state, state.data))


async def _done(value: Any) -> Any:
    """The value of a callback, whether it was async or not."""
    return await value if type(value) is CoroutineType else value


# --- effects ----------------------------------------------------------------------------------


def _carry_out(engine: Engine) -> None:
    if not engine.effects:
        return
    effects, engine.effects = engine.effects, []
    process = require_process("a state machine's callback")
    for effect in effects:
        match effect:
            case Reply(from_, value):
                reply(from_, value)
                if process.extras is not None and process.extras.debug is not None:
                    process.extras.debug(("out", value, from_.pid, engine))
            case Start(timer, time, absolute):
                delay = max(0.0, time - process.runtime.now()) if absolute else time
                timer.handle = process.runtime.timers.add(
                    delay, _fire_of(process, timer), process.pid
                )
            case Cancel(timer):
                process.runtime.timers.cancel(timer.handle)


def _fire_of(process: Process, timer: Timer) -> Function[[], None]:
    pid = process.pid
    return lambda: pid._post(info(("timeout", timer, timer.name)))


def _stop_timers(engine: Engine) -> None:
    timers = require_process("terminate").runtime.timers
    for timer in engine.timeouts:
        if timer.handle is not None:
            timers.cancel(timer.handle)


# --- endings ----------------------------------------------------------------------------------


def _bare(reason: Reason) -> Reason:
    """What terminate is told of a crash: the error without its stack, unlike a GenServer's."""
    crashed = type(reason) is tuple and len(reason) == 2 and type(reason[1]) is Stack
    return reason[0] if crashed else reason


def server_of(machine: type[GenStateMachine], base: type[Machine]) -> Machine:
    """The server of one kind of machine, which reports show under the machine's name."""
    names = {
        "__module__": machine.__module__,
        "__qualname__": machine.__qualname__,
        "__doc__": base.__doc__,
        "callbacks": machine,
    }
    server: Machine = type(machine.__name__, (base,), names)()
    return server
