"""Agent: a process around a value, for state that several processes share.

    >>> import supervisors as otp
    >>> from supervisors import Agent
    >>> async def main():
    ...     basket = await Agent.start_link(list)
    ...     await Agent.update(basket, lambda fruit: [*fruit, "apple"])
    ...     Agent.cast(basket, lambda fruit: [*fruit, "pear"])
    ...     count = await Agent.get(basket, len)
    ...     last = await Agent.get_and_update(basket, lambda fruit: (fruit[-1], fruit[:-1]))
    ...     return count, last, await Agent.get(basket, lambda fruit: fruit)
    >>> otp.run(main)
    (2, 'pear', ['apple'])

It is a GenServer whose requests are functions, applied to the value in the agent's own
process, one after the other: nobody sees the value between two of them. A function that
raises ends the agent, as a callback does. Values are not copied: change them by returning
new ones. The functions are plain; state whose work has to wait belongs in a GenServer with
async callbacks.

Elixir: Agent (SEMANTICS 1.6).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from ._gen_server.behaviour import GenServer
from ._gen_server.calls import From, call, cast
from ._gen_server.stop import stop
from ._names import Name
from ._pid import Pid
from ._supervisor.spec import ChildSpec, Restart, Shutdown

Server = Pid | Name


class AgentServer(GenServer):
    """The process behind an agent; its state is the agent's value."""

    def init(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return "ok", fn(*args)

    def handle_call(self, request: Any, from_: From, value: Any) -> Any:
        kind, fn, args = request
        result = fn(value, *args)
        if kind == "get":
            return "reply", result, value
        if kind == "update":
            return "reply", None, result
        if isinstance(result, tuple) and len(result) == 2:
            return "reply", result[0], result[1]
        return "stop", ("bad_return_value", result), value

    def handle_cast(self, request: Any, value: Any) -> Any:
        fn, args = request
        return "noreply", fn(value, *args)

    def handle_info(self, message: Any, value: Any) -> Any:
        return "noreply", value


class Agent:
    """The functions of an agent; see the module's text for an example.

    Everywhere: `fn` is a plain function (TypeError for an async one) that is called as
    ``fn(value, *args)``; timeout: seconds, past them the caller gets CallExit "timeout" and
    the agent goes on (G12).
    """

    @staticmethod
    async def start(fn: Callable[..., Any], *args: Any, name: Name | None = None) -> Pid:
        """Start an agent whose first value is ``fn(*args)``, called in the agent's process.

        Raises StartError with what `fn` raised, or ``("already_started", pid)``.
        """
        return await AgentServer.start(_plain(fn), args, name=name)

    @staticmethod
    async def start_link(fn: Callable[..., Any], *args: Any, name: Name | None = None) -> Pid:
        """As `start`, linked to the calling process."""
        return await AgentServer.start_link(_plain(fn), args, name=name)

    @staticmethod
    def child_spec(
        fn: Callable[..., Any],
        *args: Any,
        id: Hashable = None,
        name: Name | None = None,
        restart: Restart = "permanent",
        shutdown: Shutdown = 5.0,
    ) -> ChildSpec:
        """An agent as a child of a supervisor; a restarted one begins with ``fn(*args)``."""
        start = Agent.start_link if name is None else partial(Agent.start_link, name=name)
        return ChildSpec(
            id=id if id is not None else name or "Agent",
            start=(start, (fn, *args)),
            restart=restart,
            shutdown=shutdown,
            modules=(f"{Agent.__module__}.Agent",),
        )

    @staticmethod
    def get(
        agent: Server, fn: Callable[..., Any], *args: Any, timeout: float = 5.0
    ) -> Awaitable[Any]:
        """What ``fn(value, *args)`` returns; the value stays."""
        return call(agent, ("get", _plain(fn), args), timeout)

    @staticmethod
    def update(
        agent: Server, fn: Callable[..., Any], *args: Any, timeout: float = 5.0
    ) -> Awaitable[None]:
        """Make ``fn(value, *args)`` the value."""
        return call(agent, ("update", _plain(fn), args), timeout)

    @staticmethod
    def get_and_update(
        agent: Server, fn: Callable[..., Any], *args: Any, timeout: float = 5.0
    ) -> Awaitable[Any]:
        """`fn` returns ``(answer, new value)``; anything else ends the agent with
        ``("bad_return_value", it)``.
        """
        return call(agent, ("get_and_update", _plain(fn), args), timeout)

    @staticmethod
    def cast(agent: Server, fn: Callable[..., Any], *args: Any) -> None:
        """`update` without waiting; silent when the agent is gone (G15)."""
        cast(agent, (_plain(fn), args))

    @staticmethod
    async def stop(agent: Server, reason: Any = "normal", timeout: float = math.inf) -> None:
        """End the agent and wait until it is gone; see `supervisors.stop`."""
        await stop(agent, reason, timeout)


def _plain(fn: Any) -> Callable[..., Any]:
    target = fn.func if isinstance(fn, partial) else fn
    if not callable(target) or iscoroutinefunction(target):
        raise TypeError(
            f"an agent applies plain functions, not {fn!r}; state whose work has to wait "
            "belongs in a GenServer with async callbacks"
        )
    plain: Callable[..., Any] = fn
    return plain
