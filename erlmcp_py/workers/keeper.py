"""The process that looks after the doors: it closes that of a worker that stays away, and, when the node
is stopped, all of them first.
"""

from __future__ import annotations

from typing import Any, Final

from erlmcp_py.workers.crew import Crew
from erlmcp_py.workers.doors import Doors
from supervisors import GenServer, send, send_after, trap_exit
from supervisors import self as own_pid

NAME: Final = "doors"
SOON: Final = 3.0
"""Seconds after its end at which a worker that does not serve again loses its share of new clients."""


class Keeper(GenServer):
    """Cast ``("down", number)``: this worker has no operating-system process any more."""

    def init(self, doors: Doors, crew: Crew) -> tuple[Any, ...]:
        """Trap exits, to hear of the stop."""
        trap_exit()
        return ("ok", (doors, crew))

    def handle_cast(self, request: Any, state: tuple[Doors, Crew]) -> tuple[Any, ...]:
        """Give a worker that has ended a moment to come back."""
        match request:
            case ("down", int() as number):
                send_after(SOON, own_pid(), ("away", number, _served(number, state)))
        return ("noreply", state)

    def handle_info(self, message: Any, state: tuple[Doors, Crew]) -> tuple[Any, ...]:
        """The moment is over."""
        doors, crew = state
        match message:
            case ("away", int() as number, times) if not crew.workers[number - 1].serving:
                if times == _served(number, state):  # it has not been back in between
                    doors.close(number)
        return ("noreply", state)

    def terminate(self, reason: Any, state: tuple[Doors, Crew]) -> None:
        """Stopped, and with it the workers, which stand before it in the tree. They are told here, so
        that they stop side by side and not one after the other.
        """
        if reason == "shutdown":
            doors, crew = state
            doors.close_all()
            for worker in crew.workers:
                if worker.owner is not None:
                    send(worker.owner, "stop")


def _served(number: int, state: tuple[Doors, Crew]) -> int:
    return state[1].workers[number - 1].served
