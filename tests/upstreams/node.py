"""The node of a campaign: ``python -m tests.upstreams.node run …``, as `erlmcp-node run …`.

WHY not `erlmcp-node` itself: pauses before restarts grow up to a minute for what fails again and again, and
an upstream has to be well for as long before they begin anew. Here that is a second, or a campaign of an
hour's faults would take a day.
"""

from __future__ import annotations

import sys

from erlmcp_py.cli import main
from erlmcp_py.gateway import instance
from supervisors import Backoff

if __name__ == "__main__":
    instance.PAUSE = Backoff(  # type: ignore[misc]
        first=instance.PAUSE.first, factor=instance.PAUSE.factor, limit=1.0, jitter=0.5
    )
    sys.argv[0] = "erlmcp-node"
    main()
