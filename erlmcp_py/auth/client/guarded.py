"""Records that hold secrets and do not show them."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Guarded(msgspec.Struct, frozen=True):
    """A record of which only the fields in `shown_fields` appear in its repr."""

    shown_fields: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in self.shown_fields]
        return f"{type(self).__name__}({', '.join([*shown, '…'])})"
