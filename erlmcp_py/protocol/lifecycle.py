"""Who is who and who can what: initialize (legacy), server/discover (modern), ping, log level."""

from __future__ import annotations

from typing import Literal

from erlmcp_py.protocol.content import Icon
from erlmcp_py.protocol.tasks import ClientTasksCapability, ServerTasksCapability
from erlmcp_py.protocol.wire import CacheableResult, Json, RequestParams, Result, Wire

LogLevel = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]


class Implementation(Wire, frozen=True):
    """The name and version of a client or server program."""

    name: str
    version: str
    title: str | None = None
    description: str | None = None
    website_url: str | None = None
    icons: list[Icon] | None = None


class ListChanged(Wire, frozen=True):
    """A capability that may announce changes of its list."""

    list_changed: bool | None = None


class ResourcesCapability(Wire, frozen=True):
    """Resources; `subscribe` if single ones can be watched."""

    subscribe: bool | None = None
    list_changed: bool | None = None


class ServerCapabilities(Wire, frozen=True):
    """What a server offers; an absent member means it does not. The plain objects have no defined
    members: `{}` says "yes".
    """

    tools: ListChanged | None = None
    resources: ResourcesCapability | None = None
    prompts: ListChanged | None = None
    completions: Json | None = None
    logging: Json | None = None
    tasks: ServerTasksCapability | None = None
    extensions: dict[str, Json] | None = None
    experimental: dict[str, Json] | None = None


class SamplingCapability(Wire, frozen=True):
    """Sampling, and whether with `context` and `tools`."""

    context: Json | None = None
    tools: Json | None = None


class ElicitationCapability(Wire, frozen=True):
    """Elicitation by `form` and by `url`; neither of them means form."""

    form: Json | None = None
    url: Json | None = None


class RootsCapability(Wire, frozen=True):
    """Roots; `list_changed` only in the legacy era."""

    list_changed: bool | None = None


class ClientCapabilities(Wire, frozen=True):
    """What a client can be asked for."""

    roots: RootsCapability | None = None
    sampling: SamplingCapability | None = None
    elicitation: ElicitationCapability | None = None
    tasks: ClientTasksCapability | None = None
    extensions: dict[str, Json] | None = None
    experimental: dict[str, Json] | None = None


class InitializeParams(RequestParams, frozen=True):
    """The parameters of `initialize`."""

    protocol_version: str
    capabilities: ClientCapabilities
    client_info: Implementation


class InitializeResult(Result, frozen=True):
    """The answer to `initialize`; `protocol_version` as `versions.negotiate_legacy` chose it."""

    protocol_version: str
    capabilities: ServerCapabilities
    server_info: Implementation
    instructions: str | None = None


class DiscoverResult(CacheableResult, frozen=True):
    """The answer to `server/discover`; the server's identity is in `_meta`."""

    supported_versions: list[str]
    capabilities: ServerCapabilities
    instructions: str | None = None


class EmptyResult(Result, frozen=True):
    """The answer to `ping` and `logging/setLevel`."""


class SetLevelParams(RequestParams, frozen=True):
    """The parameters of `logging/setLevel`: the least severe level the client wants."""

    level: LogLevel
