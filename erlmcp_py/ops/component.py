"""What is known about the health of one component, and how a check changes it. Pure.

SYSTEM 1.9: a component is `healthy`, `unhealthy`, `degraded` or `unknown`; one failed check makes
it degraded, `max_consecutive_failures` in a row make it unhealthy, and a component that failed its
last check is looked at again sooner (`recovery_interval`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

from erlmcp_py.config import HealthConfig

Status: TypeAlias = Literal["healthy", "unhealthy", "degraded", "unknown"]

_WORST_FIRST: Final[tuple[Status, ...]] = ("unhealthy", "unknown", "degraded", "healthy")


@dataclass(frozen=True, slots=True)
class Passed:
    """The component answered as it should. facts: what it told about itself, JSON-able."""

    facts: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Limping:
    """The component works, but not well."""

    reason: str
    facts: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The component did not answer, or not as it should.

    at_once: unhealthy without waiting for more failures, because the check measures and a measure
    is no accident.
    """

    reason: str
    facts: dict[str, Any] | None = None
    at_once: bool = False


Outcome: TypeAlias = Passed | Limping | Failed


class ComponentHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one component; encodes as it is shown under `/health`."""

    id: str
    status: Status = "unknown"
    """Unknown until the first check."""
    consecutive_failures: int = 0
    circuit_breaker_active: bool = False
    """Whether the component is given up until a check passes again: while it is unhealthy."""
    degraded: bool = False
    last_error: str | None = None
    """What was wrong the last time something was; kept when the component recovers."""
    last_check: float | None = None
    """Seconds since the epoch."""
    total_checks: int = 0
    successful_checks: int = 0
    facts: dict[str, Any] = {}
    """What the last check that told anything told."""

    def after(self, outcome: Outcome, at: float, max_consecutive_failures: int) -> ComponentHealth:
        """The record once `outcome` has come in, `at` seconds since the epoch."""
        failures = self.consecutive_failures + 1 if isinstance(outcome, Failed) else 0
        status: Status
        match outcome:
            case Passed():
                status = "healthy"
            case Failed(at_once=True):
                status = "unhealthy"
            case Failed() if failures >= max_consecutive_failures:
                status = "unhealthy"
            case _:
                status = "degraded"
        return msgspec.structs.replace(
            self,
            status=status,
            consecutive_failures=failures,
            circuit_breaker_active=status == "unhealthy",
            degraded=status == "degraded",
            last_error=self.last_error if isinstance(outcome, Passed) else outcome.reason,
            last_check=at,
            total_checks=self.total_checks + 1,
            successful_checks=self.successful_checks + (not isinstance(outcome, Failed)),
            facts=self.facts if outcome.facts is None else outcome.facts,
        )

    def next_check(self, settings: HealthConfig) -> float:
        """Seconds until the next check."""
        if self.consecutive_failures:
            return min(settings.recovery_interval, settings.check_interval)
        return settings.check_interval


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """The node as a whole."""

    status: Status
    ready: bool
    components: tuple[ComponentHealth, ...]


def summarise(components: Iterable[ComponentHealth]) -> HealthReport:
    """The worst status is the node's; it is ready when nothing is unhealthy or still unknown."""
    known = tuple(components)
    present = {component.status for component in known} or {"unknown"}
    status = next(status for status in _WORST_FIRST if status in present)
    return HealthReport(status=status, ready=status in ("healthy", "degraded"), components=known)
