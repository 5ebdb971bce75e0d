"""The lists of a server: what they are called in each place, and how much of one is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from erlmcp_py.client import Hello
from erlmcp_py.protocol.extensions.skills import SKILLS

Kind = Literal["tools", "resources", "templates", "prompts", "skills"]
KINDS: Final[tuple[Kind, ...]] = ("tools", "resources", "templates", "prompts", "skills")
METHODS: Final[Mapping[Kind, str]] = {
    "tools": "tools/list",
    "resources": "resources/list",
    "templates": "resources/templates/list",
    "prompts": "prompts/list",
    "skills": "skills/list",
}
MEMBERS: Final[Mapping[Kind, str]] = {
    **{kind: kind for kind in KINDS},
    "templates": "resourceTemplates",
}
MAX_ENTRIES: Final = 10_000
"""Entries of one list that are kept."""
MAX_PAGES: Final = 1000
"""Pages of one list that are asked for."""


def offers(hello: Hello, kind: Kind) -> bool:
    """Whether such an upstream has that list."""
    offered = hello.capabilities
    match kind:
        case "tools":
            return offered.tools is not None
        case "prompts":
            return offered.prompts is not None
        case "skills":
            return hello.era == "modern" and SKILLS in (offered.extensions or {})
    return offered.resources is not None
