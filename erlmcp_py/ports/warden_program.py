"""Ends the groups it was told of when standard input ends. Run by `warden`, without site packages.

Lines are ``+GROUP`` and ``-GROUP``.
"""

import os
import signal
import sys
import time

NOTICE = 1.0
"""Seconds the groups get to notice by themselves that their standard input has ended."""
GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""


def main() -> None:
    """Listen, then end them all."""
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    time.sleep(NOTICE)
    for number in (signal.SIGTERM, signal.SIGKILL):
        groups = {group for group in groups if _signal(group, number)}
        if groups and number is signal.SIGTERM:
            for group in groups:
                _signal(group, signal.SIGCONT)  # who is stopped would not hear of SIGTERM
            time.sleep(GRACE)


def _signal(group: int, number: signal.Signals) -> bool:
    """False if there is no such group any more."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main()
