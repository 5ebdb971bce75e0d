"""Links between processes of two nodes: both ends agree on them, however signals cross.

Each end knows by itself whether its link is active, and only an active one lets an exit
signal through. WHY an unlink is acknowledged: without it an end that has linked, unlinked
and then gets the other's `Link` cannot tell whether that was sent before the other heard of
the unlink, in which case the other drops the link, or after. With it (the link protocol of
OTP 23.3 and later, erts "Distribution Protocol"): until the acknowledgement of its unlink
is here, an end ignores `Link` and the exit signals of links, for all of them were sent
before. To link again meanwhile makes the link active and the acknowledgement meaningless.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from .._errors import Reason
from .._pid import Pid
from .._process import Process, Remote, signal_exit
from .signals import Exit, Link, Unlink, UnlinkAck

if TYPE_CHECKING:
    from .endpoint import Endpoint


class Links:
    """What one node keeps beside the links themselves, which are in `Process.links`.

    unlinking: the number of the unlink that is not acknowledged yet, by our process and theirs.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.unlinking: dict[tuple[Pid, Pid], int] = {}
        self._endpoint = endpoint
        self._numbers = count(1)

    # --- done by our processes --------------------------------------------------------------

    def link(self, ours: Process, theirs: Remote) -> None:
        """Make a link, unless there is one."""
        if ours.links is None or theirs not in ours.links:
            self.unlinking.pop((ours.pid, theirs.pid), None)
            ours.link_with(theirs)
            self._endpoint.send(theirs.pid.node, Link(ours.pid, theirs.pid))

    def unlink(self, ours: Process, theirs: Remote) -> None:
        """Remove the link, if there is one."""
        if ours.links is not None and theirs in ours.links:
            ours.unlink_from(theirs)
            number = self.unlinking[ours.pid, theirs.pid] = next(self._numbers)
            self._endpoint.send(theirs.pid.node, Unlink(number, ours.pid, theirs.pid))

    # --- arrived from theirs ----------------------------------------------------------------

    def linked(self, theirs: Pid, ours: Pid) -> None:
        """`Link`: make the link active, unless an unlink of ours is under way to them."""
        target, other = ours._process, theirs._process
        if target is None or not target.alive:
            self._endpoint.send(theirs.node, Exit(ours, theirs, "noproc", linked=True))
        elif other is not None and (ours, theirs) not in self.unlinking:
            target.link_with(other)

    def unlinked(self, number: int, theirs: Pid, ours: Pid) -> None:
        """`Unlink`: the link is not active any more; acknowledged for a dead process too."""
        target, other = ours._process, theirs._process
        if target is not None and other is not None:
            target.unlink_from(other)
        self._endpoint.send(theirs.node, UnlinkAck(number, ours, theirs))

    def acknowledged(self, number: int, theirs: Pid, ours: Pid) -> None:
        """`UnlinkAck`: from now on they may link again; void when we have done so."""
        if self.unlinking.get((ours, theirs)) == number:
            del self.unlinking[ours, theirs]

    def exited(self, theirs: Pid, ours: Pid, reason: Reason) -> None:
        """The end of a linked process: ignored when the link is not active (P8)."""
        target, other = ours._process, theirs._process
        if target is None or other is None:
            return
        if target.links is None or other not in target.links:
            return
        target.unlink_from(other)
        if target.parent is theirs and target.trap_exit:
            target.more().orphaned = True
        signal_exit(target, theirs, reason, linked=True)

    def lost(self, node: str) -> None:
        """The connection is gone, and every acknowledgement that was to come over it."""
        for key in [key for key in self.unlinking if key[1].node == node]:
            del self.unlinking[key]
