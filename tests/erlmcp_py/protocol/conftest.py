"""The published schemas of every revision, as validators of single definitions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests import schema_gate


@pytest.fixture(scope="session")
def validate() -> Callable[[str, str, bytes], Any]:
    """`validate(version, definition, json)` returns the parsed value or fails with every mismatch."""

    def check(version: str, definition: str, encoded: bytes) -> Any:
        value = json.loads(encoded)
        schema_gate.check(version, definition, value)
        return value

    return check


@pytest.fixture(scope="session")
def definitions() -> Callable[[str], dict[str, Any]]:
    """`definitions(version)`: every definition of that revision's schema, by name."""
    return schema_gate.definitions_of
