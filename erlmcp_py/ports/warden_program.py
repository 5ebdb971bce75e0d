"""Ends the families it was told of when standard input ends. Run by `warden`, without site packages.

Lines are ``+LEADER SINCE MARK`` (of `family.Family`) and ``-LEADER``.
"""

import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from erlmcp_py.ports.family import Family, Held
else:  # the package would load what this program has no use for
    sys.path.append(os.path.dirname(__file__))  # noqa: PTH120 - nor for pathlib
    from family import Family, Held

NOTICE = 1.0
"""Seconds they get to notice by themselves that their standard input has ended."""
GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
ROUNDS = 5
"""Looks for those that were started meanwhile, each followed by SIGKILL."""
KILLED = 0.2
"""Seconds that they have to be gone after it."""


def main() -> None:
    """Listen, then end them all."""
    # A descriptor is needed for each process that is to be ended.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    families: dict[int, Family] = {}
    for line in sys.stdin:
        leader, *more = line[1:-1].split(" ")
        families.pop(int(leader), None)
        if line[0] == "+":
            since, mark = more
            families[int(leader)] = Family(int(leader), int(since), mark)
    time.sleep(NOTICE)
    held = [Held(family) for family in families.values()]
    if _update(held):
        for number in (signal.SIGTERM, signal.SIGCONT):  # who is stopped would not hear of SIGTERM
            for each in held:
                each.send(number)
        _wait(held, GRACE)
    for _ in range(ROUNDS):
        if not _update(held):
            break
        for each in held:
            _kill_group(each.family)
            each.send(signal.SIGKILL)
        _wait(held, KILLED)


def _update(held: Iterable[Held]) -> bool:
    """Whether anybody lives."""
    found = False
    for each in held:
        try:
            found |= each.update(each.family.living())
        except OSError:
            continue  # it could not be looked at; the others can perhaps
    return found


def _kill_group(family: Family) -> None:
    """All at once, so that none can start another before it is its turn."""
    try:
        if family.living(everywhere=False):  # else its number may be that of others
            os.killpg(family.leader, signal.SIGKILL)
    except OSError:
        return


def _wait(held: Iterable[Held], seconds: float) -> None:
    """Until all that were found are gone, but no longer than that."""
    poll = select.poll()
    waiting = {descriptor for each in held for descriptor in each.descriptors}
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    end = time.monotonic() + seconds
    while waiting and (left := end - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            waiting.discard(descriptor)


if __name__ == "__main__":
    main()
