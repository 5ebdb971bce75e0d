"""What defining takes, whatever is defined: reading the handler, with the server as its home."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from erlmcp_py.server.definition.catalogue import Catalogue
from erlmcp_py.server.definition.checks import checked_lifespan
from erlmcp_py.server.lifespan import Lifespan
from erlmcp_py.server.signature import Handler, read_handler

F = TypeVar("F", bound=Callable[..., Any])
"""A decorated function, which stays what it is."""


class Definitions(Catalogue):
    """The catalogue of a server, as its decorators fill it. lifespan: as for `Server`."""

    def __init__(self, lifespan: Lifespan | None) -> None:
        super().__init__()
        self.lifespan = checked_lifespan(lifespan)

    def _handler(self, function: Callable[..., Any], **options: Any) -> Handler:
        handler = read_handler(function, home=self, **options)
        if handler.wants_state and self.lifespan is None:
            raise TypeError(
                f"{handler.where}: parameter {handler.context_name!r} wants the state of a lifespan, "
                f"but {self!r} has none"
            )
        return handler
