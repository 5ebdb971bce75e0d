"""The Supervisor behaviour: the class that supervisors are subclasses of.

A supervisor is a class whose `init` says how to supervise and what:

    >>> import supervisors
    >>> from supervisors import GenServer, Supervisor, SupFlags
    >>> class Cache(GenServer):
    ...     def init(self):
    ...         return "ok", {}
    >>> class Shop(Supervisor):
    ...     def init(self):
    ...         return SupFlags("one_for_one", intensity=3, period=5), [
    ...             Cache.child_spec(name="cache"),
    ...         ]
    >>> async def main():
    ...     shop = await Shop.start_link(name="shop")
    ...     return await supervisors.count_children(shop)
    >>> supervisors.run(main)
    ChildCounts(specs=1, active=1, supervisors=0, workers=1)

OTP: supervisor, rules V1-V17; `docs/supervision.md` is the chapter on it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from .. import _proc_lib
from .._names import Name
from .._pid import Pid
from .process import serve
from .spec import ChildSpec, ChildType, Restart, Shutdown


class Supervisor(ABC):
    """Subclass and define `init`; see the module's text for an example."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if iscoroutinefunction(cls.init):
            raise TypeError(
                f"{cls.__qualname__}.init must be a plain function: a supervisor only says what "
                "to start, and what has to wait is a child of it"
            )

    @abstractmethod
    def init(self, *args: Any) -> Any:
        """``(SupFlags, [ChildSpec, ...])``, or ``"ignore"`` to not be started (V1).

        With the strategy simple_one_for_one the list holds exactly one spec, the pattern
        for children started later.
        """

    @classmethod
    async def start_link(cls, *args: Any, name: Name | None = None) -> Pid:
        """Start the supervisor and its children, linked to the calling process.

        args: given to `init`. name: of any form, registered before the first child starts.
        Returns when all children have started. Raises StartError, everything stopped
        again: ``("already_started", pid)``, ``("bad_return", ..)``, ``("supervisor_data",
        fault)``, ``("start_spec", fault)``, ``("bad_start_spec", specs)`` or ``("shutdown",
        ("failed_to_start_child", id, reason))``; Ignore when `init` said so (V1, V2).
        """
        pid: Pid = await _proc_lib.start(serve, cls(), args, name=name, link=True, behaviour=cls)
        return pid

    @classmethod
    def child_spec(
        cls,
        *args: Any,
        id: Hashable = None,
        name: Name | None = None,
        restart: Restart = "permanent",
        shutdown: Shutdown = math.inf,
        type: ChildType = "supervisor",
        significant: bool = False,
    ) -> ChildSpec:
        """This supervisor as a child of another; id defaults to the name, else the class."""
        return ChildSpec(
            id=id if id is not None else name or cls.__qualname__,
            start=(cls.start_link if name is None else partial(cls.start_link, name=name), args),
            restart=restart,
            shutdown=shutdown,
            type=type,
            significant=significant,
            modules=(f"{cls.__module__}.{cls.__qualname__}",),
        )
