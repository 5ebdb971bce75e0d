"""JSON Schema from type hints, and calls checked against it.

Two engines share the work. msgspec turns hints into JSON Schema 2020-12 and arguments into the
hinted Python types; jsonschema-rs decides whether arguments are valid, because it speaks the whole
of JSON Schema, also what a user adds by hand, and can say everything that is wrong at once. Each
schema is compiled once: at its first use if it can be seen to be valid (`plain`), else at definition.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict, cast, get_args, get_origin

import msgspec

from erlmcp_py.server.signature import Handler, Parameter
from erlmcp_py.server.validation import (
    REPORTED_ERRORS,
    Validator,
    compile_schema,
    shorten,
    with_suggestion,
)

_THOROUGH_BELOW = 4096
"""Arguments of at most this many bytes are told everything that is wrong with them."""
_TEXT_HINTS = (inspect.Signature.empty, None, type(None), str, bytes, list, tuple)
_ANYTHING = (Any, object)
_REF_TEMPLATE = "#/$defs/{name}"


class InvalidArguments(Exception):
    """Arguments that do not match their schema; the text is one line for the caller."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one handler: their schema, their check and their conversion."""

    schema: dict[str, Any]
    """JSON Schema 2020-12 of the arguments object."""
    validator: Validator
    decoder: msgspec.json.Decoder[dict[str, Any]]
    type: Any
    """The TypedDict of the handler's named parameters, which `decoder` decodes to."""
    others: bool = False
    """Whether the handler takes the arguments that it does not name, too, as JSON knows them."""

    def parse(self, data: bytes | msgspec.Raw) -> dict[str, Any]:
        """Keyword arguments for the handler from the JSON object on the wire.

        Only what the caller gave is returned, so that the function's own defaults apply.
        Raises `InvalidArguments`.
        """
        try:
            plain = msgspec.json.decode(data)
            if self.validator.is_valid(plain):
                named = self._convert(plain, data)
                return {**plain, **named} if self.others else named
        except (RecursionError, ValueError) as error:
            raise InvalidArguments(shorten(str(error))) from None
        # Every error costs some 10 microseconds, and a large call can hold a million of them.
        thorough = len(data) <= _THOROUGH_BELOW
        describe = self.validator.all_errors if thorough else self.validator.first_error
        problem = describe(plain, self.schema.get("properties", ()))
        raise InvalidArguments(problem or "the arguments do not match the schema")

    def _convert(self, plain: Any, data: bytes | msgspec.Raw) -> dict[str, Any]:
        try:
            return self.decoder.decode(data)
        except msgspec.ValidationError:
            pass
        # JSON Schema calls 3.0 an integer; only msgspec's lax mode does too.
        try:
            return cast(
                "dict[str, Any]", msgspec.convert(plain, self.type, strict=False, str_keys=True)
            )
        except msgspec.ValidationError as error:
            raise InvalidArguments(str(error)) from None


@dataclass(frozen=True, slots=True)
class TextArguments:
    """Arguments that arrive as strings: those of prompts and the variables of templates."""

    names: tuple[str, ...]
    required: frozenset[str]
    _type: Any

    def parse(self, values: Mapping[str, str | list[str] | dict[str, str]]) -> dict[str, Any]:
        """Keyword arguments in the hinted types ("3" for an `int` is 3). `InvalidArguments`."""
        problems = [
            f"missing required argument {name!r}"
            for name in self.names
            if name in self.required and name not in values
        ]
        unknown = [name for name in values if name not in self.names]
        if unknown:
            names = [with_suggestion(name, self.names) for name in unknown[:REPORTED_ERRORS]]
            problems.append(f"unknown argument {', '.join(names)}")
        if problems:
            raise InvalidArguments(shorten("; ".join(problems)))
        try:
            return cast("dict[str, Any]", msgspec.convert(dict(values), self._type, strict=False))
        except msgspec.ValidationError as error:
            raise InvalidArguments(shorten(str(error).replace("`$.", "`"))) from None


@dataclass(frozen=True, slots=True)
class Output:
    """The structured result of a tool, as its return hint or its author declares it."""

    schema: dict[str, Any]
    """JSON Schema 2020-12 of `structuredContent`."""
    legacy_schema: dict[str, Any] | None
    """The same for revisions up to 2025-11-25, which know only objects: any other value travels as
    ``{"result": value}`` there. None: it does not travel at all."""
    validator: Validator

    @property
    def wrapped(self) -> bool:
        """Whether a legacy client gets ``{"result": value}``."""
        return self.legacy_schema is not None and self.legacy_schema is not self.schema


def arguments_of(handler: Handler) -> Arguments:
    """The `Arguments` of a handler; TypeError names file:line and parameter on a bad hint."""
    schema = _object_schema(handler)
    type_ = keyword_type(handler)
    return Arguments(
        schema, compile_schema(schema, handler.where), msgspec.json.Decoder(type_), type_
    )


def text_arguments_of(handler: Handler, several: Collection[str] = ()) -> TextArguments:
    """The `TextArguments` of a handler; TypeError if a hint cannot be read from a string.

    several: parameters that come as lists or dictionaries of strings.
    """
    for parameter in handler.parameters:
        place = f"{handler.where}: parameter {parameter.name!r}"
        schema, definitions = _schema_of(parameter.hint, place)
        kinds = {
            _resolve(choice, definitions).get("type") for choice in schema.get("anyOf", [schema])
        }
        if kinds <= {"array", "object", "null"} and parameter.name not in several:
            raise TypeError(f"{place}: comes as a string, which {parameter.hint!r} cannot be")
        if not parameter.required:
            plain_default(parameter, place)
    return TextArguments(
        tuple(parameter.name for parameter in handler.parameters),
        frozenset(parameter.name for parameter in handler.parameters if parameter.required),
        keyword_type(handler),
    )


def shapes_of(handler: Handler) -> tuple[frozenset[str], frozenset[str]]:
    """The parameters whose hints are lists, and those whose hints are dictionaries."""
    found: dict[str, set[str]] = {"array": set(), "object": set()}
    for parameter in handler.parameters:
        place = f"{handler.where}: parameter {parameter.name!r}"
        schema, definitions = _schema_of(parameter.hint, place)
        for choice in schema.get("anyOf", [schema]):
            kind = _resolve(choice, definitions).get("type")
            if kind in found:
                found[kind].add(parameter.name)
    return frozenset(found["array"]), frozenset(found["object"])


def keyword_type(handler: Handler) -> Any:
    """A TypedDict of the handler's keyword arguments: decoding to it fills in no defaults."""
    fields = {
        parameter.name: parameter.hint if parameter.required else NotRequired[parameter.hint]
        for parameter in handler.parameters
    }
    return TypedDict("Arguments", fields)  # type: ignore[operator]


def output_of(handler: Handler) -> Output | None:
    """The `Output` a return hint declares; None if results of this hint are only text.

    Text are: no hint, `None`, `str`, `bytes`, `Any`, and lists of `Any`, which may turn out to hold
    content objects. Hints of content objects are the caller's affair.
    """
    hint = handler.returns
    if hint in _TEXT_HINTS or hint in _ANYTHING:
        return None
    if get_origin(hint) in (list, tuple) and any(part in _ANYTHING for part in get_args(hint)):
        return None
    schema, definitions = _schema_of(hint, f"{handler.where}: the return hint")
    root = _resolve(schema, definitions)
    if root.get("type") == "object":
        # Clients look for "type": "object" at the root itself, not behind a $ref.
        schema = _with_definitions(root, _still_used(root, definitions))
        legacy = schema
    else:
        wrap = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
        legacy = _with_definitions(wrap, definitions)
        schema = _with_definitions(schema, definitions)
    return Output(schema, legacy, compile_schema(schema, handler.where))


def _with_definitions(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$defs": definitions} if definitions else dict(schema)


def _object_schema(handler: Handler) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    definitions: dict[str, Any] = {}
    for parameter in handler.parameters:
        place = f"{handler.where}: parameter {parameter.name!r}"
        schema, named = _schema_of(parameter.hint, place)
        for name, definition in named.items():
            if definitions.setdefault(name, definition) != definition:
                raise TypeError(f"{place}: two different types are called {name!r}; rename one")
        if parameter.description and "description" not in schema:
            schema = {**schema, "description": parameter.description}
        if parameter.required:
            required.append(parameter.name)
        else:
            schema = {**schema, "default": plain_default(parameter, place)}
        properties[parameter.name] = schema
    result: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        result["required"] = required
    result["additionalProperties"] = False
    if definitions:
        result["$defs"] = definitions
    return result


def _schema_of(hint: Any, place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(schema, its named definitions) of one hint; TypeError names the place."""
    try:
        (schema,), definitions = msgspec.json.schema_components([hint], ref_template=_REF_TEMPLATE)
        msgspec.json.Decoder(Annotated[hint, msgspec.Meta()])
    except (TypeError, NameError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise TypeError(f"{place}: {reason}; hint: {hint!r}") from error
    return schema, definitions


def plain_default(parameter: Parameter, place: str) -> Any:
    """The default of a parameter as JSON knows it; TypeError if it does not fit the hint."""
    try:
        plain = msgspec.to_builtins(parameter.default, str_keys=True)
        msgspec.convert(plain, parameter.hint, str_keys=True)
    except (TypeError, msgspec.ValidationError) as error:
        raise TypeError(
            f"{place}: the default {parameter.default!r} does not fit the hint: {error}"
        ) from error
    return plain


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    definition: dict[str, Any] = definitions[reference.rpartition("/")[2]]
    return definition


def _still_used(root: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that something refers to once `root` has been copied to the top."""
    text = msgspec.json.encode([root, definitions]).decode()
    return {
        name: definition
        for name, definition in definitions.items()
        if definition is not root or f'"{_REF_TEMPLATE.format(name=name)}"' in text
    }
