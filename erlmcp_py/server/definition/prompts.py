"""A function becomes a prompt, or proposes values for an argument."""

from __future__ import annotations

from typing import get_args

from msgspec import Meta

from erlmcp_py.protocol.prompts import Prompt, PromptArgument
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.definition.checks import Icons, checked_icons, checked_meta
from erlmcp_py.server.definition.entries import PromptDef
from erlmcp_py.server.schema import text_arguments_of
from erlmcp_py.server.signature import Handler, Parameter


def define_prompt(
    handler: Handler,
    name: str,
    *,
    title: str | None,
    description: str | None,
    icons: Icons | None,
    meta: Json | None,
) -> PromptDef:
    """The entry of a prompt; see `Server.prompt`."""
    arguments = text_arguments_of(handler)
    prompt = Prompt(
        name=name,
        title=title,
        description=description or handler.description or None,
        arguments=[_argument(parameter) for parameter in handler.parameters] or None,
        icons=checked_icons(icons, handler.where),
        meta=checked_meta(meta, handler.where),
    )
    return PromptDef(prompt, handler, arguments)


def check_completion(handler: Handler) -> None:
    """TypeError unless the function takes what has been typed, and perhaps what is known."""
    hints = [parameter.hint for parameter in handler.parameters]
    if hints not in ([str], [str, dict[str, str]]):
        given = ", ".join(f"{parameter.name}: {parameter.hint}" for parameter in handler.parameters)
        raise TypeError(
            f"{handler.where}: a completion takes (value: str) or "
            f"(value: str, arguments: dict[str, str]), not ({given})"
        )


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
