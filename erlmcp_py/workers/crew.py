"""What the parent knows of its workers: plain data that outlives the processes that own them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import trio

from erlmcp_py.ports import usage
from erlmcp_py.telemetry.log import log
from erlmcp_py.workers.orders import SILENCE
from supervisors import Pid


class Worker:
    """One worker, over all its lives. name: of its node. number: from 1 on.

    os_pid: None while it has no operating-system process. health: as its last report says,
    "starting" before the first. heard_at, started_at: on the runtime's clock. starts: how often it
    has been started. last_exit: how its last life ended. owner: the process that owns it. serving:
    whether it is up. served: how often it has come up.
    """

    __slots__ = (
        "health",
        "heard_at",
        "last_exit",
        "name",
        "number",
        "os_pid",
        "owner",
        "requests",
        "served",
        "serving",
        "started_at",
        "starts",
    )

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.os_pid: int | None = None
        self.owner: Pid | None = None
        self.serving = False
        self.served = 0
        self.requests = 0
        self.health = "down"
        self.heard_at = self.started_at = 0.0
        self.starts = 0
        self.last_exit: str | None = None

    def begins(self, os_pid: int) -> None:
        """It has an operating-system process."""
        self.os_pid = os_pid
        self.starts += 1
        self.started_at = self.heard_at = trio.current_time()
        self.health = "starting"

    def is_heard(self, health: str, requests: int = 0) -> None:
        """It has reported. requests: at work, if it drains."""
        self.health = health
        self.requests = requests
        self.heard_at = trio.current_time()

    def ends(self, how: str) -> None:
        """It has none any more."""
        self.os_pid = None
        self.serving = False
        self.health = "down"
        self.last_exit = how

    @property
    def condition(self) -> str:
        """Its health, or "unresponsive" if it has not been heard of for `SILENCE` seconds."""
        silent = self.os_pid is not None and trio.current_time() - self.heard_at > SILENCE
        return "unresponsive" if silent else self.health


class Crew:
    """All workers of a node. news: called with ("up", lines), once all have come up for the first
    time, and with ("refused", text) if one cannot start as configured.
    """

    def __init__(self, name: str, count: int, news: Callable[[tuple[Any, ...]], object]) -> None:
        self.workers = [Worker(f"{name}-{number}", number) for number in range(1, count + 1)]
        self._news = news
        self._lines: dict[int, tuple[str, ...]] | None = {}

    def is_up(self, worker: Worker, lines: tuple[str, ...]) -> None:
        """It serves, and says so in these lines."""
        worker.serving = True
        worker.served += 1
        if self._lines is not None:
            self._lines[worker.number] = lines
            if len(self._lines) == len(self.workers):
                self._news(("up", self._lines[1]))
                self._lines = None

    def is_refused(self, worker: Worker, text: str) -> None:
        """It cannot start as configured. If all are being started, that ends the node."""
        if self._lines is None:
            log("error", f"{worker.name} cannot start again: {text}")
        else:
            self._news(("refused", text))

    def facts(self) -> dict[str, Any]:
        """For `status`: the health of the whole, and each worker."""
        used = usage(worker.os_pid for worker in self.workers if worker.os_pid is not None)
        now = trio.current_time()
        rows = []
        for worker in self.workers:
            row: dict[str, Any] = {
                "worker": worker.name,
                "os_pid": worker.os_pid,
                "health": worker.condition,
                "restarts": max(0, worker.starts - 1),
                "last_exit": worker.last_exit,
            }
            if worker.os_pid is not None:
                row["uptime"] = now - worker.started_at
                row["memory"] = used[worker.os_pid].memory
                row["cpu_seconds"] = used[worker.os_pid].cpu
            rows.append(row)
        return {"health": _whole(worker.condition for worker in self.workers), "workers": rows}


def _whole(conditions: Iterable[str]) -> str:
    """Healthy if all are; degraded while at least one serves."""
    all = set(conditions)
    if all == {"healthy"}:
        return "healthy"
    return "degraded" if all & {"healthy", "degraded"} else "unhealthy"
