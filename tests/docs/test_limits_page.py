"""The page about limits has the keys and defaults of the configuration."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from erlmcp_py.config import Config
from erlmcp_py.protocol.refusals import TABLE

from .pages import ROOT

TEXT = (ROOT / "docs" / "limits.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)\.(\w+)` \| `?([^|`]+)`? \| (.*) \|$", TEXT, re.MULTILINE)
SECTIONS = ("http", "tcp", "websocket", "stdio", "sessions", "calls")


def test_the_page_is_read() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize(("section", "key", "default", "beyond"), ROWS)
def test_a_row_has_the_default(section: str, key: str, default: str, beyond: str) -> None:
    value: Any = getattr(getattr(Config(), section), key)
    assert json.loads(default) == value
    assert beyond


def test_every_number_that_limits_is_on_the_page() -> None:
    named = {(section, key) for section, key, *_ in ROWS}
    no_limits = {("http", "port"), ("tcp", "port")}
    for section in SECTIONS:
        for field in msgspec.structs.fields(getattr(Config(), section)):
            value = getattr(getattr(Config(), section), field.name)
            if type(value) in (int, float) and (section, field.name) not in no_limits:
                assert (section, field.name) in named, f"{section}.{field.name}"


def test_codes_are_those_of_the_catalogue() -> None:
    said = re.findall(r"\b1[01]\d\d\b", re.sub(r"\b1000 ", "", TEXT))
    assert said
    for code in said:
        assert int(code) in TABLE or code in {row[2] for row in ROWS}, code
