"""rest_for_one: each child depends on those started before it."""

from __future__ import annotations

from .children import Child
from .plan import Plan
from .regular import Regular


class RestForOne(Regular):
    """When one is restarted, so are those started after it."""

    def bound_to(self, child: Child, /) -> list[Child]:
        return self.children.since(child)

    def restart(self, child: Child, /) -> Plan[Child | None]:
        """Stop the later ones in reverse order, then start this one and them in order (V10).

        When the start of child X fails the retry is for X: it and those after it are
        begun again, and those before X, already up, are left alone (V12).
        """
        yield from self.stop_in_reverse(self.children.since(child))
        return (yield from self.bring_back(self.children.since(child)))
