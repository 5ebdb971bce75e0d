"""What several sections of a configuration say: names, counts, times, and what is wrong."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta

Table: TypeAlias = dict[str, Any]
"""Of a TOML file."""

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
TARGET_PATTERN: Final = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
TOOL_PATTERN: Final = r"^[A-Za-z0-9_.-]{1,128}$"
PREFIX_PATTERN: Final = r"^[A-Za-z0-9_.-]{0,64}$"
MEANING: Final = {
    NAME_PATTERN: "up to 64 letters, digits, '-' and '_', the first a letter or digit",
    TARGET_PATTERN: "MODULE:ATTR, such as examples.simple:server",
    TOOL_PATTERN: "1 to 128 letters, digits, '.', '-' and '_'",
    PREFIX_PATTERN: "up to 64 letters, digits, '.', '-' and '_', or empty",
}
"""What a pattern says, for those who do not read patterns."""

Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 30)]
Waiting = Annotated[int, Meta(ge=0, le=1 << 30)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Share = Annotated[float, Meta(gt=0, le=1)]
Pattern = Annotated[str, Meta(min_length=1, max_length=256)]


class ConfigError(Exception):
    """The configuration cannot be used. The message is one line for the operator."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""
