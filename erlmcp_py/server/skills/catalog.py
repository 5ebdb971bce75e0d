"""What a directory of skills holds at one moment, ready to be served: immutable."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from erlmcp_py.protocol.extensions.skills import (
    DIRECTORY_TYPE,
    MAX_RESOURCES,
    MAX_TOTAL_SIZE,
    Skill,
    SkillResource,
)
from erlmcp_py.protocol.resources import Resource
from erlmcp_py.server.skills.errors import BadSkill
from erlmcp_py.server.skills.files import Found, Parts

MANIFEST: Final = "SKILL.md"
_MARKDOWN: Final = frozenset({".md", ".markdown"})

Digests = dict[Parts, tuple[tuple[int, ...], str]]
"""Digests that are known, each good as long as the stamp beside it."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """skills: entries, by the URI of their `SKILL.md`. manifests: these files as resources. files: what
    may be read, by URI. directories: their children, by URI. problems: one line for each directory
    that wants to be a skill and cannot.
    """

    skills: Mapping[str, Skill] = field(default_factory=dict)
    manifests: tuple[Resource, ...] = ()
    files: Mapping[str, Parts] = field(default_factory=dict)
    directories: Mapping[str, tuple[Resource, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def make_catalog(
    found: Iterable[Found | Parts],
    read: Callable[[Parts], bytes],
    digests: Digests,
    dynamic: Collection[str],
) -> Catalog:
    """The catalog of what was found.

    read: gives the contents of a file, or raises OSError. digests: those known from earlier; the new
    ones are added. dynamic: names of skills whose files change too often for digests.
    """
    files: dict[Parts, Found] = {}
    directories: list[Parts] = []
    for item in found:
        if isinstance(item, Found):
            files[item.parts] = item
        else:
            directories.append(item)
    skills: dict[str, Skill] = {}
    manifests: list[Resource] = []
    problems: list[str] = []
    served: list[Parts] = []
    for parts in sorted(parts for parts in files if parts[-1] == MANIFEST):
        home = parts[:-1]
        own = [files[path] for path in files if path[: len(home)] == home]
        try:
            skill = _skill(home, own, read, digests, home[-1:] and home[-1] in dynamic)
        except (BadSkill, OSError) as problem:
            problems.append(f"{'/'.join(home) or '.'}: {problem}")
            continue
        skills[skill.uri] = skill
        served.append(home)
        name, description = skill.frontmatter["name"], skill.frontmatter["description"]
        manifests.append(
            Resource(
                uri=skill.uri,
                name=name,
                description=description,
                mime_type="text/markdown",
                size=files[parts].size,
            )
        )
    return Catalog(
        skills,
        tuple(manifests),
        {uri_of(path): path for path in files if _within(path, served)},
        _children(files, directories, served),
        tuple(problems),
    )


def uri_of(parts: Parts) -> str:
    """The URI of a file or directory."""
    return "skill://" + "/".join(quote(part, safe="!$&'()*+,;=:@~") for part in parts)


def type_of(name: str) -> str | None:
    """The media type that a file's name tells; None if it tells none."""
    if any(name.lower().endswith(suffix) for suffix in _MARKDOWN):
        return "text/markdown"
    return mimetypes.guess_type(name)[0]


def _skill(
    home: Parts,
    own: list[Found],
    read: Callable[[Parts], bytes],
    digests: Digests,
    is_dynamic: object,
) -> Skill:
    # Here, because servers without skills need not load a parser of YAML.
    from erlmcp_py.server.skills.frontmatter import read_frontmatter

    if not home:
        raise BadSkill("a skill lies in a directory of its name, not in the root")
    if len(own) > MAX_RESOURCES:
        raise BadSkill(f"it has {len(own)} files; {MAX_RESOURCES} can be served")
    total = sum(file.size for file in own)
    if total > MAX_TOTAL_SIZE:
        raise BadSkill(f"its files have {total} bytes; {MAX_TOTAL_SIZE} can be served")
    manifest = (*home, MANIFEST)
    try:
        text = read(manifest).decode()
    except UnicodeDecodeError:
        raise BadSkill("SKILL.md is not in UTF-8") from None
    frontmatter = read_frontmatter(text, home[-1])
    if is_dynamic:
        return Skill(uri_of(manifest), frontmatter, "dynamic")
    resources = [
        SkillResource(uri_of(file.parts), _digest(file, read, digests), file.size) for file in own
    ]
    return Skill(uri_of(manifest), frontmatter, resources)


def _digest(file: Found, read: Callable[[Parts], bytes], digests: Digests) -> str:
    known = digests.get(file.parts)
    if known is not None and known[0] == file.stamp:
        return known[1]
    data = read(file.parts)
    if len(data) != file.size:
        raise OSError(f"{'/'.join(file.parts)} was changed while it was read")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    digests[file.parts] = (file.stamp, digest)
    return digest


def _children(
    files: Mapping[Parts, Found], directories: Iterable[Parts], served: Collection[Parts]
) -> dict[str, tuple[Resource, ...]]:
    """Every directory that is a skill's, or within one, with all of its children."""
    children: dict[Parts, list[Resource]] = {home: [] for home in served}
    for path in directories:
        if _within(path, served):
            children.setdefault(path, [])
    for path in children:
        if path[:-1] in children:
            directory = Resource(uri=uri_of(path), name=path[-1], mime_type=DIRECTORY_TYPE)
            children[path[:-1]].append(directory)
    for path, file in files.items():
        if path[:-1] in children:
            children[path[:-1]].append(
                Resource(
                    uri=uri_of(path), name=path[-1], mime_type=type_of(path[-1]), size=file.size
                )
            )
    return {
        uri_of(path): tuple(sorted(inside, key=lambda resource: resource.uri))
        for path, inside in children.items()
    }


def _within(path: Parts, homes: Collection[Parts]) -> bool:
    return any(path[:length] in homes for length in range(1, len(path) + 1))
