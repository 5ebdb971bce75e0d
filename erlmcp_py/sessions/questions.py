"""`Asks` in the hands of the process that owns the way back to the client.

Replies go out as responses come in, and who waits for one is watched: when it ends, the client is told
that nobody wants to know any more.
"""

from __future__ import annotations

from typing import Any

from erlmcp_py.protocol.jsonrpc import ErrorResponse, Response
from erlmcp_py.sessions.asks import Ask, Asks, Send, Withdraw
from supervisors import From, Pid, Ref, demonitor, monitor, reply


class Questions:
    """What one client is being asked. Its methods run in the process that made it."""

    __slots__ = ("_asks", "_watched")

    def __init__(self) -> None:
        self._asks = Asks()
        self._watched: dict[Pid, Ref] = {}

    def __len__(self) -> int:
        return len(self._asks)

    def ask(self, ask: Ask, from_: From, send: Send) -> None:
        """Ask the client; `from_` gets its reply when there is one, or at once when there will be none.
        send: for a question that belongs to no call.
        """
        refused = self._asks.ask(ask, from_, send)
        if refused is not None:
            reply(from_, refused)
        elif ask.asker not in self._watched:
            self._watched[ask.asker] = monitor(ask.asker)

    def answered(self, message: Response | ErrorResponse) -> None:
        """The client's response; who no longer waits for it is not bothered."""
        found = self._asks.answered(message)
        if found is not None:
            reply(*found)
            self._unwatch()

    def withdraw(self, wish: Withdraw) -> None:
        """The asker waits no longer."""
        self._asks.withdraw(wish.ticket, wish.reason)
        self._unwatch()

    def down(self, ref: Any, asker: Pid) -> bool:
        """A DOWN has come; whether it was that of an asker, whose questions are then taken back."""
        if self._watched.get(asker) is not ref:
            return False
        del self._watched[asker]
        self._asks.forget(asker, "the call has ended")
        return True

    def close(self, reason: str) -> None:
        """Tell everybody who waits that no response will come."""
        for from_, failed in self._asks.close(reason):
            reply(from_, failed)
        self._unwatch()

    def _unwatch(self) -> None:
        for asker in [pid for pid in self._watched if not self._asks.has(pid)]:
            demonitor(self._watched.pop(asker), flush=True)
