"""The supervision tree of the sessions.

    sessions_sup (rest_for_one)
    ├── session_pool (simple_one_for_one)   one transient child per session
    └── sessions                            the manager

The pool stands first: when the manager dies the sessions live on and the new manager adopts
them; when the pool gives up, the manager, whose entries then mean nothing, starts afresh and
revives sessions from the store as they are asked for.

WHY the pool allows many restarts: killing one session over and over is one client's problem.
A limit as tight as elsewhere would make it everybody's.
"""

from __future__ import annotations

from typing import Any, Final

from erlmcp_py.sessions.manager import NAME, SessionLimits, SessionManager
from erlmcp_py.sessions.session import Session
from erlmcp_py.sessions.store import SessionStore
from supervisors import (
    CallExit,
    ChildSpec,
    Pid,
    Supervisor,
    SupFlags,
    call,
    which_children,
)

SUPERVISOR: Final = "sessions_sup"
POOL: Final = "session_pool"


class SessionPool(Supervisor):
    """One child per session; `start_child(POOL, [record])`."""

    def init(self, mailbox: int) -> tuple[SupFlags, list[ChildSpec]]:
        """Transient children: a session that ended on purpose stays away."""
        child = ChildSpec("session", (Session.start_link, (mailbox,)), restart="transient")
        return SupFlags("simple_one_for_one", intensity=1000, period=5), [child]


class SessionsSupervisor(Supervisor):
    """The top of the tree above; started with the store and the limits."""

    def init(self, store: SessionStore, limits: SessionLimits) -> tuple[SupFlags, list[ChildSpec]]:
        """Pool, then manager."""
        return SupFlags("rest_for_one", intensity=5, period=60), [
            SessionPool.child_spec(limits.mailbox, id=POOL, name=POOL),
            ChildSpec(NAME, (start_manager, (store, limits))),
        ]


async def start_manager(store: SessionStore, limits: SessionLimits) -> Pid:
    """Start the manager with the session processes that are alive already."""
    adopted: list[tuple[str, Pid]] = []
    for child in await which_children(POOL):
        if isinstance(child.pid, Pid):
            try:
                view: Any = await call(child.pid, ("view",))
            except CallExit:
                continue  # died while we asked: the pool restarts it and it announces itself
            adopted.append((view.id, child.pid))
    return await SessionManager.start_link(store, limits, adopted, name=NAME)
