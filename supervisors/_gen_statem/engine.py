"""The state machine's own logic: events in, callbacks to run and effects out (rules T1-T5).

Nothing here waits, sends or runs user code, so one engine serves machines of plain and of
async callbacks, and tests drive it without a loop. Whoever carries it out does this:

    engine.accept(event)
    while (callback := engine.next_callback()) is not None:
        engine.take(<run the callback>)
        <carry out engine.effects, in order, and empty it>
        if engine.halted is not None: <stop with that reason>

A transition may take several callbacks (an enter call, and those it asks to repeat); what
their actions add up to takes effect at its end, replies alone at once. Until that end
`state` and `data` are the old ones: what a crash in an enter call leaves is the state that
the machine came from, as in OTP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from . import actions as act
from .actions import Reply
from .misuse import Misuse
from .returns import Halt, read
from .timeouts import Cancel, Event, Start, Timeouts

Effect = Reply | Start | Cancel

INIT: Event = ("internal", "init_state")
"""The event that the actions of init belong to; no callback sees it."""


class Module(NamedTuple):
    """A callback module, loaded. enter: whether it has enter calls (`state_enter`)."""

    callbacks: Any
    style: str
    enter: bool


class Callback(NamedTuple):
    """A state callback to be run: with what, and in which state."""

    module: Module
    type: Any
    content: Any
    state: Any
    data: Any


class Engine:
    """One state machine.

    load: turns what the user calls a callback module into a `Module`, or raises Misuse.
    effects: what is to be carried out. halted: why it has stopped. hibernate: whether the
    last transition asked for it. origin: the callback module it began with.
    """

    __slots__ = (
        "_enter_due",
        "_entering",
        "_event",
        "_handling",
        "_inserted",
        "_load",
        "_next_data",
        "_next_state",
        "_postpone",
        "_sleepy",
        "_wanted",
        "data",
        "effects",
        "halted",
        "hibernate",
        "modules",
        "origin",
        "postponed",
        "queue",
        "state",
        "timeouts",
    )

    def __init__(self, load: Callable[[Any], Module], state: Any, data: Any) -> None:
        self._load = load
        self.state = state
        self.data = data
        self.origin: Any = None
        self.modules: list[Module] = []
        self.queue: deque[Event] = deque()
        self.postponed: list[Event] = []
        self.timeouts = Timeouts()
        self.halted: Halt | None = None
        self.effects: list[Effect] = []
        self.hibernate = False
        self._event = INIT
        self._handling = False
        self._next_state: Any = None
        self._next_data: Any = None
        self._postpone = self._entering = self._enter_due = self._sleepy = False
        self._inserted: list[Event] = []
        self._wanted: dict[act.TimeoutName, act.Timeout] = {}

    @property
    def module(self) -> Module:
        """The callback module in force."""
        return self.modules[-1]

    def __repr__(self) -> str:
        return f"<state machine in {self.state!r} with {self.data!r}>"

    @property
    def unhandled(self) -> list[Event]:
        """The queue as a status shows it: first the event in the middle of which it is (OTP)."""
        return [self._event, *self.queue] if self._handling else list(self.queue)

    # --- events in ----------------------------------------------------------------------

    def start(self, module: Any, actions: Any) -> None:
        """Begin: init's actions, then the first enter call, whose old state is its own (T4)."""
        self.origin = module
        self.modules = [self._load(module)]
        self._begin(INIT)
        self._act(actions)
        self._postpone = False
        self._enter_or_finish(enter=True)

    def accept(self, event: Event) -> None:
        """Something was received."""
        self.queue.append(event)

    # --- callbacks ----------------------------------------------------------------------

    def next_callback(self) -> Callback | None:
        """What to run next; None when something has to be received first."""
        if self._enter_due:
            self._enter_due = False
            self._entering = True
            return Callback(self.module, "enter", self.state, self._next_state, self._next_data)
        if self.queue:
            event = self.queue.popleft()
        else:
            due = self.timeouts.next_due()
            if due is None:
                return None
            event = due
        self._begin(event)
        return Callback(self.modules[-1], *event, self.state, self.data)

    def take(self, value: Any) -> None:
        """Go on with what the callback returned.

        Raises Misuse for a return or an action that has no meaning; `state` and `data` are
        then what terminate is to see.
        """
        entering = self._entering
        try:
            result = read(value, self._next_state, self._next_data, entering=entering)
        except Misuse:
            self._settle()
            raise
        if isinstance(result, Halt):
            self._next_data = result.data
            self._settle()
            for action in act.listed(result.replies):
                self.effects.append(act.read_reply(action))
            self.halted = result
            return
        self._next_state, self._next_data = result.state, result.data
        self._act(result.actions)
        self._enter_or_finish(enter=result.enter)

    # --- one transition -------------------------------------------------------------------

    def _begin(self, event: Event) -> None:
        self._event = event
        self._handling = True
        self._next_state, self._next_data = self.state, self.data
        self._postpone = self._entering = self._enter_due = False
        self._sleepy = False
        self._inserted = []
        self._wanted = {}

    def _settle(self) -> None:
        self.state, self.data = self._next_state, self._next_data

    def _act(self, actions: Any) -> None:
        try:
            for action in act.listed(actions):
                self._do(act.read_action(action, entering=self._entering), action)
        except Misuse:
            self._settle()
            raise

    def _do(self, meaning: act.Action, action: Any) -> None:
        match meaning:
            case Reply():
                self.effects.append(meaning)
            case act.Postpone(flag):
                self._postpone = flag
            case act.NextEvent(type_, content):
                self._inserted.append((type_, content))
            case act.SetTimeout(name) | act.CancelTimeout(name) | act.UpdateTimeout(name):
                # The last one of a name is the one that counts, in its own place.
                self._wanted.pop(name, None)
                self._wanted[name] = meaning
            case act.SwitchModule("pop"):
                if len(self.modules) == 1:
                    raise Misuse(("bad_action_from_state_function", action))
                self.modules.pop()
            case act.SwitchModule(how, module):
                loaded = self._load(module)
                if how == "change":
                    self.modules.pop()
                self.modules.append(loaded)
            case act.Hibernate(flag):
                self._sleepy = flag

    def _enter_or_finish(self, *, enter: bool) -> None:
        if enter and self.module.enter:
            self._enter_due = True
        else:
            self._finish()

    def _finish(self) -> None:
        """The end of a transition: everything but the replies, in the order of T1."""
        self._handling = False
        self.hibernate = self._sleepy
        if self._postpone:
            self.postponed.append(self._event)
        self._cancel("timeout")
        if self._next_state != self.state:
            self._cancel("state_timeout")
            self.queue.extendleft(reversed(self.postponed))
            self.postponed.clear()
        self._settle()
        for wanted in self._wanted.values():
            self.effects += self.timeouts.apply(wanted)
        self.queue.extendleft(reversed(self._inserted))

    def _cancel(self, name: act.TimeoutName) -> None:
        effect = self.timeouts.cancel(name)
        if effect is not None:
            self.effects.append(effect)
