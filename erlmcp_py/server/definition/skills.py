"""`Server.skills`: the skills of a directory among the resources of a server."""

from __future__ import annotations

from collections.abc import Collection
from inspect import Signature
from pathlib import Path

from erlmcp_py.protocol.resources import Resource
from erlmcp_py.protocol.shape import NOT_CACHED, CacheHint
from erlmcp_py.server.definition.definitions import Definitions
from erlmcp_py.server.definition.entries import ListingDef
from erlmcp_py.server.lifespan import Lifespan
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.skills.directory import RECHECK, SkillDirectory
from erlmcp_py.subscriptions import Change

TIMEOUT = 30.0
"""Seconds for a look at the disk."""


class Skills(Definitions):
    """The part of a `Server` that serves skills. skill_directories: where they are."""

    def __init__(self, lifespan: Lifespan | None) -> None:
        super().__init__(lifespan)
        self.skill_directories: tuple[SkillDirectory, ...] = ()

    def skills(
        self,
        directory: str | Path,
        *,
        dynamic: Collection[str] = (),
        cache: CacheHint = NOT_CACHED,
        recheck: float = RECHECK,
    ) -> None:
        """Serve the skills below a directory: every directory in it that has a ``SKILL.md``.

        What has changed on the disk is noticed when a client asks, at most once in `recheck` seconds.
        dynamic: names of skills whose files change too often to be told with digests. cache: how
        long clients may keep them. OSError or ValueError if the directory, or a skill, is none.
        """
        served = SkillDirectory(
            Path(directory),
            dynamic=dynamic,
            cache=cache,
            recheck=recheck,
            changed=lambda: self.announce(Change("resources")),
        )
        key = f"skills in {served.root}"
        known = {uri for other in self.skill_directories for uri in other.look().skills}
        listing = _list_skills(served, known)
        if self.is_mounted:
            raise ValueError(f"{self!r} is mounted in another server; serve the skills there")
        self.skill_directories = (*self.skill_directories, served)
        self._enter("listings", key, listing)


def _list_skills(directory: SkillDirectory, known: Collection[str]) -> ListingDef:
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
