"""A new node that takes over from the one of its name that runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from erlmcp_py import __version__
from erlmcp_py.console.claim import NameClaim, answers, is_held
from erlmcp_py.console.place import PlaceError, check_directory, socket_path
from erlmcp_py.handover.inheritance import Inheritance
from erlmcp_py.handover.messages import (
    Ask,
    Estate,
    HandoverError,
    Line,
    Ready,
    Refused,
    Taken,
    Yours,
    place,
)

_PATIENCE: Final = 15.0
"""Seconds the node that runs has for an answer."""


class CannotReplace(Exception):
    """The node that runs cannot be replaced; it goes on. One line for the operator."""


class Heir:
    """What was asked for and given. `take` it once this node could serve, and `close` it in the end.

    claim: on the name, which is lent until then.
    """

    def __init__(self, line: Line, claim: NameClaim, inheritance: Inheritance, giver: int) -> None:
        self._line = line
        self.claim = claim
        self.inheritance = inheritance
        self.giver = giver
        """The operating-system process of the other node."""

    async def take(self) -> None:
        """Have the other node let go, and let clients in. Raises CannotReplace."""
        try:
            with trio.fail_after(_PATIENCE):
                await self._line.say(Ready())
                answer = await self._line.hear()
                if isinstance(answer, Refused):
                    raise CannotReplace(f"the node is not replaced: {answer.text}")
                if not isinstance(answer, Yours):
                    raise HandoverError(f"it answers {type(answer).__name__}")
                self.inheritance.gate.set()
                await self._line.say(Taken())
        except trio.TooSlowError:
            raise CannotReplace("the node that runs does not answer; it goes on") from None
        except HandoverError as error:
            if answers(self.claim.path):
                raise CannotReplace(f"the node is not replaced: {error}") from None
            self.inheritance.gate.set()  # it has died, and everything is ours
        self.claim.take()

    def close(self) -> None:
        """End the conversation; before `take` the other node then goes on as if nothing had happened."""
        self._line.close()


async def ask(name: str, directory: Path, wanted: Mapping[str, tuple[str, int]]) -> Heir | None:
    """What the running node `name` has for its heir; None if there is no such node.

    wanted: host and port of each transport; a socket that listens elsewhere is of no use. Raises
    CannotReplace.
    """
    try:
        check_directory(directory)
        path = socket_path(name, directory)
    except FileNotFoundError:
        return None
    except PlaceError as error:
        raise CannotReplace(str(error)) from None
    if not is_held(name, directory):
        return None
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(str(place(name, directory)))
    except OSError:
        sock.close()
        raise CannotReplace(
            f"a node named {name!r} is running and cannot be replaced: it has several workers, is only "
            "just starting, or is going down; stop it first, or wait"
        ) from None
    line = Line(sock)
    try:
        with trio.fail_after(_PATIENCE):
            await line.say(Ask(os.getpid(), __version__))
            answer = await line.hear()
        if isinstance(answer, Refused):
            raise CannotReplace(f"node {name!r} cannot be replaced now: {answer.text}")
        if not isinstance(answer, Estate) or len(line.descriptors) != len(answer.doors) + 1:
            raise HandoverError("what it hands over is not complete")
        return _accept(line, answer, name, path, wanted)
    except trio.TooSlowError:
        line.close()
        raise CannotReplace(f"node {name!r} does not answer; it goes on") from None
    except HandoverError as error:
        line.close()
        raise CannotReplace(f"node {name!r} cannot be replaced: {error}") from None
    except BaseException:
        line.close()
        raise


def _accept(
    line: Line,
    estate: Estate,
    name: str,
    path: Path,
    wanted: Mapping[str, tuple[str, int]],
) -> Heir:
    lock, *descriptors = line.descriptors
    doors = {}
    for there, descriptor in zip(estate.doors, descriptors, strict=True):
        host, port = wanted.get(there.name, ("", 0))
        if host == there.host and port in (0, there.port):
            doors[there.name] = descriptor
        else:
            os.close(descriptor)
    line.descriptors.clear()
    inheritance = Inheritance(doors, estate.key, trio.Event())
    return Heir(line, NameClaim(name, path, lock, lent=True), inheritance, estate.pid)
