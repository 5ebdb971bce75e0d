"""Servers of others: `[upstreams.NAME]`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from erlmcp_py.config.values import (
    PREFIX_PATTERN,
    TOOL_PATTERN,
    Pattern,
    Seconds,
    Section,
    Share,
)

ALL: Final = "all"
"""The name under which all upstreams are served together."""


class EnvReference(Section, frozen=True, kw_only=True):
    """`{ env = "VAR" }`: the value of a variable of the node's own environment."""

    env: str


class BreakerConfig(Section, frozen=True, kw_only=True):
    """`[upstreams.NAME.breaker]`: when an upstream that does not answer is left alone."""

    failure_threshold: Annotated[int, Meta(ge=1, le=10_000)] = 5
    """Requests without an answer in a row that open it."""
    failure_rate: Share = 0.5
    """Share of the last `window` requests without an answer that opens it."""
    window: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Requests of which the share is taken."""
    timeout: Seconds = 60.0
    """Seconds after which it is tried again; one that was started anew is at once."""
    success_threshold: Annotated[int, Meta(ge=1, le=10_000)] = 2
    """Answers that then close it; as many requests are let through at once."""


class AuthConfig(Section, frozen=True, kw_only=True):
    """`[upstreams.NAME.auth]`: how the node comes by tokens for a `url`."""

    grant: Literal["client_credentials", "workload", "stored"]
    """The node's own credentials, a JWT of its platform, or what a person has obtained before."""
    client_id: str = ""
    """Who the node is at the authorization server."""
    client_secret: str | EnvReference = ""
    """Proves it; or `key` does."""
    key: str = ""
    """File with a private key in PEM form (private_key_jwt)."""
    key_id: str = ""
    """What the authorization server calls that key."""
    algorithm: Literal["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"] = "ES256"
    """What is signed with it."""
    issuer: str = ""
    """The only authorization server that may see these credentials; empty: the first that is met."""
    assertion: str = ""
    """File with the platform's JWT, read anew each time."""
    store: str = ""
    """Directory for tokens; empty: in memory, and with "stored" where `erlmcp-node client` keeps them."""
    dpop: bool = False
    """Bind tokens to a key even where nobody demands it."""


class UpstreamConfig(Section, frozen=True, kw_only=True):
    """`[upstreams.NAME]`: an MCP server of somebody else, served at /mcp/NAME: a program (`command`) or
    an address (`url`).
    """

    command: tuple[str, ...] | str = ()
    """The program, with or without arguments; its standard input and output speak MCP."""
    args: tuple[str, ...] = ()
    """Further arguments."""
    env: dict[str, str | EnvReference] = msgspec.field(default_factory=dict)
    """Variables over the node's own."""
    cwd: str = ""
    """Where the program runs; empty: where the node does."""
    url: str = ""
    """An endpoint over HTTP instead of a program."""
    headers: dict[str, str | EnvReference] = msgspec.field(default_factory=dict)
    """Sent there with every request."""
    auth: AuthConfig | None = None
    """How tokens for it are obtained; without it, none are."""
    timeout: Seconds = 30.0
    """Seconds without an answer or progress after which a request is given up."""
    ping_interval: Seconds = 15.0
    """Seconds between two looks whether it still answers."""
    ping_timeout: Seconds = 10.0
    """Seconds without an answer to a ping after which it is restarted."""
    memory_limit: Annotated[int, Meta(ge=1 << 20)] | Literal["off"] = "off"
    """Bytes its processes may have resident together; with more it is restarted."""
    restarts: Annotated[int, Meta(ge=0, le=1000)] = 3
    """More failures than this within `period` and it is down: callers are told at once."""
    period: Seconds = 60.0
    """Seconds in which failures are counted."""
    pool: Annotated[int, Meta(ge=1, le=256)] = 1
    """Instances of it; a request goes to the least busy one, a session stays with one."""
    concurrency: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    """Requests at work at once at each instance."""
    queue: Annotated[int, Meta(ge=0, le=1_000_000)] = 1000
    """Further requests that wait for their turn; one more is refused."""
    idle_timeout: Seconds | Literal["off"] = "off"
    """Seconds without a request after which it is stopped; the next one starts it again."""
    on_demand: bool = False
    """Whether its first request starts it, and not the start of the node."""
    allow: tuple[Pattern, ...] = ()
    """Patterns of the tools that are shown, such as "read_*"; none: all are."""
    deny: tuple[Pattern, ...] = ()
    """Patterns of tools that are not, whatever `allow` says."""
    rename: dict[str, Annotated[str, Meta(pattern=TOOL_PATTERN)]] = msgspec.field(
        default_factory=dict
    )
    """What tools and prompts are called instead, by the names that the upstream has for them."""
    prefix: Annotated[str, Meta(pattern=PREFIX_PATTERN)] | None = None
    """What names at /mcp begin with, and "_"; empty: with nothing; as it is: with that of the upstream."""
    breaker: BreakerConfig | Literal["off"] = BreakerConfig()
    """When it is left alone for a while; "off": only if an operator says so."""
