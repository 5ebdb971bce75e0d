"""Child specifications and supervisor flags, and the checks OTP makes of them.

WHY nothing is checked when a spec is made: OTP refuses a bad one where it is used, with a
term that says which part is wrong (``{start_spec, {invalid_shutdown, -1}}``), and hands
it to whoever asked. A spec may come from a configuration file as a mapping, so both
shapes go through the one door `as_child_spec`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from .errors import SupervisorError
from .pacing import Backoff, Budget, check_pacing

Restart = Literal["permanent", "transient", "temporary"]
ChildType = Literal["worker", "supervisor"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]
Shutdown = float | Literal["brutal_kill"]
StartFunction = tuple[Callable[..., Any], tuple[Any, ...]]

RESTARTS = ("permanent", "transient", "temporary")
CHILD_TYPES = ("worker", "supervisor")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
AUTO_SHUTDOWNS = ("never", "any_significant", "all_significant")

WORKER_SHUTDOWN = 5.0
"""Seconds a worker gets to end after `shutdown` unless its spec says otherwise (OTP: 5000 ms)."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start one child, when to restart it and how to stop it (OTP: child_spec()).

    id: what the supervisor and its callers name the child by; hashable, unique.
    start: ``(function, args)``. The function runs in the supervisor, may be async, links
        the child, and returns its ``Pid`` or ``(Pid, extra)``; it raises ``Ignore`` to be
        left out and ``StartError(reason)`` to fail (rule V3).
    restart: "permanent" (always restarted), "transient" (unless it ended with "normal",
        "shutdown" or ``("shutdown", term)``), "temporary" (never) (rule V7).
    shutdown: seconds between the signal `shutdown` and `kill`, ``math.inf`` for no limit,
        or "brutal_kill" (rule V5). Default: 5.0 for workers, infinity for supervisors.
    type: "worker" or "supervisor".
    significant: whether its end may end the supervisor (`SupFlags.auto_shutdown`, V16).
    modules: names of what implements it, or "dynamic". Default: the class a class method
        is bound to, else the module of the start function.
    backoff, budget: pauses before restarts, and a limit to them for this child alone; not
        OTP's, off by default (see `Backoff`, `Budget`).
    """

    id: Hashable
    start: StartFunction
    restart: Restart = "permanent"
    shutdown: Shutdown | None = None
    type: ChildType = "worker"
    significant: bool = False
    modules: tuple[str, ...] | Literal["dynamic"] | None = None
    backoff: Backoff | None = None
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if self.shutdown is None:
            default = math.inf if self.type == "supervisor" else WORKER_SHUTDOWN
            object.__setattr__(self, "shutdown", default)
        if self.modules is None:
            object.__setattr__(self, "modules", _modules_of(self.start))

    @property
    def stops_within(self) -> Shutdown:
        """`shutdown` with its default filled in."""
        return WORKER_SHUTDOWN if self.shutdown is None else self.shutdown


@dataclass(frozen=True, slots=True)
class SupFlags:
    """How a supervisor reacts to the end of a child (OTP: sup_flags()).

    strategy: "one_for_one", "one_for_all", "rest_for_one" or "simple_one_for_one".
    intensity, period: more than `intensity` restarts within `period` whole seconds, and
        the supervisor gives up (rule V9).
    auto_shutdown: "never", "any_significant" or "all_significant" (rule V16).
    """

    strategy: Strategy = "one_for_one"
    intensity: int = 1
    period: int = 5
    auto_shutdown: AutoShutdown = "never"


_FIELDS = tuple(field.name for field in fields(ChildSpec))


def _modules_of(start: object) -> tuple[str, ...]:
    function = start[0] if isinstance(start, tuple) and start else start
    bound_to = getattr(function, "__self__", None)
    if isinstance(bound_to, type):
        return (f"{bound_to.__module__}.{bound_to.__qualname__}",)
    module = getattr(function, "__module__", None)
    return (module,) if isinstance(module, str) else ()


def as_child_spec(term: object) -> ChildSpec:
    """A `ChildSpec`, or a mapping with its field names as keys, as a `ChildSpec`.

    Keys that mean nothing are ignored, as in OTP. Raises `SupervisorError` with
    ``missing_id``, ``missing_start`` or ``("invalid_child_spec", term)``.
    """
    if isinstance(term, ChildSpec):
        return term
    if not isinstance(term, Mapping):
        raise SupervisorError(("invalid_child_spec", term))
    for key in ("id", "start"):
        if key not in term:
            raise SupervisorError(f"missing_{key}")
    return ChildSpec(**{name: term[name] for name in _FIELDS if name in term})


def check_child_spec(term: object, auto_shutdown: AutoShutdown | None = None) -> ChildSpec:
    """The spec `term` stands for, once every part of it has been found valid.

    auto_shutdown: the flag of the supervisor it is for; None leaves that combination
    unchecked (rule V17). Raises `SupervisorError` with OTP's term for the first fault.
    """
    spec = as_child_spec(term)
    if not _is_hashable(spec.id):
        raise SupervisorError(("invalid_id", spec.id))
    if not _is_start(spec.start):
        raise SupervisorError(("invalid_mfa", spec.start))
    if spec.restart not in RESTARTS:
        raise SupervisorError(("invalid_restart_type", spec.restart))
    _check_significant(spec, auto_shutdown)
    if spec.type not in CHILD_TYPES:
        raise SupervisorError(("invalid_child_type", spec.type))
    if not _is_shutdown(spec.shutdown):
        raise SupervisorError(("invalid_shutdown", spec.shutdown))
    _check_modules(spec.modules)
    check_pacing(spec.backoff, spec.budget)
    return spec


def check_childspecs(
    specs: object, auto_shutdown: AutoShutdown | None = None
) -> tuple[ChildSpec, ...]:
    """The specs of one supervisor, all valid and with ids of their own (check_childspecs/1,2).

    Raises `SupervisorError` with the term of the first fault: those of `check_child_spec`,
    ``("duplicate_child_name", id)``, or ``("badarg", specs)`` if it is no list of specs.
    """
    if auto_shutdown is not None and auto_shutdown not in AUTO_SHUTDOWNS:
        raise SupervisorError(("badarg", auto_shutdown))
    if isinstance(specs, (str, bytes, Mapping)) or not isinstance(specs, Iterable):
        raise SupervisorError(("badarg", specs))
    checked: dict[Hashable, ChildSpec] = {}
    for term in specs:
        spec = check_child_spec(term, auto_shutdown)
        if spec.id in checked:
            raise SupervisorError(("duplicate_child_name", spec.id))
        checked[spec.id] = spec
    return tuple(checked.values())


def check_flags(flags: object) -> SupFlags:
    """`flags` if every one of them is valid.

    Raises `SupervisorError` with ``("invalid_strategy", X)``, ``("invalid_intensity", X)``,
    ``("invalid_period", X)``, ``("invalid_auto_shutdown", X)`` or ``("invalid_type", X)``.
    """
    if not isinstance(flags, SupFlags):
        raise SupervisorError(("invalid_type", flags))
    if flags.strategy not in STRATEGIES:
        raise SupervisorError(("invalid_strategy", flags.strategy))
    if not _is_integer(flags.intensity) or flags.intensity < 0:
        raise SupervisorError(("invalid_intensity", flags.intensity))
    if not _is_integer(flags.period) or flags.period < 1:
        raise SupervisorError(("invalid_period", flags.period))
    if flags.auto_shutdown not in AUTO_SHUTDOWNS:
        raise SupervisorError(("invalid_auto_shutdown", flags.auto_shutdown))
    return flags


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_start(start: object) -> bool:
    return (
        isinstance(start, tuple)
        and len(start) == 2
        and callable(start[0])
        and isinstance(start[1], (tuple, list))
    )


def _is_shutdown(value: object) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value >= 0  # false for NaN
    return value == "brutal_kill"


def _check_significant(spec: ChildSpec, auto_shutdown: AutoShutdown | None) -> None:
    significant: object = spec.significant
    if not isinstance(significant, bool):
        raise SupervisorError(("invalid_significant", significant))
    if not significant:
        return
    clash = None
    if auto_shutdown == "never":
        clash = ("auto_shutdown", "never")
    elif spec.restart == "permanent":
        clash = ("restart", "permanent")
    if clash is not None:
        raise SupervisorError(("bad_combination", [clash, ("significant", True)]))


def _check_modules(modules: object) -> None:
    if modules == "dynamic":
        return
    if not isinstance(modules, (tuple, list)):
        raise SupervisorError(("invalid_modules", modules))
    for module in modules:
        if not isinstance(module, str):
            raise SupervisorError(("invalid_module", module))
