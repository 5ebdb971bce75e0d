"""`Server`: what an MCP server offers, declared with decorators.

A `Server` is a plain object without processes, sockets or loops: a module that defines one can be
imported, inspected and tested on its own. A node makes it live by starting a `ServerProcess` over
it, as many times as crashes demand; so nothing that a crash could damage is kept here.

It may change while it is served, from any thread: what is defined or removed then is announced to
the clients. Its dictionaries are never changed, only replaced, so that whoever reads one is not
disturbed.

    server = Server("calculator", version="1.0")

    @server.tool()
    def add(a: float, b: float) -> float:
        "Add two numbers."
        return a + b

Everything that can be wrong with a definition is an error when the module is imported.
"""

from __future__ import annotations

from collections.abc import Iterable

from erlmcp_py.protocol.lifecycle import (
    Implementation,
    ListChanged,
    ResourcesCapability,
    ServerCapabilities,
)
from erlmcp_py.protocol.shape import NOT_CACHED
from erlmcp_py.server.caching import CacheHints, hints_of
from erlmcp_py.server.definition.checks import Icons, checked_children, checked_icons
from erlmcp_py.server.definition.completions import Completions
from erlmcp_py.server.definition.prompts import Prompts
from erlmcp_py.server.definition.resources import Resources
from erlmcp_py.server.definition.skills import Skills
from erlmcp_py.server.definition.tools import Tools
from erlmcp_py.server.lifespan import Lifespan
from erlmcp_py.subscriptions import Change
from supervisors import ChildSpec


class Server(Tools, Resources, Prompts, Completions, Skills):
    """The definition of an MCP server.

    name, version: what clients are told; title, description, website_url, icons: for people;
    instructions: how to use the server, for the model. page_size: most items in one answer of a
    list method. cache: how long clients may keep lists and contents, for all of them or by method;
    not at all unless given.

    lifespan: an async context manager, called with the server, that lives as long as the server does;
    what it yields is `Context.state`. children: processes of the author's own, under the server's
    supervisor; they keep what must survive the crashes of handlers.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str,
        title: str | None = None,
        description: str | None = None,
        website_url: str | None = None,
        icons: Icons | None = None,
        instructions: str | None = None,
        page_size: int = 1000,
        cache: CacheHints = NOT_CACHED,
        lifespan: Lifespan | None = None,
        children: Iterable[ChildSpec] = (),
    ) -> None:
        super().__init__(lifespan)
        _require_text("name", name)
        _require_text("version", version)
        _require_page_size(page_size)
        self.info = Implementation(
            name=name,
            version=version,
            title=title,
            description=description,
            website_url=website_url,
            icons=checked_icons(icons, "Server"),
        )
        self.instructions = instructions
        self.page_size = page_size
        self.cache = hints_of(cache)
        self.children = checked_children(children)

    def __repr__(self) -> str:
        return f"<Server {self.info.name!r} {self.info.version}>"

    @property
    def name(self) -> str:
        """The name clients are told."""
        return self.info.name

    def capabilities(self) -> ServerCapabilities:
        """What the definitions amount to; logging is always there, through `Context.log`."""
        return ServerCapabilities(
            tools=ListChanged(list_changed=True) if self.tools else None,
            resources=(
                ResourcesCapability(subscribe=True, list_changed=True)
                if self.resources or self.templates or self.listings
                else None
            ),
            prompts=ListChanged(list_changed=True) if self.prompts else None,
            completions={} if self.completions else None,
            logging={},
        )

    def mount(self, prefix: str, inner: Server, *, separator: str = "_") -> None:
        """Offer all that `inner` offers, now and later, as a part of this server.

        Its tool ``add`` is ``prefix_add`` here (separator: one of ``_ / . -``), prompts likewise; its
        resource ``x://a`` is ``x://prefix/a``. Its lifespan and children come along, and its handlers
        keep them. ValueError, with both places, if a name is taken; also if the server runs and `inner`
        has a lifespan or children, which nobody would start, or if `inner` serves skills.
        """
        if not isinstance(inner, Server):
            raise TypeError(f"mount: {inner!r} is no Server")
        for member in inner.family():
            if member.skill_directories:
                raise ValueError(f"mount: {member!r} serves skills; serve them here")
        if self.changes.is_served() and any(
            member.lifespan or member.children for member in inner.family()
        ):
            raise ValueError(
                f"mount: {inner!r} has a lifespan or children; mount it before the node starts"
            )
        self._put_inside(inner, prefix, separator)

    def notify_updated(self, uri: str) -> None:
        """Tell those who subscribed to the resource at `uri` that it has changed.

        From any thread, handler or not; nothing happens while no node runs the server.
        """
        self.announce(Change("updated", uri))


def _require_text(what: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"Server: {what} must be a non-empty string, not {text!r}")


def _require_page_size(size: object) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"Server: page_size must be an integer above 0, not {size!r}")
