"""Schemas that their author wrote, instead of having them made of type hints.

They are kept to the last keyword: what `tools/list` shows is what was written, and what calls are
checked against is the same. The handler's parameters are then compared with the schema, so that a
call that matches the one cannot fail on the other.
"""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import Any, NoReturn

import msgspec

from erlmcp_py.server.schema import Arguments, Output, keyword_type, plain_default
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.validation import compile_schema


def given_arguments(schema: object, handler: Handler) -> Arguments:
    """The `Arguments` of a handler with an `input_schema`.

    The handler takes the schema's properties as parameters, or all that it does not name as
    ``**arguments``. TypeError or ValueError names file:line and what does not fit.
    """
    kept = _kept(schema, "input_schema", handler)
    if kept.get("type") != "object":
        raise ValueError(f'{handler.where}: an input_schema must have "type": "object"')
    validator = compile_schema(kept, handler.where)
    _check_parameters(kept, handler)
    type_ = keyword_type(handler)
    return Arguments(kept, validator, msgspec.json.Decoder(type_), type_, handler.others)


def given_output(schema: object, handler: Handler) -> Output:
    """The `Output` of a handler with an `output_schema`, which may describe any JSON value."""
    kept = _kept(schema, "output_schema", handler)
    legacy = kept if kept.get("type") == "object" else None
    return Output(kept, legacy, compile_schema(kept, handler.where))


def _kept(schema: object, what: str, handler: Handler) -> dict[str, Any]:
    if not isinstance(schema, dict):
        raise TypeError(f"{handler.where}: {what} must be a JSON Schema as a dict, not {schema!r}")
    try:
        msgspec.json.encode(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{handler.where}: {what} has no JSON form: {error}") from None
    return deepcopy(schema)


def _check_parameters(schema: dict[str, Any], handler: Handler) -> None:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    named = {parameter.name for parameter in handler.parameters}
    for parameter in handler.parameters:
        name = parameter.name
        if name not in properties:
            _refuse(handler, f"parameter {name!r} is no property of the input_schema")
        if parameter.required and name not in required:
            _refuse(
                handler,
                f"parameter {name!r} has no default, but the input_schema does not require it",
            )
        if parameter.default is not inspect.Parameter.empty:
            plain_default(parameter, f"{handler.where}: parameter {name!r}")
    if handler.context_name in properties:
        _refuse(
            handler,
            f"the property {handler.context_name!r} has the name of the Context; rename that",
        )
    missing = [name for name in properties if name not in named]
    if missing and not handler.others:
        _refuse(
            handler,
            f"no parameter takes the property {missing[0]!r} of the input_schema; "
            "write one, or **arguments: Any",
        )


def _refuse(handler: Handler, problem: str) -> NoReturn:
    raise TypeError(f"{handler.where}: {problem}")
