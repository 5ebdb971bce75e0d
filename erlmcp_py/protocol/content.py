"""Content blocks: what tools return and prompts are made of.

`ContentBlock` is a union tagged by `type`. The contents of resources are the one union of MCP without
a tag; `ResourceContents` stands for both kinds, and exactly one of `text` and `blob` is there.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from erlmcp_py.protocol.wire import Json, Wire

Role = Literal["user", "assistant"]


class Annotations(Wire, frozen=True):
    """Hints on how to use a piece of content.

    `audience`: for whom; `priority`: 0 (optional) to 1 (required); `last_modified`: ISO 8601.
    """

    audience: list[Role] | None = None
    priority: float | None = None
    last_modified: str | None = None


class Icon(Wire, frozen=True):
    """A picture for user interfaces: `src` an https: or data: URI, `sizes` like "48x48" or "any"."""

    src: str
    mime_type: str | None = None
    sizes: list[str] | None = None
    theme: Literal["light", "dark"] | None = None


class ResourceContents(Wire, frozen=True):
    """The contents of one resource: `text` as it is, or `blob` in base64."""

    uri: str
    mime_type: str | None = None
    text: str | None = None
    blob: str | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)

    def __post_init__(self) -> None:
        if (self.text is None) == (self.blob is None):
            raise ValueError("resource contents have either `text` or `blob`")


class TextResourceContents(ResourceContents, frozen=True, kw_only=True):
    """The contents of a text resource."""

    text: str


class BlobResourceContents(ResourceContents, frozen=True, kw_only=True):
    """The contents of a binary resource; `blob` is base64."""

    blob: str


class TextContent(Wire, frozen=True, tag_field="type", tag="text"):
    """Text for the model or the user."""

    text: str
    annotations: Annotations | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ImageContent(Wire, frozen=True, tag_field="type", tag="image"):
    """A picture; `data` is base64."""

    data: str
    mime_type: str
    annotations: Annotations | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class AudioContent(Wire, frozen=True, tag_field="type", tag="audio"):
    """Sound; `data` is base64. Since 2025-03-26."""

    data: str
    mime_type: str
    annotations: Annotations | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class ResourceLink(Wire, frozen=True, tag_field="type", tag="resource_link"):
    """A resource the client may read; it need not be listed. Since 2025-06-18."""

    uri: str
    name: str
    title: str | None = None
    description: str | None = None
    mime_type: str | None = None
    size: int | None = None
    icons: list[Icon] | None = None
    annotations: Annotations | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


class EmbeddedResource(Wire, frozen=True, tag_field="type", tag="resource"):
    """A resource with its contents."""

    resource: ResourceContents
    annotations: Annotations | None = None
    meta: Json | None = msgspec.field(name="_meta", default=None)


ContentBlock = TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource
