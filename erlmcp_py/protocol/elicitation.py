"""elicitation/create: a server asks the user, by a form the client shows or at a web page.

In the legacy era a request of its own (since 2025-06-18), in the modern one an input request
(`protocol.input`). A form is a flat object schema; it travels as the JSON Schema its author wrote, and
`form_fields` reads it. The kinds of its fields are told apart by their keywords, for which msgspec has
no tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from erlmcp_py.protocol.errors import URL_ELICITATION_REQUIRED, McpError, refused
from erlmcp_py.protocol.refusals import INVALID_PARAMS, TYPE_MISMATCH
from erlmcp_py.protocol.tasks import TaskMetadata
from erlmcp_py.protocol.wire import ClientResult, Json, NotificationParams, RequestParams, Wire

ELICIT: Final = "elicitation/create"


class StringSchema(Wire, frozen=True, tag_field="type", tag="string"):
    """A field for text; lengths in characters. `default` since 2025-11-25."""

    title: str | None = None
    description: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    format: Literal["date", "date-time", "email", "uri"] | None = None
    default: str | None = None


class NumberSchema(Wire, frozen=True):
    """A field for a number, or for a whole one. `default` since 2025-11-25."""

    type: Literal["number", "integer"]
    title: str | None = None
    description: str | None = None
    minimum: float | int | None = None
    maximum: float | int | None = None
    default: float | int | None = None


class BooleanSchema(Wire, frozen=True, tag_field="type", tag="boolean"):
    """A field for yes or no."""

    title: str | None = None
    description: str | None = None
    default: bool | None = None


class EnumOption(Wire, frozen=True):
    """A value to choose, and how to show it."""

    const: str
    title: str


class UntitledSingleSelectEnumSchema(Wire, frozen=True, tag_field="type", tag="string"):
    """One of some values."""

    enum: list[str]
    title: str | None = None
    description: str | None = None
    default: str | None = None


class TitledSingleSelectEnumSchema(Wire, frozen=True, tag_field="type", tag="string"):
    """One of some values with titles. Since 2025-11-25."""

    one_of: list[EnumOption]
    title: str | None = None
    description: str | None = None
    default: str | None = None


class LegacyTitledEnumSchema(Wire, frozen=True, tag_field="type", tag="string"):
    """One of some values, their titles in a list beside them: the form of 2025-06-18."""

    enum: list[str]
    enum_names: list[str]
    title: str | None = None
    description: str | None = None
    default: str | None = None


class UntitledItems(Wire, frozen=True, tag_field="type", tag="string"):
    """The values of a multiple choice."""

    enum: list[str]


class TitledItems(Wire, frozen=True):
    """The values of a multiple choice, with titles."""

    any_of: list[EnumOption]


class UntitledMultiSelectEnumSchema(Wire, frozen=True, tag_field="type", tag="array"):
    """Some of some values. Since 2025-11-25."""

    items: UntitledItems
    title: str | None = None
    description: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    default: list[str] | None = None


class TitledMultiSelectEnumSchema(Wire, frozen=True, tag_field="type", tag="array"):
    """Some of some values with titles. Since 2025-11-25."""

    items: TitledItems
    title: str | None = None
    description: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    default: list[str] | None = None


PrimitiveSchemaDefinition = (
    StringSchema
    | NumberSchema
    | BooleanSchema
    | UntitledSingleSelectEnumSchema
    | TitledSingleSelectEnumSchema
    | LegacyTitledEnumSchema
    | UntitledMultiSelectEnumSchema
    | TitledMultiSelectEnumSchema
)


class ElicitParams(RequestParams, frozen=True):
    """The parameters of `elicitation/create`, of either mode: exactly one of `requested_schema`
    (form) and `url` is there. An absent `mode` means form.

    `elicitation_id`: required with a URL in 2025-11-25, unknown elsewhere. `task` only in 2025-11-25.
    """

    message: str
    mode: Literal["form", "url"] | None = None
    requested_schema: Json | None = None
    url: str | None = None
    elicitation_id: str | None = None
    task: TaskMetadata | None = None

    def __post_init__(self) -> None:
        if self.mode == "url":
            if self.url is None or self.requested_schema is not None:
                raise ValueError("an elicitation by URL has `url` and no `requestedSchema`")
        elif self.requested_schema is None or self.url is not None:
            raise ValueError("an elicitation by form has `requestedSchema` and no `url`")


def form(message: str, schema: Json, *, meta: Json | None = None) -> ElicitParams:
    """The parameters that ask for a form. schema: `{"type": "object", "properties": {…}}`, flat.

    The mode is left out: it is the default, and 2025-06-18 does not know it.
    """
    return ElicitParams(message=message, requested_schema=schema, meta=meta)


def at_url(message: str, url: str, elicitation_id: str | None = None) -> ElicitParams:
    """The parameters that send the user to a page; the id is for 2025-11-25."""
    return ElicitParams(message=message, mode="url", url=url, elicitation_id=elicitation_id)


ElicitValue = str | int | float | bool | list[str] | None


class ElicitResult(ClientResult, frozen=True):
    """What the user did. `content`: the fields of an accepted form; absent otherwise, and by URL."""

    action: Literal["accept", "decline", "cancel"]
    content: dict[str, ElicitValue] | None = None


class ElicitationCompleteParams(NotificationParams, frozen=True):
    """The user is through with the page of that elicitation. Only in 2025-11-25."""

    elicitation_id: str


class URLElicitationRequiredData(Wire, frozen=True):
    """The `data` of error -32042; each elicitation is one by URL, with its id."""

    elicitations: list[ElicitParams]


def url_elicitation_required(
    elicitations: Sequence[ElicitParams], message: str = "This request needs the user at a web page"
) -> McpError:
    """-32042: the request is to be sent again when the user has been at these pages.

    Only in 2025-11-25; the modern era answers with an input request instead.
    """
    data = msgspec.to_builtins(URLElicitationRequiredData(list(elicitations)))
    return McpError(URL_ELICITATION_REQUIRED, message, data)


def form_fields(schema: Json) -> dict[str, PrimitiveSchemaDefinition]:
    """The fields of a form, by name, as its `requested_schema` has them.

    Raises McpError -32602 naming the field that is none of the kinds MCP allows.
    """
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict):
        raise refused(INVALID_PARAMS, 'requestedSchema must have "type": "object" and "properties"')
    return {name: field_schema(name, field) for name, field in properties.items()}


def field_schema(name: str, field: Any) -> PrimitiveSchemaDefinition:
    """One field of a form; raises McpError -32602."""
    where = f"requestedSchema.properties[{name!r}]"
    if not isinstance(field, dict):
        raise refused(TYPE_MISMATCH, f"{where} must be an object")
    kind = _kind_of(field)
    if kind is None:
        raise refused(
            INVALID_PARAMS,
            f"{where} must be a string, number, integer, boolean or a choice of strings",
        )
    try:
        converted: PrimitiveSchemaDefinition = msgspec.convert(field, kind)
    except msgspec.ValidationError as problem:
        raise refused(INVALID_PARAMS, f"{where}: {problem}") from None
    return converted


def _kind_of(field: Json) -> Any:
    match field.get("type"):
        case "string" if "oneOf" in field:
            return TitledSingleSelectEnumSchema
        case "string" if "enumNames" in field:
            return LegacyTitledEnumSchema
        case "string" if "enum" in field:
            return UntitledSingleSelectEnumSchema
        case "string":
            return StringSchema
        case "number" | "integer":
            return NumberSchema
        case "boolean":
            return BooleanSchema
        case "array":
            items = field.get("items")
            titled = isinstance(items, dict) and "anyOf" in items
            return TitledMultiSelectEnumSchema if titled else UntitledMultiSelectEnumSchema
    return None
