"""The skills of a directory among the resources of a server."""

from __future__ import annotations

from collections.abc import Collection
from inspect import Signature

from erlmcp_py.protocol.resources import Resource
from erlmcp_py.server.definition.entries import ListingDef
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.skills.directory import SkillDirectory

TIMEOUT = 30.0
"""Seconds for a look at the disk."""


def list_skills(directory: SkillDirectory, known: Collection[str]) -> ListingDef:
    """The entry that lists its `SKILL.md` files. known: URIs of skills from other directories.

    ValueError names the directory, and what keeps one in it from being a skill.
    """
    catalog = directory.look()
    if catalog.problems:
        raise ValueError(f"{directory.root}: {'; '.join(catalog.problems)}")
    twice = sorted(known & catalog.skills.keys())
    if twice:
        raise ValueError(f"{directory.root}: {twice[0]} is served from another directory already")

    def manifests(seen: int, last: str | None, size: int) -> list[Resource]:  # noqa: ARG001
        return list(directory.look().manifests[seen : seen + size])

    return ListingDef(
        Handler(
            function=manifests,
            mode="thread",
            timeout=TIMEOUT,
            where=str(directory.root),
            parameters=(),
            context_name=None,
            returns=Signature.empty,
            description="",
        )
    )
