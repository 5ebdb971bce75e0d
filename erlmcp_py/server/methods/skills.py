"""`skills/list`, `skills/get` and `resources/directory/read`, and reading the files of skills.

The disk is looked at in threads. What a client names is looked up among what was found there, never put
together to a path.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Signature
from typing import Any

from erlmcp_py.protocol.content import ResourceContents, TextResourceContents
from erlmcp_py.protocol.errors import method_not_found, refused
from erlmcp_py.protocol.extensions.skills import (
    GetSkillParams,
    GetSkillResult,
    ListSkillsResult,
    ReadDirectoryParams,
    ReadDirectoryResult,
)
from erlmcp_py.protocol.jsonrpc import Request, params_as
from erlmcp_py.protocol.refusals import RESOURCE_NOT_FOUND
from erlmcp_py.protocol.shape import CacheHint
from erlmcp_py.protocol.wire import Result
from erlmcp_py.server.caching import with_hint
from erlmcp_py.server.call import Call
from erlmcp_py.server.errors import ResourceNotFound
from erlmcp_py.server.host import Host
from erlmcp_py.server.methods.listing import cursor_to, place_of
from erlmcp_py.server.methods.table import Methods
from erlmcp_py.server.pagination import cut
from erlmcp_py.server.results import resource_result
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.signature import Handler
from erlmcp_py.server.skills.catalog import Catalog, type_of
from erlmcp_py.server.skills.directory import SkillDirectory
from supervisors import WarningReport, current_runtime
from supervisors import self as own_pid

TIMEOUT = 30.0
"""Seconds for a look at the disk."""

Directories = tuple[SkillDirectory, ...]


def _list(host: Host, request: Request, _scope: Scope) -> Call:
    directories = _directories(host, request)
    place = place_of(host, request, "skills")

    def finish(catalogs: list[Catalog]) -> Result:
        skills = {uri: skill for found in catalogs for uri, skill in found.skills.items()}
        _report(directories)
        items, then = cut(list(skills.values()), place.seen, host.server.page_size)
        cursor = cursor_to(host, "skills", then)
        result = ListSkillsResult(skills=items, next_cursor=cursor)
        return with_hint(result, min((d.cache for d in directories), key=_patience))

    return _call(request.method, lambda: [directory.look() for directory in directories], finish)


def _get(host: Host, request: Request, _scope: Scope) -> Call:
    directories = _directories(host, request)
    uri = params_as(request, GetSkillParams).uri

    def find() -> tuple[Any, CacheHint]:
        for directory in directories:
            skill = directory.look().skills.get(uri)
            if skill is not None:
                return skill, directory.cache
        text = f"No skill is served at {uri}"
        raise refused(RESOURCE_NOT_FOUND, text, data={"uri": uri})

    return _call(
        request.method, find, lambda found: with_hint(GetSkillResult(skill=found[0]), found[1])
    )


def _read_directory(host: Host, request: Request, _scope: Scope) -> Call:
    directories = _directories(host, request)
    uri = params_as(request, ReadDirectoryParams).uri
    what = f"directory {uri}"
    place = place_of(host, request, what)

    def find() -> Any:
        for directory in directories:
            children = directory.look().directories.get(uri)
            if children is not None:
                return children
        text = f"{uri} is no directory that is served"
        raise refused(RESOURCE_NOT_FOUND, text, data={"uri": uri})

    def finish(children: Any) -> Result:
        items, then = cut(children, place.seen, host.server.page_size)
        cursor = cursor_to(host, what, then)
        return ReadDirectoryResult(resources=items, next_cursor=cursor)

    return _call(request.method, find, finish)


def skill_call(host: Host, uri: str, cache: CacheHint | None) -> Call | None:
    """The call that reads a file of a skill; None if this can be none."""
    directories = host.server.skill_directories
    if not directories or not uri.startswith("skill://"):
        return None

    def read() -> tuple[Any, CacheHint]:
        for directory in directories:
            parts = directory.look().files.get(uri)
            if parts is not None:
                try:
                    data = directory.read(parts)
                except OSError:
                    break
                return _contents(uri, parts[-1], data), directory.cache
        raise ResourceNotFound(f"No file is served at {uri}")

    def finish(found: tuple[Any, CacheHint]) -> Result:
        return resource_result(found[0], uri, type_of(uri), cache or found[1])

    return _call("resources/read", read, finish, uri=uri)


def _contents(uri: str, name: str, data: bytes) -> ResourceContents | bytes:
    """Text as text: what is UTF-8 without zeros."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    if "\0" in text:
        return data
    return TextResourceContents(uri=uri, mime_type=type_of(name) or "text/plain", text=text)


def _report(directories: Directories) -> None:
    """Tell the operator what is not served that was meant to be; it is no matter for clients."""
    for directory in directories:
        for problem in directory.news():
            text = f"a skill in {directory.root} is not served: {problem}"
            current_runtime().reports.emit(WarningReport(pid=own_pid(), text=text))


def _patience(cache: CacheHint) -> tuple[int, bool]:
    """Of several hints the one that promises least."""
    return cache.ttl_ms, cache.scope == "public"


def _directories(host: Host, request: Request) -> Directories:
    if not host.server.skill_directories:
        raise method_not_found(request.method)
    return host.server.skill_directories


def _call(
    name: str, look: Callable[[], Any], finish: Callable[[Any], Result], uri: str | None = None
) -> Call:
    handler = Handler(
        function=look,
        mode="thread",
        timeout=TIMEOUT,
        where=f"{__name__}:{name}",
        parameters=(),
        context_name=None,
        returns=Signature.empty,
        description="",
    )
    return Call("skill" if uri is None else "resource", name, handler, {}, finish, uri=uri)


METHODS: Methods = {
    "modern": {
        "skills/list": _list,
        "skills/get": _get,
        "resources/directory/read": _read_directory,
    },
    "legacy": {},
}
