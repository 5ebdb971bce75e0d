"""The testing kit: supervised programs in virtual time, in a seeded order, under faults.

A test runs its program as a process (`run`), lets something go wrong (`Faults`, or simply
an exit signal) and waits for what comes of it (`end_of`, `restart_of`, `events`):

    >>> import supervisors
    >>> from supervisors import GenServer, Supervisor, SupFlags, exit_signal, whereis
    >>> from supervisors.testing import restart_of, run
    >>> class Cache(GenServer):
    ...     def init(self):
    ...         return "ok", {}
    >>> class Shop(Supervisor):
    ...     def init(self):
    ...         return SupFlags(), [Cache.child_spec(name="cache")]
    >>> async def scenario():
    ...     shop = await Shop.start_link()
    ...     killed = whereis("cache")
    ...     new = await restart_of(shop, "cache", lambda: exit_signal(killed, "kill"))
    ...     return new is whereis("cache") and new is not killed
    >>> run(scenario, seed=1)
    True

docs/testing.md is the chapter on it. `supervisors.testing.simulate` is the simulator.
"""

from ._awaiting import end_of, restart_of, wait_all_blocked
from ._events import Events, events
from ._injection import Faults
from ._run import run

__all__ = ["Events", "Faults", "end_of", "events", "restart_of", "run", "wait_all_blocked"]
