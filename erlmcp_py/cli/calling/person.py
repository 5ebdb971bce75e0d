"""The person at the terminal: hears on standard error, answers at a prompt.

Where standard input is no terminal there is nobody to ask, and every question is declined.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import click
import msgspec

from erlmcp_py.console.draw import clean
from erlmcp_py.protocol.elicitation import (
    ELICIT,
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
from erlmcp_py.protocol.errors import METHOD_NOT_FOUND, McpError
from erlmcp_py.protocol.notifications import MESSAGE, PROGRESS
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.validation import compile_schema

_DECLINED: Final[Json] = {"action": "decline"}


def at_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


class Terminal:
    """A `Person`."""

    def notified(self, method: str, params: Json) -> None:
        """One line about it."""
        match method:
            case "notifications/progress":
                assert method == PROGRESS
                click.echo(_progress(params), err=True)
            case "notifications/message":
                assert method == MESSAGE
                data = params.get("data")
                text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
                click.echo(f"{params.get('level')}: {clean(text)}", err=True)
            case "crash":
                click.echo(clean(params["text"]), err=True)

    def asked(self, method: str, params: Json) -> Json:
        """The answer to an elicitation; no other kind of question is answered."""
        if method != ELICIT:
            raise McpError(
                METHOD_NOT_FOUND, f"the server asks for {method}, which nobody here can answer"
            )
        message = clean(params.get("message", ""))
        click.echo(message, err=True)
        if not at_terminal():
            click.echo("(declined: standard input is no terminal)", err=True)
            return _DECLINED
        try:
            if params.get("mode") == "url":
                url = clean(params.get("url", ""))
                agreed = click.confirm(f"Will you go to {url}?", err=True)
                return {"action": "accept"} if agreed else _DECLINED
            return _fill_in(params["requestedSchema"])
        except click.Abort:
            click.echo(err=True)
            return {"action": "cancel"}


def _progress(params: Json) -> str:
    progress, total, message = params.get("progress"), params.get("total"), params.get("message")
    of = "" if total is None else f" of {total:g}"
    return f"progress {progress:g}{of}" + ("" if message is None else f": {clean(message)}")


def _fill_in(schema: Json) -> Json:
    fields = form_fields(schema)
    if not click.confirm("Answer?", default=True, err=True):
        return _DECLINED
    required = set(schema.get("required", ()))
    content: dict[str, Any] = {}
    for name, field in fields.items():
        part = schema["properties"][name]
        value = _ask(name, field, part, required=name in required)
        if value is not None:
            content[name] = value
    return {"action": "accept", "content": content}


def _ask(name: str, field: PrimitiveSchemaDefinition, schema: Json, *, required: bool) -> Any:
    """The value of one field; None if it is left out. Asks until the value fits."""
    fits = compile_schema(schema, name)
    default = schema.get("default")
    read, hint = _reader(field)
    label = clean(field.title or name)
    about = clean(field.description) if field.description else ""
    notes = "; ".join(note for note in (about, hint, "" if required else "may be empty") if note)
    shown = ",".join(default) if isinstance(default, list) else _shown(default)
    while True:
        text = click.prompt(
            f"{label} ({notes})" if notes else label,
            default="" if shown is None else shown,
            show_default=bool(shown),
            err=True,
        )
        if not text and not required:
            return None
        try:
            value = read(text)
        except ValueError:
            click.echo(f"  not {hint}" if hint else "  that does not fit", err=True)
            continue
        problem = fits.first_error(value)
        if problem is None:
            return value
        click.echo(f"  {clean(problem)}", err=True)


def _shown(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value)


def _reader(field: PrimitiveSchemaDefinition) -> tuple[Callable[[str], Any], str]:
    """How the text of a field is read, and what it should be."""
    match field:
        case BooleanSchema():
            return _yes_or_no, "yes or no"
        case NumberSchema(type="integer"):
            return int, "a whole number"
        case NumberSchema():
            return float, "a number"
        case StringSchema(format=format):
            return str, format or ""
        case UntitledSingleSelectEnumSchema(enum=values) | LegacyTitledEnumSchema(enum=values):
            return _one_of(values), "one of " + ", ".join(map(clean, values))
        case TitledSingleSelectEnumSchema(one_of=options):
            return _one_of([option.const for option in options]), "one of " + _titled(options)
        case UntitledMultiSelectEnumSchema(items=items):
            return _some_of(items.enum), "some of " + ", ".join(map(clean, items.enum))
        case TitledMultiSelectEnumSchema(items=titled):
            return _some_of([option.const for option in titled.any_of]), "some of " + _titled(
                titled.any_of
            )


def _titled(options: Any) -> str:
    return ", ".join(f"{clean(option.const)} = {clean(option.title)}" for option in options)


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
