"""`Server.prompt`: a function becomes a prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from msgspec import Meta

from erlmcp_py.protocol.prompts import Prompt, PromptArgument
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.definition.checks import (
    Icons,
    checked_icons,
    checked_meta,
    checked_name,
    function_name,
    refuse_bare,
)
from erlmcp_py.server.definition.definitions import DEFAULT_TIMEOUT, Definitions, F
from erlmcp_py.server.definition.entries import PromptDef
from erlmcp_py.server.schema import text_arguments_of
from erlmcp_py.server.signature import MAX_WAITING, Isolation, Parameter


class Prompts(Definitions):
    """The part of a `Server` that defines prompts."""

    def prompt(
        self,
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
        max_concurrency: int | None = None,
        max_waiting: int = MAX_WAITING,
        icons: Icons | None = None,
        meta: Json | None = None,
    ) -> Callable[[F], F]:
        """Make the decorated function a prompt; its parameters are the prompt's arguments."""
        refuse_bare("prompt", name)

        def define(function: F) -> F:
            handler = self._handler(
                function,
                timeout=timeout,
                isolation=isolation,
                max_concurrency=max_concurrency,
                max_waiting=max_waiting,
            )
            key = checked_name(
                function_name(handler) if name is None else name, handler.where, "prompt"
            )
            arguments = text_arguments_of(handler)
            shown = Prompt(
                name=key,
                title=title,
                description=description or handler.description or None,
                arguments=[_argument(parameter) for parameter in handler.parameters] or None,
                icons=checked_icons(icons, handler.where),
                meta=checked_meta(meta, handler.where),
            )
            self._enter("prompts", key, PromptDef(shown, handler, arguments))
            return function

        return define

    def remove_prompt(self, name: str) -> None:
        """Offer a prompt no more. KeyError if there is none of that name."""
        self._take_out("prompts", name)


def _argument(parameter: Parameter) -> PromptArgument:
    about = [part for part in get_args(parameter.hint) if isinstance(part, Meta)]
    title = next((part.title for part in about if part.title), None)
    text = next((part.description for part in about if part.description), None)
    return PromptArgument(
        name=parameter.name,
        title=title,
        description=text or parameter.description or None,
        required=parameter.required,
    )
