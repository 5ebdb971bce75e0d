"""The Skills extension (SEP-2640): instructions for agents, served as resources.

A skill is a directory of files with a `SKILL.md` at its root; every file is a resource, mostly under
`skill://`. `skills/list` and `skills/get` tell what there is, with a digest of every file;
`resources/directory/read` lists a directory, if the server declares `directoryRead`.
"""

from __future__ import annotations

from typing import Final, Literal

from erlmcp_py.protocol.resources import Resource
from erlmcp_py.protocol.wire import (
    CacheableResult,
    Json,
    PaginatedParams,
    PaginatedResult,
    RequestParams,
    Wire,
)

SKILLS: Final = "io.modelcontextprotocol/skills"
DIRECTORY_TYPE: Final = "inode/directory"
"""The media type that marks a directory among resources."""

MAX_RESOURCES: Final = 512
"""Files of one skill that every host has to take."""

MAX_TOTAL_SIZE: Final = 16 * 1024 * 1024
"""Bytes of one skill's files together that every host has to take."""


class SkillsSettings(Wire, frozen=True):
    """What `capabilities.extensions` says about skills."""

    directory_read: bool | None = None


class SkillResource(Wire, frozen=True):
    """A file of a skill: `digest` is "sha256:" and 64 lower-case hexadecimal digits, `size` in bytes,
    both of the file as it is.
    """

    uri: str
    digest: str
    size: int


class Skill(Wire, frozen=True):
    """A skill: the URI of its `SKILL.md`, the whole frontmatter of that file, and all of its files,
    or "dynamic" where no digest can hold.
    """

    uri: str
    frontmatter: Json
    resources: list[SkillResource] | Literal["dynamic"]

    def __post_init__(self) -> None:
        for name in ("name", "description"):
            if not isinstance(self.frontmatter.get(name), str):
                raise ValueError(f"the frontmatter of a skill has a string {name!r}")


class ListSkillsResult(PaginatedResult, frozen=True):
    """The answer to `skills/list`: perhaps not all there are."""

    skills: list[Skill]


class GetSkillParams(RequestParams, frozen=True):
    """The parameters of `skills/get`: the URI of a `SKILL.md`."""

    uri: str


class GetSkillResult(CacheableResult, frozen=True):
    """The answer to `skills/get`."""

    skill: Skill


class ReadDirectoryParams(PaginatedParams, frozen=True):
    """The parameters of `resources/directory/read`; the URI has no slash at its end."""

    uri: str


class ReadDirectoryResult(PaginatedResult, frozen=True):
    """The answer to `resources/directory/read`: the children of one directory."""

    resources: list[Resource]
