"""one_for_one: a child is restarted alone."""

from __future__ import annotations

from .children import Child
from .plan import Plan
from .regular import Regular


class OneForOne(Regular):
    """Children independent of each other."""

    def bound_to(self, child: Child, /) -> list[Child]:
        return [child]

    def restart(self, child: Child, /) -> Plan[Child | None]:
        """Start the child again, in its old place (V4)."""
        return self.bring_back([child])
