"""The supervisor process: carries out what its machine plans and answers administration.

A task process that traps exits. Most children start and end without anybody waiting, so a
request to a supervisor at rest is carried out on the caller's stack (`_borrow`). Everything it decides is decided in the machine
(`regular`, `simple_one_for_one`); here are only the mailbox, the clock and the hands.
While a plan is carried out nothing else is served (rule V18); a failed restart is not
tried again in a loop but through a cast to itself, so that calls and a shutdown get their
turn in between (V11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import trio
from outcome import Error

from .. import _proc_lib
from .._borrow import first_step, resume
from .._cell import cell, task_process
from .._errors import Finished, Reason, is_normal, reason_of, shown, unwinds
from .._gen_server.calls import NO_REPLY, From, cast, reply
from .._gen_server.system import loaded_class
from .._mailbox import Borrowed, Settled, SystemMessage, Terminate
from .._pid import Pid
from .._process import crash_report
from .._reports import ErrorReport, ProgressReport, SupervisorReport, WarningReport
from .._signals import seems_alive
from .._sys.debug import debug_of
from .._sys.hooks import CodeChangeError, SystemHooks
from .._task import TaskProcess
from .answers import ChildCounts, ChildInfo
from .errors import SupervisorError
from .machine import Machine, machine_for
from .plan import Action, Halt, Plan, Progress, Retry, Start, Stop, StopEach, Tell
from .regular import Regular
from .simple_one_for_one import SimpleOneForOne
from .spec import SupFlags
from .starting import call_start
from .stopping import stop_children
from .upgrade import is_upgradable, upgraded

if TYPE_CHECKING:
    from .behaviour import Supervisor

TRY_AGAIN = "try_again_restart"


class SupervisorState(NamedTuple):
    """What `sys.get_state` shows of a supervisor.

    module: the class whose `init` it was started from. flags: as that returned them.
    counts: as `count_children` answers. children: newest first; dynamic
    ones are only counted, they may be a hundred thousand.
    restarts: attempts that count towards the intensity, as of the last one.
    """

    module: str
    flags: SupFlags
    counts: ChildCounts
    children: tuple[ChildInfo, ...]
    restarts: int


class SupervisorProcess(SystemHooks):
    """One running supervisor."""

    __slots__ = ("args", "machine", "module", "process")

    behaviour = "supervisor"

    machine: Machine

    def __init__(self, process: TaskProcess, module: Supervisor) -> None:
        self.process = process
        self.module = module

    # --- supervisors.sys --------------------------------------------------------------

    def get_state(self) -> SupervisorState:
        machine = self.machine
        named = isinstance(machine, Regular)
        return SupervisorState(
            module=self.process.initial_call,
            flags=machine.flags,
            counts=machine.count_children(seems_alive),
            children=tuple(machine.which_children()) if named else (),
            restarts=len(machine.window),
        )

    def replace_state(self, state: Any) -> NoReturn:
        raise TypeError(
            "the state of a supervisor cannot be replaced; "
            "use start_child, terminate_child and delete_child"
        )

    def change_code(self, module: Any, old_vsn: Any, extra: Any) -> None:
        """Ask `init` of the class as it is loaded now again (V19)."""
        if not is_upgradable(self.machine):
            raise CodeChangeError(("not_supported", "its children do not come from init"))
        new_class: Any = loaded_class(type(self.module), module)
        upgrade = new_class()
        try:
            wanted = upgrade.init(*self.args)
        except BaseException as error:
            if unwinds(error):
                raise
            raise CodeChangeError(("EXIT", reason_of(error)[1])) from None
        if wanted != "ignore":
            if not (isinstance(wanted, tuple) and len(wanted) == 2):
                raise CodeChangeError(wanted)
            try:
                self.machine = upgraded(self.machine, *wanted)
            except SupervisorError as fault:
                raise CodeChangeError(("error", fault.reason)) from None
        self.module = upgrade

    # --- life -------------------------------------------------------------------------

    async def run(self, args: tuple[Any, ...]) -> None:
        """Start the children, acknowledge, then serve until the end (V1, V2)."""
        self.process.trap_exit = True
        self.args = args
        await self._boot(self.module.init(*args))
        self.process.sys = self
        _proc_lib.init_ack()
        self.process.server = self
        while True:
            message = await self.process.next_message()
            debug = debug_of(self.process)
            if debug is not None and not isinstance(message, SystemMessage | Borrowed):
                debug(("in", message))
            await self._handle(message)

    async def _boot(self, wanted: Any) -> None:
        if wanted == "ignore":
            _proc_lib.init_ignore()
        if not (isinstance(wanted, tuple) and len(wanted) == 2):
            self._fail(("bad_return", (type(self.module).__qualname__, "init", wanted)))
        try:
            self.machine = machine_for(*wanted)
        except SupervisorError as fault:
            self._fail(fault.reason)
        failure = await self._carry_out(self.machine.boot())
        if failure is not None:
            self._fail(("shutdown", failure))

    def _fail(self, reason: Reason) -> NoReturn:
        crash_report(self.process, "exit", reason)
        _proc_lib.init_fail(reason, reason)
        raise AssertionError("init_fail ends the process")

    async def _terminate(self, reason: Reason, message: Any = None) -> NoReturn:
        await self._carry_out(self.machine.stop_all())
        if not is_normal(reason):  # a supervisor is a gen_server, and reports like one (G10)
            process = self.process
            process.runtime.reports.emit(
                ErrorReport(
                    pid=process.pid,
                    name=process.name,
                    behaviour=process.initial_call,
                    message=message,
                    state=self.get_state(),
                    reason=reason,
                )
            )
        crash_report(self.process, "exit", reason)
        raise Finished(reason)

    # --- messages ---------------------------------------------------------------------

    async def _handle(self, message: Any) -> None:
        if self.process.is_parent_exit(message):
            await self._terminate(message[2], message)
        match message:
            case (str("EXIT"), Pid() as pid, reason):
                now = self.process.runtime.now()
                await self._heed(self.machine.exited(pid, reason, now))
            case (str("$gen_call"), from_, request):
                self._reply(from_, await self._answer_to(request))
            case (str("$gen_cast"), (str() as tag, key)) if tag == TRY_AGAIN:
                await trio.lowlevel.checkpoint()  # callers may want to get a word in
                await self._heed(self.machine.retry(key, self.process.runtime.now()))
            case Terminate(reason=reason):
                await self._terminate(reason)
            case Borrowed(from_=from_, coro=coro, outcome=outcome):
                self._reply(from_, await resume(coro, outcome))
            case Settled(outcome=outcome):
                outcome.unwrap()
            case _:
                self._emit_odd(message)

    async def _heed(self, plan: Plan[Halt | None]) -> None:
        verdict = await self._carry_out(plan)
        if verdict is not None:
            await self._terminate(verdict.reason)

    # --- direct dispatch (`_borrow`) ----------------------------------------------------

    def enter_call(self, request: Any, from_: From) -> Any:
        """Carry a request out on the caller's stack, as this process, which is at rest.

        The answer, or NO_REPLY when something has to be waited for: this process's own
        task goes on with it then, and nothing else is served before that (V18).
        """
        process = self.process
        task = process.lend()
        coro = self._answer_to(request)
        # Set first: while it waits, whoever wakes the task wakes the request.
        process.borrowed = Borrowed(coro, request, from_)
        answer: Any = NO_REPLY
        cell.depth += 1
        try:
            first_step(task, coro)
        except StopIteration as done:
            process.borrowed = None
            answer = done.value
            process.rest(task)
        except BaseException as error:
            process.borrowed = None
            process.mailbox.appendleft(Settled(Error(error), request, from_))
            process.rest(task)
        finally:
            cell.depth -= 1
        return answer

    def enter_request(self, request: Any, from_: From) -> None:
        """As `enter_call`, for a request whose answer goes to a mailbox."""
        answer = self.enter_call(request, from_)
        if answer is not NO_REPLY:
            reply(from_, answer)

    # --- administration -----------------------------------------------------------------

    async def _answer_to(self, request: Any) -> tuple[str, Any]:
        try:
            return "ok", await self._administer(request)
        except SupervisorError as refused:
            return "error", refused.reason

    def _reply(self, from_: From, answer: tuple[str, Any]) -> None:
        reply(from_, answer)
        debug = debug_of(self.process)
        if debug is not None:
            debug(("out", answer, from_.pid, self.get_state()))

    async def _administer(self, request: Any) -> Any:
        match request:
            case (str("start_child"), term):
                return await self._carry_out(self.machine.start_child(term))
            case (str("terminate_child"), child):
                return await self._terminate_child(child)
            case (str("restart_child"), id):
                return await self._carry_out(self.machine.restart_child(id))
            case (str("delete_child"), id):
                return self.machine.delete_child(id)
            case (str("get_childspec"), child):
                if isinstance(self.machine, SimpleOneForOne) and not isinstance(child, Pid):
                    raise SupervisorError("not_found")
                return self.machine.get_childspec(child)
            case (str("which_child"), child):
                return self.machine.which_child(child)
            case str("which_children"):
                return self.machine.which_children()
            case str("count_children"):
                return self.machine.count_children(seems_alive)
        self._emit_odd(request)
        raise SupervisorError(("unknown_request", request))

    async def _terminate_child(self, child: Any) -> None:
        """By id, or by pid for simple_one_for_one, where a dead pid is no error."""
        if not isinstance(self.machine, SimpleOneForOne):
            await self._carry_out(self.machine.terminate_child(child))
            return
        if not isinstance(child, Pid):
            raise SupervisorError("simple_one_for_one")
        try:
            await self._carry_out(self.machine.terminate_child(child))
        except SupervisorError:
            if seems_alive(child):
                raise

    # --- carrying out -----------------------------------------------------------------

    async def _carry_out(self, plan: Plan[Any]) -> Any:
        """Do what the plan asks, one action after the other; its result."""
        outcome: Any = None
        while True:
            try:
                action = plan.send(outcome)
            except StopIteration as end:
                return end.value
            outcome = await self._do(action)

    async def _do(self, action: Action) -> Any:
        process = self.process
        match action:
            case Start(start=start):
                return await call_start(start)
            case Stop(pids=pids, shutdown=shutdown):
                return await stop_children(process, dict.fromkeys(pids, shutdown))  # type: ignore[arg-type]
            case StopEach(shutdowns=shutdowns):
                return await stop_children(process, shutdowns)  # type: ignore[arg-type]
            case Tell(context=context, reason=reason, offender=offender):
                name = process.name or process.pid
                process.runtime.reports.emit(
                    SupervisorReport(process.pid, name, context, reason, offender)
                )
            case Progress(started=started):
                name = process.name or process.pid
                process.runtime.reports.emit(ProgressReport(process.pid, name, started))
            case Retry(key=key, delay=delay) if delay > 0:
                process.runtime.timers.add(
                    delay, lambda: cast(process.pid, (TRY_AGAIN, key)), process.pid
                )
            case Retry(key=key):
                cast(process.pid, (TRY_AGAIN, key))
        return None

    def _emit_odd(self, message: Any) -> None:
        """V15: what is for nobody is reported and dropped."""
        self.process.runtime.reports.emit(
            WarningReport(
                self.process.pid,
                "a supervisor got a message it does not know; dropped",
                {"message": shown(message)[:200]},
            )
        )


async def serve(module: Supervisor, args: tuple[Any, ...]) -> None:
    """The life of a supervisor process, to be run by `proc_lib.start`."""
    process = task_process.get()
    assert process is not None, "serve() runs in a process of its own"
    await SupervisorProcess(process, module).run(args)
