"""The Application behaviour: what a component says of itself, and how it starts and stops.

>>> import supervisors as otp
>>> from supervisors import Application, GenServer, Supervisor, SupFlags, application
>>> class Counter(GenServer):
...     def init(self):
...         return "ok", application.get_env("shop", "first")
...     def handle_call(self, request, from_, count):
...         return "reply", count, count + 1
>>> class Top(Supervisor):
...     def init(self):
...         return SupFlags(), [Counter.child_spec(name="orders")]
>>> class Store(Application):
...     name = "store"
>>> class Shop(Application):
...     name = "shop"
...     applications = (Store,)
...     env = {"first": 100}
...     async def start(self, type, args):
...         return await Top.start_link()
>>> async def main():
...     print(await application.ensure_all_started(Shop))
...     print(await otp.call("orders", "next"))
...     print(await application.stop_all())
>>> otp.run(main)
['store', 'shop']
100
['shop', 'store']
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, Union

from .errors import ApplicationError

StartType = Literal["normal"]
"""How an application starts; the other two of OTP, takeover and failover, need more nodes."""

RestartType = Literal["permanent", "transient", "temporary"]

Dependency: TypeAlias = Union[str, "Application", type["Application"]]


class Application:
    """Subclass, name it, and define `start`; without it the application is a library.

    name: unique in a node. description, version: for people.
    applications: what has to run before, names or classes; optional_applications: what
    `ensure_all_started` starts before if it is there.
    args: second argument of `start`. start_phases: ``(phase, args)`` in order, after `start`.
    env: defaults of `application.get_env`.
    shutdown_timeout: seconds `stop_all` gives it to stop; what is left then is killed (A5).

    Callbacks may be plain or async; they run in the application's master process.
    """

    name: str = ""
    description: str = ""
    version: str = ""
    applications: Sequence[Dependency] = ()
    optional_applications: Sequence[Dependency] = ()
    args: Any = ()
    start_phases: Sequence[tuple[str, Any]] = ()
    env: Mapping[str, Any] = MappingProxyType({})
    shutdown_timeout: float = math.inf

    def start(self, type: StartType, args: Any) -> Any:
        """The pid of the top process, linked to the caller, or ``(pid, state)`` (A2).

        Raising StartError(reason) refuses; anything else is a ``bad_return``.
        """

    def start_phase(self, phase: str, type: StartType, args: Any) -> Any:
        """One of `start_phases`; everything has started. Raise StartError to refuse (A2)."""

    def prep_stop(self, state: Any) -> Any:
        """The tree is about to be stopped; answers the state for `stop` (A3)."""
        return state

    def stop(self, state: Any) -> Any:
        """The tree is gone: clean up. What processes are left are killed afterwards (A3)."""


def is_library(app: Application) -> bool:
    """Whether there is nothing to run."""
    return type(app).start is Application.start


def name_of(app: Any) -> str:
    """The name of an application; TypeError for anything that cannot be one."""
    if isinstance(app, str):
        return app
    if isinstance(app, Application) or (isinstance(app, type) and issubclass(app, Application)):
        name: str = app.name
        return name
    raise TypeError(f"expected an Application, its class or its name, got {app!r}")


def definition(app: Application | type[Application]) -> Application:
    """The instance to load, every part of it found valid; ApplicationError ``bad_application``."""
    made = app() if isinstance(app, type) else app
    for fault in _faults(made):
        raise ApplicationError(("bad_application", (type(made).__qualname__, fault)))
    return made


def _faults(app: Any) -> list[str]:
    faults = [
        f"{key} must be a sequence of applications, not a string"
        for key in ("applications", "optional_applications")
        if isinstance(getattr(app, key), str)
    ]
    if not isinstance(app.name, str) or not app.name:
        faults.append("name must be a non-empty string")
    if any(not isinstance(phase, tuple) or len(phase) != 2 for phase in app.start_phases):
        faults.append("start_phases must be pairs (phase, args)")
    if not app.shutdown_timeout >= 0:
        faults.append("shutdown_timeout must be seconds >= 0")
    return faults
