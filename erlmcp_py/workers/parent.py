"""The parent of several workers: a small node whose servers are operating-system processes.

::

    node (one_for_one 3/60)
    ├── log
    ├── drain                     has the workers finish what they have begun
    ├── workers (one_for_one)     a budget and growing pauses for each
    │   ├── NAME-1 … NAME-N       own a worker each
    │   └── doors                 looks after the listening sockets
    └── console

It serves nobody itself. Its console shows the workers; each of them has one of its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

import supervisors
from erlmcp_py import __version__
from erlmcp_py.config import Config, ConfigError
from erlmcp_py.console import place
from erlmcp_py.console.place import PlaceError
from erlmcp_py.console.service import Console
from erlmcp_py.guards import drain
from erlmcp_py.guards.drain import Drain, DrainSettings, Outcome
from erlmcp_py.guards.in_flight import InFlight
from erlmcp_py.signals import stop_signals
from erlmcp_py.telemetry.log import NAME as LOG
from erlmcp_py.telemetry.log import LogWriter, log, set_level, stderr
from erlmcp_py.transports.net.address import format_address
from erlmcp_py.transports.net.door import DoorBlocked
from erlmcp_py.workers.crew import Crew, Worker
from erlmcp_py.workers.doors import Doors, addresses
from erlmcp_py.workers.keeper import NAME as KEEPER
from erlmcp_py.workers.keeper import Keeper
from erlmcp_py.workers.orders import KEY_SIZE
from erlmcp_py.workers.owner import Employment, member, start_owner
from supervisors import (
    Application,
    Backoff,
    Budget,
    ChildSpec,
    Pid,
    Supervisor,
    SupFlags,
    application,
    format_reason,
    receive,
    send,
)
from supervisors import self as own_pid

ROOT: Final = "node"
WORKERS: Final = "workers"
_BACKOFF: Final = Backoff(first=0.05, factor=2.0, limit=30.0)
_PATIENCE: Final = 10.0
"""Seconds beyond the deadline in which workers cut off what is left, and end."""
_BUDGET: Final = Budget(100, 60)
"""With these pauses nobody uses it up; a worker that cannot start is tried every half minute."""


class ParentFailed(Exception):
    """The parent ran and gave up; the message says why."""


class Workers(Supervisor):
    """The workers, and behind them, so that it is stopped first, who looks after their doors."""

    def init(
        self, employments: tuple[Employment, ...], doors: Doors, crew: Crew
    ) -> tuple[SupFlags, list[ChildSpec]]:
        """One for one."""
        owners = [
            ChildSpec(
                employment.worker.name,
                (start_owner, (employment,)),
                shutdown=float("inf"),  # a port ends within its graces
                backoff=_BACKOFF,
                budget=_BUDGET,
            )
            for employment in employments
        ]
        keeper = Keeper.child_spec(doors, crew, id=KEEPER, name=KEEPER)
        return SupFlags("one_for_one", 10, 60), [*owners, keeper]


class _Root(Supervisor):
    def init(self, children: tuple[ChildSpec, ...]) -> tuple[SupFlags, list[ChildSpec]]:
        return SupFlags("one_for_one", 3, 60), list(children)


class _Parent(Application):
    name = "erlmcp_py"
    description = "the parent of several workers"
    version = __version__

    def __init__(self, children: tuple[ChildSpec, ...]) -> None:
        self.args = children

    async def start(self, type: str, args: tuple[ChildSpec, ...]) -> Pid:  # noqa: ARG002
        return await _Root.start_link(args, name=ROOT)


def run_parent(config: Config, announce: Callable[[list[str]], object]) -> None:
    """Run `config.node.workers` workers until told to stop.

    announce: gets the lines for people once all of them serve. Raises `ConfigError` if they cannot
    start as configured, `ParentFailed` if the tree gave up.
    """

    async def main() -> None:
        set_level(config.log.level)
        me = own_pid()
        crew = Crew(config.node.name, config.node.workers, lambda news: send(me, news))
        directory = _directory(config)
        with (
            _open_console(config, directory, crew, me) as console,
            stop_signals(
                lambda number: send(
                    me, ("drain" if number == signal.SIGTERM else "stop", number.name)
                )
            ),
        ):
            doors = take_doors(config)
            try:
                tree = _tree(config, directory, doors, crew, console, me)
                await _live(config, tree, announce)
            finally:
                doors.close_all()
                for worker in crew.workers:
                    (directory / f"{worker.name}.post").unlink(missing_ok=True)

    try:
        supervisors.run(main, node=config.node.name, log=False)
    finally:
        stderr.flush(1.0)


def _directory(config: Config) -> Path:
    try:
        return Path(config.control.directory or place.default_directory())
    except PlaceError as error:
        raise ConfigError(str(error)) from None


def _open_console(config: Config, directory: Path, crew: Crew, me: Pid) -> Console:
    async def facts() -> dict[str, Any]:
        going = await drain.status()
        if going is None:
            return crew.facts()
        return crew.facts() | {"health": "draining", "drain": msgspec.structs.asdict(going)}

    try:
        return Console.open(
            config.node.name,
            directory,
            root=ROOT,
            stop=lambda: send(me, ("stop", "an operator")),
            facts=facts,
        )
    except PlaceError as error:
        raise ConfigError(str(error)) from error


def _tree(
    config: Config, directory: Path, doors: Doors, crew: Crew, console: Console, me: Pid
) -> tuple[ChildSpec, ...]:
    key = os.urandom(KEY_SIZE)
    employments = tuple(
        Employment(
            worker, _config_of(worker, config), config.node.name, str(directory), key, doors, crew
        )
        for worker in crew.workers
    )
    return (
        LogWriter.child_spec(config.log.level, stderr, config.mailboxes.log, id=LOG, name=LOG),
        drain.child_spec(
            Drain(
                [member(worker) for worker in crew.workers],
                DrainSettings(deadline=config.drain.deadline, idle_grace=config.drain.idle_grace),
                patience=_PATIENCE,
            ),
            InFlight(),
            tuple,
            lambda outcome: send(me, ("drained", outcome)),
        ),
        Workers.child_spec(employments, doors, crew, id=WORKERS, name=WORKERS),
        console.child_spec(),
    )


def _config_of(worker: Worker, config: Config) -> Config:
    node = msgspec.structs.replace(config.node, name=worker.name, workers=1)
    return msgspec.structs.replace(config, node=node)


def take_doors(config: Config) -> Doors:
    """The doors of all workers. Raises `ConfigError`."""
    doors = Doors()
    for name, (host, port) in addresses(config).items():
        try:
            doors.take(name, host, port)
        except (DoorBlocked, OSError) as problem:
            doors.close_all()
            from erlmcp_py.node import describe_start_error
            from erlmcp_py.transports.net.listener import start_fault

            reason = start_fault(problem, host, port, format_address(host, port))
            failed = ("shutdown", ("failed_to_start_child", name, reason))
            raise ConfigError(describe_start_error(failed)) from None
    return doors


async def _live(
    config: Config, tree: tuple[ChildSpec, ...], announce: Callable[[list[str]], object]
) -> None:
    me = own_pid()
    name = config.node.name
    await application.on_node_down(lambda reason: send(me, ("node_down", reason)))
    await application.start(_Parent(tree), "permanent")
    try:
        while True:
            match await receive():
                case ("up", lines):
                    announce(_banner(config, lines))
                    log("info", f"node {name} {__version__} is up with all its workers")
                case ("refused", text):
                    raise ConfigError(text)
                case ("stop", str() as why):
                    log("info", f"node {name} stops: {why}")
                    break
                case ("drain", str() as why):
                    await drain.begin(why)
                case ("drained", Outcome() as outcome):
                    log("info", f"node {name} stops: {outcome.why}; {outcome.text}")
                    break
                case ("node_down", reason):
                    raise ParentFailed(f"the workers cannot be kept up: {format_reason(reason)}")
    finally:
        await application.stop_all()
    log("info", f"node {name} is down")


def _banner(config: Config, lines: tuple[str, ...]) -> list[str]:
    """What a worker says of itself, as the node's."""
    name = config.node.name
    option = "" if name == place.DEFAULT_NAME else f" --name {name}"
    return [
        f"node {name} is up with {config.node.workers} workers",
        *(line for line in lines if line.startswith("  ")),
        f"attach: erlmcp-node attach --name {name}-1   stop: erlmcp-node stop{option}, or Ctrl-C",
    ]
