"""The form of an elicitation: a schema flat enough for a dialog, and the check of what was typed.

MCP allows an object of primitive properties only, so that every client can draw it: strings (with
length, pattern or one of four formats), numbers, booleans, and choices of one or several strings.
A form is a Struct, dataclass or TypedDict with such fields, or a schema written by hand, which is
passed on as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from erlmcp_py.server.interaction.question import Unusable
from erlmcp_py.server.validation import compile_schema

FORMATS: Final = ("email", "uri", "date", "date-time")
"""The formats of strings that MCP knows."""

_TYPES: Final = ("string", "number", "integer", "boolean")


class Form:
    """A form and how to read what comes back.

    schema: what the client gets. type: what the handler gets, None for the plain dict.
    """

    __slots__ = ("_type", "_validator", "schema")

    def __init__(self, schema: dict[str, Any], type: Any, where: str) -> None:
        self.schema = schema
        self._type = type
        self._validator = compile_schema(schema, where)

    def read(self, content: Any) -> Any:
        """The value for the handler, defaults filled in. `Unusable` says what is wrong."""
        problem = self._validator.first_error(content, self.schema["properties"])
        if problem is not None:
            raise Unusable(problem)
        if self._type is None:
            return {**_defaults(self.schema), **content}
        try:
            return msgspec.convert(content, self._type, strict=False, str_keys=True)
        except msgspec.ValidationError as error:
            raise Unusable(str(error)) from None


def form_of(form: Any) -> Form:
    """The `Form` of a type, or of a JSON Schema given as a dict.

    TypeError or ValueError with the name of the field that no client could ask for.
    """
    if isinstance(form, Mapping):
        schema = dict(form)
        _check_shape(schema)
        return Form(schema, None, "the elicitation's schema")
    return _of_type(form)


@lru_cache(maxsize=256)
def _of_type(type_: Any) -> Form:
    name = getattr(type_, "__name__", repr(type_))
    try:
        (schema,), definitions = msgspec.json.schema_components([type_], ref_template="{name}")
    except TypeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TypeError(f"{name} is no form: {reason}") from error
    root = definitions.get(schema.get("$ref", ""), schema)
    if root.get("type") != "object" or "properties" not in root:
        raise TypeError(
            f"{name} is no form: a form is a Struct, a dataclass or a TypedDict with named fields"
        )
    properties = {
        field: _primitive(part, definitions, f"{name}.{field}")
        for field, part in root["properties"].items()
    }
    flat: dict[str, Any] = {"type": "object", "properties": properties}
    required = [field for field in root.get("required", ()) if field in properties]
    if required:
        flat["required"] = required
    return Form(flat, type_, name)


def _primitive(
    schema: dict[str, Any], definitions: Mapping[str, Any], place: str
) -> dict[str, Any]:
    """One property as MCP allows it; TypeError if it cannot be said that way."""
    schema = dict(definitions.get(schema.get("$ref", ""), schema))
    choices = [part for part in schema.pop("anyOf", ()) if part.get("type") != "null"]
    if len(choices) == 1:  # X | None: a field that may be left out
        schema = {**definitions.get(choices[0].get("$ref", ""), choices[0]), **schema}
        if schema.get("default", ...) is None:
            del schema["default"]
    if "enum" in schema and all(isinstance(value, str) for value in schema["enum"]):
        return {**schema, "type": "string"}
    kind = schema.get("type")
    if kind == "array":
        items = _primitive(schema.get("items", {}), definitions, f"{place}[]")
        if "enum" not in items and "anyOf" not in items and "oneOf" not in items:
            raise TypeError(f"{place}: a list in a form must be a choice of fixed strings")
        schema.pop("uniqueItems", None)
        return {**schema, "items": {name: items[name] for name in items if name != "title"}}
    if kind not in _TYPES:
        raise TypeError(
            f"{place}: a form has strings, numbers, booleans and choices of strings, nothing else"
        )
    if schema.get("format", "date") not in FORMATS:
        del schema["format"]
    return schema


def _check_shape(schema: Mapping[str, Any]) -> None:
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, Mapping):
        raise ValueError("an elicitation's schema must be an object with properties")
    for name, part in properties.items():
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind not in (*_TYPES, "array"):
            raise ValueError(
                f"property {name!r} of the elicitation's schema: no client can ask for type "
                f"{kind!r}; use one of {', '.join(_TYPES)}, or an array of choices"
            )


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: part["default"] for name, part in schema["properties"].items() if "default" in part
    }
