"""Tasks: one result or exit for each owner, and no task without an owner (1.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from ...._cell import require_process
from ...._errors import CallExit, Exit
from ...._pid import Pid
from ...._signals import is_alive, self, trap_exit
from ...._supervisor.errors import SupervisorError
from ...._task import receive
from ...._tasks.stream import Stream
from ...._tasks.supervisor import TaskSupervisor
from ...._tasks.task import Task, TaskExit
from ..tree import Fault, Worker
from .manners import Boom
from .subject import FaultKind, Subject, WorkerKind, anybody, at, of_kind
from .supervisors import process_of

if TYPE_CHECKING:
    from ..world import World

LIMIT = 6
"""How many children the task supervisors of a simulation may have."""


@dataclass(slots=True, eq=False)
class Job:
    """One task that began. owner: whose end is its own."""

    pid: Pid
    owner: Pid


class Jobs:
    """The tasks that have an owner, and the supervisors of others."""

    def __init__(self) -> None:
        self.running: dict[int, Job] = {}
        self.supervisors: list[Pid] = []


async def _start(world: World, node: Worker, _parent: Pid) -> Pid:
    pid = await TaskSupervisor.start_link(max_children=LIMIT, name=world.name_of(node))
    world.book(Jobs).supervisors.append(pid)
    return pid


async def _work(world: World, number: int, seconds: float, owner: Pid | None) -> int:
    """What a task does: answer, late or at once, raise, exit, or hang."""
    token = world.number()
    if owner is not None:
        world.book(Jobs).running[token] = Job(self(), owner)
    try:
        if number % 3:
            await trio.sleep(seconds if number % 7 else 200.0)
        if number % 11 == 0:
            raise Boom("in a task")
        if number % 13 == 0:
            raise Exit(("shutdown", "early"))
        return number
    finally:
        world.book(Jobs).running.pop(token, None)


def _is_failure(number: int) -> bool:
    return number % 11 == 0 or number % 13 == 0


# --- owners -------------------------------------------------------------------------------


def _task(world: World, fault: Fault) -> bool:
    """An owner of tasks of its own, linked to it."""
    ways: tuple[Callable[..., Any], ...] = (_awaits, _awaits_many, _yields, _shuts_down, _streams)
    way = ways[fault.number % len(ways)]
    world.hire(way, world, None, fault.number, fault.seconds)
    return True


def _job(world: World, fault: Fault, pid: Pid) -> None:
    """The same under a task supervisor."""
    ways = (_awaits, _yields, _yields, _shuts_down, _streams, _streams, _starts)
    world.hire(ways[fault.number % len(ways)], world, pid, fault.number, fault.seconds)


async def _asked(world: World, home: Pid | None, number: int, seconds: float) -> Task | None:
    """A task; the linked ones of a trapping owner may end without taking it along."""
    me = self()
    if home is None:
        return Task.async_(_work, world, number, seconds, me)
    try:
        if number % 2:
            return await TaskSupervisor.async_(home, _work, world, number, seconds, me)
        return await TaskSupervisor.async_nolink(home, _work, world, number, seconds, None)
    except (SupervisorError, CallExit):
        return None


async def _awaits_many(world: World, _home: Pid | None, number: int, seconds: float) -> None:
    """Several at once, with one time limit for all."""
    trap_exit()
    tasks = [Task.async_(_work, world, number + n, seconds, self()) for n in range(number % 4 + 1)]
    try:
        values = await Task.await_many(tasks, 20.0)
    except TaskExit:
        raise Exit("shutdown") from None
    if values != [number + n for n in range(len(tasks))]:
        world.accuse(f"tasks for {number} and on answered {values}")
    await _settled(world, tasks[0])


async def _awaits(world: World, home: Pid | None, number: int, seconds: float) -> None:
    if number % 2:
        trap_exit()
    task = await _asked(world, home, number, seconds)
    if task is None:
        return
    try:
        value = await task.await_((1.0, 5.0, 300.0)[number % 3])
    except TaskExit as failed:
        await _settled(world, task)
        raise Exit("shutdown") from failed
    _compare(world, value, number)
    await _settled(world, task)


async def _yields(world: World, home: Pid | None, number: int, seconds: float) -> None:
    trap_exit()
    task = await _asked(world, home, number, seconds)
    if task is None:
        return
    for _ in range(200):
        outcome = await task.yield_(2.0)
        if outcome is not None:
            if outcome[0] == "ok":
                _compare(world, outcome[1], number)
            elif is_alive(task.pid):
                world.accuse(f"task {task.pid} lives, and its owner has got {outcome}")
            break
    else:
        world.accuse(f"task {task.pid} has neither answered nor ended in 400 s")
    await _settled(world, task)


async def _shuts_down(world: World, home: Pid | None, number: int, seconds: float) -> None:
    trap_exit()
    task = await _asked(world, home, number, seconds)
    if task is None:
        return
    await trio.sleep(seconds / 2 if number % 4 else seconds)
    outcome = await task.shutdown("brutal_kill" if number % 3 == 0 else 1.0)
    if outcome is not None and outcome[0] == "ok":
        _compare(world, outcome[1], number)
    if is_alive(task.pid):
        world.accuse(f"task {task.pid} lives on after its shutdown")
    await _settled(world, task)


async def _starts(world: World, home: Pid, number: int, seconds: float) -> None:
    """A task nobody waits for; it can be ended through its supervisor."""
    try:
        pid = await TaskSupervisor.start_child(home, _work, world, number, seconds, None)
        if number % 2:
            await TaskSupervisor.terminate_child(home, pid)
            if pid._process is not None:
                world.accuse(f"task {pid} is there, and its supervisor has ended it")
    except (SupervisorError, CallExit):
        return


def _compare(world: World, value: Any, number: int) -> None:
    if value != number or _is_failure(number):
        world.accuse(f"a task for {number} answered {value!r}")


async def _settled(world: World, task: Task) -> None:
    """Nothing of the task comes any more."""
    await trio.sleep(400.0)

    def of_task(message: Any) -> bool:
        return isinstance(message, tuple) and task.ref in message[:2]

    try:
        late = await receive(of_task, timeout=0)
    except trio.TooSlowError:
        return
    world.accuse(f"{late!r} of task {task.pid} came after it was over")


# --- streams ------------------------------------------------------------------------------


async def _streams(world: World, home: Pid | None, number: int, seconds: float) -> None:
    """A result for each item, in order when asked for, with so many tasks at a time."""
    trap_exit()
    items = range(number, number + number % 9)
    ordered, limit = number % 2 == 0, number % 3 + 1
    options: Any = {
        "max_concurrency": limit,
        "ordered": ordered,
        "timeout": 30.0,
        "on_timeout": "kill_task" if number % 5 else "exit",
    }
    crowd = _Crowd()
    args = (world, crowd, seconds, self())
    stream: Stream
    if home is None:
        stream = Task.async_stream(items, _item, *args, **options)
    elif number % 4:
        stream = TaskSupervisor.async_stream_nolink(home, items, _item, *args, **options)
    else:
        stream = TaskSupervisor.async_stream(home, items, _item, *args, **options)
    results = []
    try:
        async for result in stream:
            results.append(result)
            if len(results) == 6:
                await stream.aclose()
                break
    except (SupervisorError, CallExit, Exit):
        pass
    else:
        values = [value for kind, value in results if kind == "ok"]
        expected = [n for n in items if n in values]
        if sorted(values) != expected or (ordered and values != expected):
            world.accuse(f"a stream of {items} gave {results}")
        if len(results) < min(len(items), 6):
            world.accuse(f"a stream of {len(items)} items gave {len(results)} results")
    if crowd.most > limit:
        world.accuse(f"a stream of at most {limit} tasks at a time had {crowd.most}")
    await trio.sleep(1.0)
    me = require_process("a consumer")
    if me.queue_length() and home is None:
        message = await receive()
        if message[0] != "EXIT":
            world.accuse(f"a stream left {message!r} in the mailbox of its consumer")


class _Crowd:
    """How many tasks of one stream run, and how many have at most."""

    def __init__(self) -> None:
        self.now = self.most = 0


async def _item(number: int, world: World, crowd: _Crowd, seconds: float, owner: Pid) -> int:
    crowd.now += 1
    crowd.most = max(crowd.most, crowd.now)
    try:
        return await _work(world, number, seconds, owner)
    finally:
        crowd.now -= 1


# --- what must hold -----------------------------------------------------------------------


def _check(world: World) -> Iterator[str]:
    book = world.book(Jobs)
    for job in book.running.values():
        if not is_alive(job.owner) and is_alive(job.pid):
            yield f"task {job.pid} works on for {job.owner}, which has ended"
    book.supervisors = [pid for pid in book.supervisors if pid._process is not None]
    for pid in book.supervisors:
        if not is_alive(pid):
            continue
        children = process_of(pid).machine.which_children()
        if len(children) > LIMIT:
            yield f"{pid} has {len(children)} tasks, and its max_children is {LIMIT}"
        for child in children if world.rests(pid) else ():
            if isinstance(child.pid, Pid) and child.pid._process is None:
                yield f"{pid} believes in its task {child.pid}, which is gone"


SUBJECT = Subject(
    workers={"tasks": WorkerKind(_start, 2)},
    faults={
        "task": FaultKind(_task, 4, anybody),
        "job": FaultKind(at(_job), 10, of_kind("tasks")),
    },
    check=_check,
)
