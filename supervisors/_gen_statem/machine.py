"""The process of a state machine: a GenServer whose callbacks run the engine.

WHY a GenServer: starting, names, calls entered directly, suspension, `sys`, reports and
endings are the same for both behaviours, so they are the same code. What differs is what
a message means, and that is the engine's. A GenServer's module is shared by all its
processes and keeps nothing; a machine's is made for one process and keeps its engine:
queue, postponed events and time-outs. The state that the server sees is the pair
``(state, data)``, the truth at rest, so `sys.get_state` and `sys.replace_state` show and
take what OTP's do.

Time-outs are the runtime's timers: they arrive in the mailbox, as ``("timeout", timer,
name)``, in order with everything else.
"""

from __future__ import annotations

from collections.abc import Callable as Function
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from .._cell import cell, require_process
from .._errors import Exit, Reason, Stack, Throw
from .._gen_server.behaviour import GenServer, Undefined
from .._gen_server.calls import From, reply
from .._process import Process, info
from .actions import Reply
from .engine import Callback, Engine
from .loading import load, run
from .misuse import Misuse
from .timeouts import Cancel, Event, Start, Timer

if TYPE_CHECKING:
    from .behaviour import GenStateMachine

Pair = tuple[Any, Any]
"""``(state, data)``."""


def _fire_of(process: Process, timer: Timer) -> Function[[], None]:
    pid = process.pid
    return lambda: pid._post(info(("timeout", timer, timer.name)))


def _ends(misuse: Misuse) -> Exit:
    """How a process ends of what Erlang calls ``error(Term)``: with ``(Term, Stack)``."""
    return Exit((misuse.term, Stack(misuse)))


class Machine(GenServer):
    """What the two kinds have in common; one instance for each process."""

    machine: type[GenStateMachine]

    def __init__(self) -> None:
        self.engine = Engine(load)
        self.first: Any = ()
        self.pair: Pair = (None, None)
        self.inside = False
        """Whether the engine, not the server, knows the state: between two callbacks."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    # --- both kinds ---------------------------------------------------------------------

    def _started(self, value: Any) -> Any:
        """What init returned, as a GenServer's init would say it (G1)."""
        match value:
            case ("ok", state, data):
                self.first = ()
            case ("ok", state, data, actions):
                self.first = actions
            case "ignore" | ("stop", _) | ("error", _):
                return value
            case _:
                return "stop", ("bad_return_from_init", value)
        self.pair = (state, data)
        return "ok", self.pair, ("continue", "enter")

    def _resume(self, pair: Pair) -> Engine:
        """The engine, with the state that was put in its place meanwhile, if any."""
        engine = self.engine
        if pair is not self.pair:
            if type(pair) is not tuple or len(pair) != 2:
                raise TypeError(
                    f"the state of a state machine is a pair (state, data), not {pair!r}; "
                    "that is what sys.replace_state has to put in its place"
                )
            engine.state, engine.data = pair
        self.inside = True
        return engine

    def _rest(self) -> Any:
        """Back to the server, which waits or stops."""
        engine = self.engine
        self.inside = False
        self.pair = (engine.state, engine.data)
        if engine.halted is not None:
            return "stop", engine.halted.reason, self.pair
        return "noreply", self.pair

    def _take(self, engine: Engine, value: Any) -> None:
        """Give the engine what a callback returned, and do what it answers."""
        cell.budget -= 1
        try:
            engine.take(value)
        except Misuse as misuse:
            raise _ends(misuse) from None
        finally:
            self._carry_out(engine)

    def _begin(self, pair: Pair) -> Engine:
        """The first transition: init's actions and the first enter call."""
        engine = self.engine
        self.inside = True
        try:
            engine.start(self.machine, *pair, self.first)
        except Misuse as misuse:
            raise _ends(misuse) from None
        finally:
            self.first = ()
            self._carry_out(engine)
        return engine

    def _carry_out(self, engine: Engine) -> None:
        effects = engine.effects()
        if not effects:
            return
        process = require_process("a state machine's callback")
        timers = process.runtime.timers
        for effect in effects:
            match effect:
                case Reply(from_, value):
                    reply(from_, value)
                    if process.extras is not None and process.extras.debug is not None:
                        process.extras.debug(("out", value, from_.pid))
                case Start(timer, time, absolute):
                    delay = max(0.0, time - process.runtime.now()) if absolute else time
                    timer.handle = timers.add(delay, _fire_of(process, timer))
                case Cancel(timer):
                    timers.cancel(timer.handle)

    def _event(self, message: Any) -> Event | None:
        """What a message that is neither call nor cast is; None: nothing any more."""
        if type(message) is tuple and len(message) == 3 and type(message[1]) is Timer:
            return self.engine.timeouts.fired(message[1])
        return "info", message

    def _ending(self, pair: Pair) -> Pair:
        """What terminate and reports are to see; a crash leaves the truth in the engine."""
        return (self.engine.state, self.engine.data) if self.inside else pair

    def _stop_timers(self) -> None:
        timers = require_process("terminate").runtime.timers
        for timer in self.engine.timeouts:
            if timer.handle is not None:
                timers.cancel(timer.handle)

    @property
    def callbacks(self) -> GenStateMachine:
        """The callback module in force."""
        modules = self.engine.modules
        return modules[-1].callbacks if modules else self.machine.module

    def adopt(self, machine: type[GenStateMachine]) -> None:
        """Go on with another version of the callback module in force (code change)."""
        modules = self.engine.modules
        if modules:
            modules[-1] = load(machine)

    def code_change(self, old_vsn: Any, pair: Pair, extra: Any) -> Any:
        """The machine's ``code_change(old_vsn, state, data, extra)``."""
        change = getattr(self.callbacks, "code_change", None)
        if change is None:
            raise Undefined(f"{type(self.callbacks).__qualname__} has no code_change")
        match change(old_vsn, *pair, extra):
            case ("ok", state, data):
                return "ok", (state, data)
            case other:
                return other

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """As the machine's `format_status` wants it shown, which sees state and data apart."""
        engine = self.engine
        state, data = self._ending(status["state"])
        whole = {
            **status,
            "state": state,
            "data": data,
            "queue": list(engine.queue),
            "postponed": list(engine.postponed),
            "timeouts": [(timer.name, timer.content) for timer in engine.timeouts],
        }
        shown: object = self.callbacks.format_status(dict(whole))
        if not isinstance(shown, dict) or shown.keys() != whole.keys():
            raise TypeError(
                f"{type(self.callbacks).__qualname__}.format_status must return a dict with "
                f"the keys {sorted(whole)}, not {shown!r}"
            )
        return {**{key: shown[key] for key in status}, "state": (shown["state"], shown["data"])}


class PlainMachine(Machine):
    """All callbacks are plain functions: the process has no task."""

    def init(self, *args: Any) -> Any:
        try:
            value = self.machine.module.init(*args)
        except Throw as thrown:
            value = thrown.value
        return self._started(value)

    def handle_continue(self, term: Any, pair: Pair) -> Any:
        return self._run(self._begin(pair))

    def handle_call(self, request: Any, from_: From, pair: Pair) -> Any:
        engine = self._resume(pair)
        engine.queue.append((("call", from_), request))
        return self._run(engine)

    def handle_cast(self, request: Any, pair: Pair) -> Any:
        engine = self._resume(pair)
        engine.queue.append(("cast", request))
        return self._run(engine)

    def handle_info(self, message: Any, pair: Pair) -> Any:
        event = self._event(message)
        if event is None:
            return "noreply", pair
        engine = self._resume(pair)
        engine.queue.append(event)
        return self._run(engine)

    def _run(self, engine: Engine) -> Any:
        while engine.halted is None and (callback := engine.next_callback()) is not None:
            try:
                value = run(callback)
            except Throw as thrown:
                value = thrown.value
            self._take(engine, value)
        return self._rest()

    def terminate(self, reason: Reason, pair: Pair) -> Any:
        self._stop_timers()
        return self.callbacks.terminate(reason, *self._ending(pair))


async def _done(value: Any) -> Any:
    """The value of a callback, whether it was async or not."""
    return await value if type(value) is CoroutineType else value


class AsyncMachine(Machine):
    """Callbacks may wait: the process has a task."""

    async def init(self, *args: Any) -> Any:
        try:
            value = await _done(self.machine.module.init(*args))
        except Throw as thrown:
            value = thrown.value
        return self._started(value)

    async def handle_continue(self, term: Any, pair: Pair) -> Any:
        return await self._run(self._begin(pair))

    async def handle_call(self, request: Any, from_: From, pair: Pair) -> Any:
        engine = self._resume(pair)
        engine.queue.append((("call", from_), request))
        return await self._run(engine)

    async def handle_cast(self, request: Any, pair: Pair) -> Any:
        engine = self._resume(pair)
        engine.queue.append(("cast", request))
        return await self._run(engine)

    async def handle_info(self, message: Any, pair: Pair) -> Any:
        event = self._event(message)
        if event is None:
            return "noreply", pair
        engine = self._resume(pair)
        engine.queue.append(event)
        return await self._run(engine)

    async def _run(self, engine: Engine) -> Any:
        while engine.halted is None and (callback := engine.next_callback()) is not None:
            self._take(engine, await self._value(callback))
        return self._rest()

    async def _value(self, callback: Callback) -> Any:
        try:
            return await _done(run(callback))
        except Throw as thrown:
            return thrown.value

    async def terminate(self, reason: Reason, pair: Pair) -> Any:
        self._stop_timers()
        return await _done(self.callbacks.terminate(reason, *self._ending(pair)))


class Starter:
    """One machine about to start, with the names of its class and a module of its own.

    It stands where GenServer's start functions take the class of a server.
    """

    __module__: str
    __qualname__: str

    def __init__(self, server: type[Machine], machine: type[GenStateMachine]) -> None:
        self.module = server()
        self.__module__ = machine.__module__
        self.__qualname__ = machine.__qualname__


def server_of(machine: type[GenStateMachine], base: type[Machine]) -> type[Machine]:
    """The server class of one kind of machine, which reports show under the machine's name."""
    names = {
        "__module__": machine.__module__,
        "__qualname__": machine.__qualname__,
        "__doc__": base.__doc__,
        "machine": machine,
    }
    return type(machine.__name__, (base,), names)
