"""The published schemas of every revision, as validators of single definitions."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

DATA = Path(__file__).parents[2] / "data" / "mcp"


@cache
def schema_of(version: str) -> dict[str, Any]:
    return json.loads((DATA / version / "schema.json").read_text())


def definitions_of(version: str) -> dict[str, Any]:
    schema = schema_of(version)
    return schema.get("$defs") or schema["definitions"]


@cache
def _validator(version: str, definition: str) -> Any:
    schema = schema_of(version)
    keyword = "$defs" if "$defs" in schema else "definitions"
    assert definition in schema[keyword], f"{version} defines no {definition}"
    return jsonschema_rs.validator_for({**schema, "$ref": f"#/{keyword}/{definition}"})


@pytest.fixture(scope="session")
def validate() -> Callable[[str, str, bytes], Any]:
    """`validate(version, definition, json)` returns the parsed value or fails with every mismatch."""

    def check(version: str, definition: str, encoded: bytes) -> Any:
        value = json.loads(encoded)
        errors = [
            f"{'/'.join(map(str, error.instance_path))}: {error.message}"
            for error in _validator(version, definition).iter_errors(value)
        ]
        assert not errors, f"{definition} of {version}: {errors}\n{encoded.decode()}"
        return value

    return check


@pytest.fixture(scope="session")
def definitions() -> Callable[[str], dict[str, Any]]:
    """`definitions(version)`: every definition of that revision's schema, by name."""
    return definitions_of
