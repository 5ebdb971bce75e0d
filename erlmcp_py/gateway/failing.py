"""What the log says of an instance that was lost, or does not start: one line for each time.

WHY here: the processes that end then are reported by the kernel too, which the log has at level debug
only, because they know neither what it is all about nor what comes next.
"""

from __future__ import annotations

from erlmcp_py.client import ClientStatus
from erlmcp_py.client.where import AtUrl
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.standing import News
from erlmcp_py.telemetry.log import log
from supervisors import current_runtime


class FailureLog:
    """Of one instance, for its keeper.

    Each is told as soon as it is known when the next start is tried, which is when its program, if it has one,
    has ended. What somebody has ordered is no loss.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._due = False
        self._told = ""
        """The detail that was told last; it is told once, as it may be long and is mostly the same."""

    def look(self, news: News) -> None:
        """Say what there is to be said. news: of the instance, since the last look."""
        instance = self._instance
        status = instance.client.status()
        if news.wanted:
            log("info", f"upstream {instance.label} is started anew: {instance.last_failure}")
        self._due = self._due or news.failures > news.wanted
        if self._due and (status.state != "down" or status.next_try is not None):
            self._due = False
            self._say(status)

    def _say(self, status: ClientStatus) -> None:
        instance = self._instance
        detail = "" if status.detail == self._told else f": {status.detail}"
        self._told = status.detail or self._told
        why = f"{instance.last_failure}{detail}"
        if status.state == "up":
            log("warning", f"upstream {instance.label} was lost: {why}; it is up again")
        elif instance.is_down:
            log("error", f"{instance.unavailable_text()}{detail}; {_prospects(status)}")
        elif not status.in_vain:
            log("warning", f"upstream {instance.label} was lost: {why}; {_prospects(status)}")
        else:
            what = "reached" if isinstance(instance.client.where, AtUrl) else "started"
            log(
                "warning",
                f"upstream {instance.label} could not be {what}: {why}; {_prospects(status)}",
            )


def _prospects(status: ClientStatus) -> str:
    many = "1 failure, " if status.in_vain == 1 else f"{status.in_vain} failures in a row, "
    count = many if status.in_vain else ""
    assert status.next_try is not None
    pause = max(0.0, status.next_try - current_runtime().now())
    return f"{count}next try in {pause:.{0 if pause >= 10 else 1 if pause >= 1 else 2}f} s"
