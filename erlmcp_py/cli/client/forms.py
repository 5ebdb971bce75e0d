"""A form of a server, filled in field by field."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import click

from erlmcp_py.cli.client.keyboard import ask
from erlmcp_py.console.draw import clean
from erlmcp_py.protocol.elicitation import (
    BooleanSchema,
    LegacyTitledEnumSchema,
    NumberSchema,
    PrimitiveSchemaDefinition,
    StringSchema,
    TitledMultiSelectEnumSchema,
    TitledSingleSelectEnumSchema,
    UntitledMultiSelectEnumSchema,
    UntitledSingleSelectEnumSchema,
    form_fields,
)
from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.validation import compile_schema


async def fill_in(schema: Json) -> Json:
    """The fields with what was typed; those that were left out are absent.

    Raises NothingTyped, McpError for what is no form, or one that wants more than its fields do.
    """
    required = set(schema.get("required", ()))
    content: Json = {}
    for name, field in form_fields(schema).items():
        part = schema["properties"][name]
        value = await _field(name, field, part, required=name in required)
        if value is not None:
            content[name] = value
    wrong = compile_schema(schema, "the form").first_error(content)
    if wrong is not None:
        raise McpError(INVALID_PARAMS, f"the form can be filled in, but is never right: {wrong}")
    return content


async def _field(
    name: str, field: PrimitiveSchemaDefinition, schema: Json, *, required: bool
) -> Any:
    """The value of one field; None if it is left out. Asks until the value fits."""
    fits = compile_schema(schema, name)
    read, hint = _reader(field)
    notes = "; ".join(
        note for note in (field.description, hint, "" if required else "may be empty") if note
    )
    label = field.title or name
    default = _shown(schema.get("default"))
    while True:
        text = await ask(f"{label} ({notes})" if notes else label, default)
        if not text and not required:
            return None
        try:
            value = read(text)
        except ValueError:
            click.echo(clean(f"  not {hint}" if hint else "  that does not fit"), err=True)
            continue
        problem = fits.first_error(value)
        if problem is None:
            return value
        click.echo(f"  {clean(problem)}", err=True)


def _shown(value: object) -> str:
    """A default as it would be typed."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ",".join(map(str, value))
    return str(value)


def _reader(field: PrimitiveSchemaDefinition) -> tuple[Callable[[str], Any], str]:
    """How the text of a field is read, and what it should be."""
    match field:
        case BooleanSchema():
            return _yes_or_no, "yes or no"
        case NumberSchema(type="integer"):
            return int, "a whole number"
        case NumberSchema():
            return float, "a number"
        case StringSchema(format=str(format)):
            check, hint = _FORMATS[format]
            return partial(_formatted, check), hint
        case StringSchema():
            return str, ""
        case UntitledSingleSelectEnumSchema(enum=values) | LegacyTitledEnumSchema(enum=values):
            return _one_of(values), "one of " + ", ".join(values)
        case TitledSingleSelectEnumSchema(one_of=options):
            return _one_of([option.const for option in options]), "one of " + _titled(options)
        case UntitledMultiSelectEnumSchema(items=items):
            return _some_of(items.enum), "some of " + ", ".join(items.enum)
        case TitledMultiSelectEnumSchema(items=titled):
            values = [option.const for option in titled.any_of]
            return _some_of(values), "some of " + _titled(titled.any_of)


def _titled(options: Any) -> str:
    return ", ".join(f"{option.const} = {option.title}" for option in options)


def _formatted(check: Callable[[str], object], text: str) -> str:
    """Raises ValueError."""
    if check(text) is None:
        raise ValueError(text)
    return text


def _absolute(text: str) -> str | None:
    parts = urlsplit(text)
    return (parts.scheme and (parts.netloc or parts.path)) or None


_FORMATS: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    "date": (date.fromisoformat, "a date such as 2026-07-28"),
    "date-time": (datetime.fromisoformat, "a time such as 2026-07-28T09:30:00Z"),
    "email": (re.compile(r"[^@\s]+@[^@\s]+").fullmatch, "an email address"),
    "uri": (_absolute, "a URI"),
}
"""What is checked of a format, which JSON Schema leaves to whoever asks, and what to write."""


def _yes_or_no(text: str) -> bool:
    answers = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
    if text.strip().lower() not in answers:
        raise ValueError(text)
    return answers[text.strip().lower()]


def _one_of(values: list[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return read


def _some_of(values: list[str]) -> Callable[[str], list[str]]:
    one = _one_of(values)
    return lambda text: [one(part.strip()) for part in text.split(",") if part.strip()]
