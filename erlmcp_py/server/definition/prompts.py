"""`Server.prompt`: a function becomes a prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack, get_args

from msgspec import Meta

from erlmcp_py.protocol.prompts import Prompt, PromptArgument
from erlmcp_py.server.definition.checks import checked_name, function_name, refuse_bare
from erlmcp_py.server.definition.definitions import Definitions, F
from erlmcp_py.server.definition.entries import PromptDef
from erlmcp_py.server.definition.options import Options, running, shown, spelled_out, with_defaults
from erlmcp_py.server.schema import text_arguments_of
from erlmcp_py.server.signature import Parameter


class Prompts(Definitions):
    """The part of a `Server` that defines prompts."""

    @spelled_out
    def prompt(self, name: str | None = None, **options: Unpack[Options]) -> Callable[[F], F]:
        """Make the decorated function a prompt; its parameters are the prompt's arguments. options: as
        for `tool`.
        """
        refuse_bare("prompt", name)
        given = with_defaults("prompt", options)

        def define(function: F) -> F:
            handler = self._handler(function, **running(given))
            key = checked_name(
                function_name(handler) if name is None else name, handler.where, "prompt"
            )
            arguments = text_arguments_of(handler)
            prompt = Prompt(
                name=key,
                arguments=[_argument(parameter) for parameter in handler.parameters] or None,
                **shown(given, handler),
            )
            self._enter("prompts", key, PromptDef(prompt, handler, arguments))
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
