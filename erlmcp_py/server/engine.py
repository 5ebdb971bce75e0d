"""The engine that validates, `jsonschema_rs`, and its complaints in words.

Imported when the first value is checked, because it is large (see `plain`).

No schema may reach the network (MCP 2026-07-28: implementations MUST NOT dereference network
`$ref`s): the retriever refuses every address, so such a schema fails when it is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema_rs

from erlmcp_py.server.validation import REPORTED_ERRORS, shorten, with_suggestion


def compiled(schema: Mapping[str, Any]) -> Any:
    """The engine's validator. ValueError says why the schema is none."""
    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), retriever=_refuse_reference)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = getattr(error, "message", None) or str(error).partition("\n")[0]
        raise ValueError(reason) from error


def first_error(compiled: Any, instance: Any, known: Iterable[str]) -> str | None:
    """As `Validator.first_error`."""
    try:
        compiled.validate(instance)
    except jsonschema_rs.ValidationError as error:
        return _describe(error, known)
    except ValueError as error:
        return shorten(str(error))
    return None


def all_errors(compiled: Any, instance: Any, known: Iterable[str]) -> str:
    """As `Validator.all_errors`."""
    errors = sorted(
        (_sortable(error.instance_path), _describe(error, known))
        for error in compiled.iter_errors(instance)
    )
    texts = [text for _, text in errors[:REPORTED_ERRORS]]
    if len(errors) > len(texts):
        texts.append(f"and {len(errors) - len(texts)} more")
    return "; ".join(texts)


def _sortable(path: list[str | int]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in path]


def _describe(error: Any, known: Iterable[str]) -> str:
    path = _path(error.instance_path)
    prefix = f"{path}: " if path else ""
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return shorten(f"{prefix}missing required {_noun(path)} {kind.property!r}")
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        near = () if path else known
        names = [with_suggestion(name, near) for name in kind.unexpected[:REPORTED_ERRORS]]
        return shorten(f"{prefix}unknown {_noun(path)} {', '.join(names)}")
    return shorten(f"{prefix}{error.message}")


def _noun(path: str) -> str:
    return "property" if path else "argument"


def _path(parts: list[str | int]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _refuse_reference(uri: str) -> Any:
    raise ValueError(f"references are resolved within the schema only, not from {uri}")
