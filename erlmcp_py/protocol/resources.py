"""resources/list, resources/templates/list and resources/read."""

from __future__ import annotations

import msgspec

from erlmcp_py.protocol.content import Annotations, Icon, ResourceContents
from erlmcp_py.protocol.wire import (
    CacheableResult,
    InputResponseParams,
    Json,
    PaginatedResult,
    Wire,
)


class Resource(Wire, frozen=True):
    """A resource as `resources/list` shows it; `size` in bytes, before any encoding."""

    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    icons: list[Icon] | None = None
    annotations: Annotations | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ResourceTemplate(Wire, frozen=True):
    """A family of resources; `uri_template` follows RFC 6570."""

    uri_template: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    icons: list[Icon] | None = None
    annotations: Annotations | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ListResourcesResult(PaginatedResult, frozen=True):
    """The answer to `resources/list`."""

    resources: list[Resource]


class ListResourceTemplatesResult(PaginatedResult, frozen=True):
    """The answer to `resources/templates/list`."""

    resource_templates: list[ResourceTemplate]


class ReadResourceParams(InputResponseParams, frozen=True):
    """The parameters of `resources/read`."""

    uri: str


class ReadResourceResult(CacheableResult, frozen=True):
    """The answer to `resources/read`: a resource can have several contents, never none."""

    contents: list[ResourceContents]
