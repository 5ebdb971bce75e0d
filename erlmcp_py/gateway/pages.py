"""Elicitations by URL whose end an upstream of 2025-11-25 may tell: which client each was for.

That revision has `notifications/elicitation/complete`, which names an elicitation that a client was sent to
in a question or by error -32042. The other revisions do not have it, so their clients are not told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from erlmcp_py.protocol.elicitation import (
    ElicitationCompleteParams,
    ElicitParams,
    URLElicitationRequiredData,
)
from erlmcp_py.protocol.jsonrpc import notification
from erlmcp_py.protocol.methods import find_notification
from erlmcp_py.protocol.notifications import ELICITATION_COMPLETE
from erlmcp_py.server.scope import Scope
from supervisors import Pid, cast

LIMIT: Final = 1000
"""Elicitations of one upstream that are remembered; of more, the oldest are forgotten."""


class Pages:
    """Whom to tell, by the id of the elicitation."""

    def __init__(self) -> None:
        self._peers: dict[str, Pid] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def asked(self, question: ElicitParams, scope: Scope) -> None:
        """The client of `scope` is sent to a page."""
        id = question.elicitation_id
        if id is None or scope.peer is None:
            return
        if find_notification(ELICITATION_COMPLETE, scope.version) is None:
            return
        self._peers.pop(id, None)
        self._peers[id] = scope.peer
        if len(self._peers) > LIMIT:
            del self._peers[next(iter(self._peers))]

    def refused(self, data: Any, scope: Scope) -> None:
        """The client of `scope` is sent to the pages of an error -32042."""
        for question in pages_of(data):
            self.asked(question, scope)

    def done(self, id: str) -> None:
        """Its user is through; the client it was for is told, once."""
        peer = self._peers.pop(id, None)
        if peer is not None:
            params = ElicitationCompleteParams(elicitation_id=id)
            cast(peer, ("notify", notification(ELICITATION_COMPLETE, params)))


def pages_of(data: Any) -> Iterable[ElicitParams]:
    """The elicitations that the data of an error -32042 name; none if it cannot be read."""
    try:
        return msgspec.convert(data, URLElicitationRequiredData).elicitations
    except msgspec.ValidationError:
        return ()
