"""What the three monitors have in common: look, judge, set and clear alarms, look again.

A reading is taken by a helper process, so a reader that hangs costs a warning and not the
monitor: after `helper_timeout` seconds the helper is killed. A reading that fails changes no
alarm; the next one is taken when its time comes (OTP's monitors end instead, and take their
supervisor with them when the failure lasts).

An alarm is set once for as long as its cause lasts, and cleared when it is over or when the
monitor is stopped. A monitor that was killed leaves its alarms set; the one that replaces it
finds them in the list and takes them over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from .. import alarm_handler
from .._cell import current_runtime
from .._errors import CallExit
from .._gen_server.behaviour import GenServer
from .._gen_server.calls import From, reply
from .._names import whereis
from .._pid import Pid
from .._reports import WarningReport
from .._signals import cancel_timer, exit_signal, send, send_after, trap_exit
from .._signals import self as own_pid
from .._task import spawn_link
from .._timers import TimerRef
from ..gen_event import HandlerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """interval: seconds from one check to the next. helper_timeout: seconds a reading may
    take.
    """

    interval: float
    helper_timeout: float = 30.0

    def __post_init__(self) -> None:
        for field in ("interval", "helper_timeout"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be more than 0 seconds, not {getattr(self, field)}")


@dataclass(frozen=True, slots=True)
class MonitorState:
    """reading: the latest, None before the first. held: ids of the alarms it has set; None
    until those of a predecessor were looked up. helper: takes a reading now, since
    `began`. periodic: the next check is due `interval` after `began`. waiting: callers.
    """

    settings: Any
    reading: Any = None
    held: frozenset[Any] | None = None
    helper: Pid | None = None
    timer: TimerRef | None = None
    began: float = 0.0
    periodic: bool = False
    waiting: tuple[From, ...] = ()


class Monitor(GenServer):
    """Subclasses say what to read (`collect`) and what is alarming about it (`judge`)."""

    settings: ClassVar[Callable[[], Settings]]
    """The settings when it is started without."""

    async def collect(self, settings: Any) -> Any:
        """Take one reading; runs in the helper process."""
        raise AssertionError("each monitor has something of its own to read")

    def judge(self, reading: Any, settings: Any) -> dict[Any, Any]:
        """The alarms that `reading` justifies: id to description."""
        raise AssertionError("each monitor has marks of its own")

    def owns(self, alarm_id: Any) -> bool:
        """Whether an alarm is one that `judge` may set."""
        raise AssertionError("each monitor knows its alarms")

    # --- callbacks --------------------------------------------------------------------

    def init(self, settings: Settings | None = None) -> Any:
        """The first check comes at once."""
        trap_exit()
        send(own_pid(), "time_to_check")
        return "ok", MonitorState(type(self).settings() if settings is None else settings)

    def handle_call(self, request: Any, from_: From, state: MonitorState) -> Any:
        """``"latest"``: the reading, the first one being waited for; ``"fresh"``: a new one.

        The answer is None when no reading could be taken.
        """
        if request == "latest" and state.reading is not None:
            return "reply", state.reading, state
        if request not in ("latest", "fresh"):
            return "reply", ("error", ("unknown_request", request)), state
        return "noreply", self._begin(replace(state, waiting=(*state.waiting, from_)))

    def handle_info(self, message: Any, state: MonitorState) -> Any:
        """The clock and the helper; everything else is ignored."""
        match message:
            case str("time_to_check"):
                return "noreply", self._begin(replace(state, periodic=True))
            case (str("collected"), helper, reading, found) if helper is state.helper:
                return "noreply", self._conclude(self._heed(state, reading, found), reading)
            case (str("late"), Pid() as helper) if helper is state.helper:
                exit_signal(helper, "kill")
                problem = f"no reading within {state.settings.helper_timeout} s"
                return "noreply", self._fail(state, problem)
            case (str("EXIT"), helper, _reason) if helper is state.helper:
                return "noreply", self._fail(state, "reading failed; see its crash report")
        return "noreply", state

    def terminate(self, reason: Any, state: MonitorState) -> None:
        """Take its own alarms back: nobody watches any more."""
        if whereis(alarm_handler.NAME) is not None:
            for alarm_id in state.held or ():
                alarm_handler.clear_alarm(alarm_id)

    # --- one check --------------------------------------------------------------------

    def _begin(self, state: MonitorState) -> MonitorState:
        if state.helper is not None:
            return state
        helper = spawn_link(
            _help,
            own_pid(),
            self.collect,
            state.settings,
            state.held is None,
            label=f"{type(self).__name__} helper",
        )
        timer = send_after(state.settings.helper_timeout, own_pid(), ("late", helper))
        return replace(state, helper=helper, timer=timer, began=current_runtime().now())

    def _heed(self, state: MonitorState, reading: Any, found: tuple[Any, ...]) -> MonitorState:
        """Set what is new, clear what is over."""
        held = state.held
        if held is None:
            held = frozenset(alarm_id for alarm_id in found if self.owns(alarm_id))
        due = self.judge(reading, state.settings)
        for alarm_id in held - due.keys():
            alarm_handler.clear_alarm(alarm_id)
        for alarm_id, description in due.items():
            if alarm_id not in held:
                alarm_handler.set_alarm((alarm_id, description))
        return replace(state, reading=reading, held=frozenset(due))

    def _fail(self, state: MonitorState, problem: str) -> MonitorState:
        current_runtime().reports.emit(
            WarningReport(
                own_pid(), f"{type(self).__name__}: {problem}; alarms are left as they are"
            )
        )
        return self._conclude(state, None)

    def _conclude(self, state: MonitorState, answer: Any) -> MonitorState:
        assert state.timer is not None
        cancel_timer(state.timer)
        for from_ in state.waiting:
            reply(from_, answer)
        if state.periodic:
            spent = current_runtime().now() - state.began
            send_after(max(0.0, state.settings.interval - spent), own_pid(), "time_to_check")
        return replace(state, helper=None, timer=None, periodic=False, waiting=())


async def _help(
    monitor: Pid, collect: Callable[[Any], Awaitable[Any]], settings: Any, first: bool
) -> None:
    """Take one reading for `monitor`; with its first one also look up the alarms set."""
    reading = await collect(settings)
    found: tuple[Any, ...] = ()
    if first:
        try:
            found = tuple(alarm_id for alarm_id, _ in await alarm_handler.get_alarms())
        except (HandlerError, CallExit):
            found = ()  # somebody else's handler keeps the alarms, or nobody does
    send(monitor, ("collected", own_pid(), reading, found))
