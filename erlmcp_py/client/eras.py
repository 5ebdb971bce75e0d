"""Which era a server spoke the last time: by origin (HTTP), address or command, for this program's life."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from erlmcp_py.protocol.versions import Era

MAX: Final = 1024
"""Servers that are remembered; the one not heard of for longest is forgotten."""


class Eras:
    """A memory."""

    def __init__(self) -> None:
        self._eras: OrderedDict[Hashable, Era] = OrderedDict()

    def recall(self, server: Hashable) -> Era | None:
        """None: nothing is known."""
        return self._eras.get(server)

    def remember(self, server: Hashable, era: Era) -> None:
        """It spoke that era."""
        self._eras[server] = era
        self._eras.move_to_end(server)
        if len(self._eras) > MAX:
            self._eras.popitem(last=False)


eras: Final = Eras()
"""That of the program."""
