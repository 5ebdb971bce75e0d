"""Skills: instructions for agents that a server offers as files (extension of 2026-07-28, SEP-2640).

Nothing is read before somebody asks for it, and what is read is compared with what the entry promised
before it is handed on: a host shows entries to people and models, and what they agreed to is what they get.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from erlmcp_py.client.errors import BadAnswer, SkillMismatch
from erlmcp_py.client.pages import Pages
from erlmcp_py.protocol.content import ResourceContents
from erlmcp_py.protocol.extensions.skills import (
    MAX_RESOURCES,
    MAX_TOTAL_SIZE,
    Skill,
    SkillResource,
)
from erlmcp_py.protocol.resources import Resource

Fetch = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""The result of a method with these parameters, from the cache if it is there."""


class Skills:
    """``client.skills``."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def pages(self) -> Pages[Skill]:
        """What the server lists, perhaps not all it has."""
        return Pages(self._page, "skills/list")

    async def list(self) -> list[Skill]:
        """The whole list."""
        return await self.pages().all()

    async def get(self, uri: str) -> Skill:
        """The entry of one skill, by the URI of its `SKILL.md`. Raises McpError -32602: unknown."""
        found: Skill = (await self._fetch("skills/get", {"uri": uri})).skill
        if found.uri != uri:
            raise SkillMismatch(f"{uri}: the server answered with the entry of {found.uri}")
        return found

    async def read(self, skill: Skill, uri: str | None = None) -> bytes:
        """A file of a skill, its `SKILL.md` if no URI is given, checked against the entry.

        Raises SkillMismatch, ValueError for a file that the entry does not have.
        """
        uri = skill.uri if uri is None else uri
        promised = _promised(skill, uri)
        contents = (await self._fetch("resources/read", {"uri": uri})).contents
        data = _bytes_of(contents, uri)
        if promised is not None:
            _check(data, promised)
        if uri == skill.uri:
            _check_frontmatter(data, skill)
        return data

    async def directory(self, uri: str) -> Sequence[Resource]:
        """The children of a directory, where the server declares `directoryRead`."""

        async def page(cursor: str | None) -> tuple[Any, str | None]:
            params = {"uri": uri} if cursor is None else {"uri": uri, "cursor": cursor}
            result = await self._fetch("resources/directory/read", params)
            return result.resources, result.next_cursor

        found: Pages[Resource] = Pages(page, "resources/directory/read")
        return await found.all()

    async def _page(self, cursor: str | None) -> tuple[Any, str | None]:
        result = await self._fetch("skills/list", {} if cursor is None else {"cursor": cursor})
        return result.skills, result.next_cursor


def _promised(skill: Skill, uri: str) -> SkillResource | None:
    if skill.resources == "dynamic":
        return None
    files = skill.resources
    if len(files) > MAX_RESOURCES or sum(file.size for file in files) > MAX_TOTAL_SIZE:
        limits = f"{MAX_RESOURCES} files and {MAX_TOTAL_SIZE} bytes"
        raise SkillMismatch(f"{skill.uri} has more than the {limits} a skill may have")
    found = next((file for file in files if file.uri == uri), None)
    if found is None:
        raise ValueError(f"{uri} is no file of {skill.uri}")
    return found


def _bytes_of(contents: list[ResourceContents], uri: str) -> bytes:
    found = [one for one in contents if one.uri == uri]
    if len(found) != 1:
        raise BadAnswer(f"{uri}: the server sent {len(found)} contents with this URI, not one")
    if found[0].text is not None:
        return found[0].text.encode()
    try:
        return b64decode(found[0].blob or "", validate=True)
    except binascii.Error as problem:
        raise BadAnswer(f"{uri}: the content is no base64: {problem}") from None


def _check(data: bytes, promised: SkillResource) -> None:
    if len(data) != promised.size:
        text = f"{promised.uri} has {len(data)} bytes where its entry says {promised.size}"
        raise SkillMismatch(text)
    digest = f"sha256:{sha256(data).hexdigest()}"
    if digest != promised.digest:
        text = f"{promised.uri} has the digest {digest} where its entry says {promised.digest}"
        raise SkillMismatch(text)


def _check_frontmatter(data: bytes, skill: Skill) -> None:
    from erlmcp_py.server.skills.errors import BadSkill
    from erlmcp_py.server.skills.frontmatter import read_frontmatter

    directory = skill.uri.rstrip("/").rsplit("/", 2)[-2].rpartition(":")[2]
    try:
        found = read_frontmatter(data.decode(), directory)
    except (BadSkill, UnicodeDecodeError) as problem:
        raise SkillMismatch(f"{skill.uri}: {problem}") from None
    if found != skill.frontmatter:
        names = sorted({*found, *skill.frontmatter})
        differ = [n for n in names if found.get(n) != skill.frontmatter.get(n)]
        text = f"the frontmatter differs from its entry in {', '.join(differ)}"
        raise SkillMismatch(f"{skill.uri}: {text}")
