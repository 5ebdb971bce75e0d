"""one_for_all: children that cannot do without each other."""

from __future__ import annotations

from .children import Child
from .plan import Plan
from .regular import Regular


class OneForAll(Regular):
    """When one is restarted, all are."""

    def bound_to(self, _child: Child, /) -> list[Child]:
        return list(self.children)

    def restart(self, _child: Child, /) -> Plan[Child | None]:
        """Stop the others in reverse order, then start all in order (V10).

        A retry after a failure begins here again, so what the last attempt had started
        is stopped and the first child comes first once more (V12).
        """
        yield from self.stop_in_reverse(list(self.children))
        return (yield from self.bring_back(list(self.children)))
