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

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar

from erlmcp_py.protocol.completion import CompleteParams, PromptReference
from erlmcp_py.protocol.content import Annotations
from erlmcp_py.protocol.lifecycle import (
    Implementation,
    ListChanged,
    ResourcesCapability,
    ServerCapabilities,
)
from erlmcp_py.protocol.shape import NOT_CACHED, CacheHint
from erlmcp_py.protocol.tools import ToolAnnotations
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.caching import CacheHints, hints_of
from erlmcp_py.server.definition.catalogue import Catalogue
from erlmcp_py.server.definition.checks import (
    Icons,
    checked_children,
    checked_icons,
    checked_lifespan,
    checked_name,
    function_name,
    listed,
    refuse_bare,
)
from erlmcp_py.server.definition.entries import (
    CompletionDef,
    ListingDef,
    TemplateDef,
)
from erlmcp_py.server.definition.prompts import check_completion, define_prompt
from erlmcp_py.server.definition.resources import define_resource
from erlmcp_py.server.definition.skills import list_skills
from erlmcp_py.server.definition.tools import define_tool
from erlmcp_py.server.lifespan import Lifespan
from erlmcp_py.server.listings import read_listing
from erlmcp_py.server.signature import MAX_WAITING, Handler, Isolation, read_handler
from erlmcp_py.server.skills.directory import RECHECK, SkillDirectory
from erlmcp_py.server.tasks.policy import TaskPolicy, TaskSupport
from erlmcp_py.subscriptions import Change
from supervisors import ChildSpec

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

DEFAULT_TIMEOUT = 30.0
"""Seconds a handler may take unless it says otherwise."""


class Server(Catalogue):
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
        super().__init__()
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
        self.skill_directories: tuple[SkillDirectory, ...] = ()
        self.lifespan = checked_lifespan(lifespan)
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

    def tool(
        self,
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
        input_schema: Json | None = None,
        output_schema: Json | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
        max_concurrency: int | None = None,
        max_waiting: int = MAX_WAITING,
        annotations: ToolAnnotations | None = None,
        icons: Icons | None = None,
        meta: Json | None = None,
        task: TaskSupport | TaskPolicy | None = None,
    ) -> Callable[[F], F]:
        """Make the decorated function a tool, named after it unless `name` is given.

        Arguments come from the signature, texts from the docstring, the output schema from the
        return hint. A plain function runs in the server process and must be quick; one that blocks
        says `isolation="thread"`, one that computes for long `isolation="process"`; one that waits is
        `async`. `timeout` in seconds applies to all but the first. TypeError or ValueError if the
        definition cannot work.

        max_concurrency: calls that run at a time, any number unless given ("process": as many as
        there are processors); max_waiting: calls beyond these that wait in order. More are refused.

        input_schema, output_schema: JSON Schemas (2020-12) in the place of those made of the hints;
        they are kept as they are. The function takes the properties of the input schema as
        parameters, or what it does not name as ``**arguments: Any``.

        task: "optional", a call runs as a task where the client can have that, or "required", it does
        or is refused; `TaskPolicy` says more. A task has its ttl instead of the timeout.
        """
        refuse_bare("tool", name)

        def define(function: F) -> F:
            handler = self._handler(
                function,
                timeout=timeout,
                isolation=isolation,
                max_concurrency=max_concurrency,
                max_waiting=max_waiting,
                others=input_schema is not None,
            )
            key = checked_name(
                function_name(handler) if name is None else name, handler.where, "tool"
            )
            definition = define_tool(
                handler,
                key,
                title=title,
                description=description,
                input_schema=input_schema,
                output_schema=output_schema,
                annotations=annotations,
                icons=icons,
                meta=meta,
                task=task,
            )
            self._enter("tools", key, definition)
            return function

        return define

    def resource(
        self,
        uri: str,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
        size: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
        max_concurrency: int | None = None,
        max_waiting: int = MAX_WAITING,
        annotations: Annotations | None = None,
        icons: Icons | None = None,
        meta: Json | None = None,
        cache: CacheHint | None = None,
        any_path: bool = False,
    ) -> Callable[[F], F]:
        """Make the decorated function the source of the resource at `uri`.

        A URI with variables, `weather://{city}/current`, is a template (RFC 6570); each variable is
        then a parameter of the function, converted to its hint. size: in bytes, if it is known. cache:
        how long clients may keep the contents; as the server says unless given. any_path: what stands
        for ``{+path}`` may be absolute and lead upwards with ``..``; otherwise such a URI is unknown.
        """
        if not isinstance(uri, str):
            raise TypeError("write @server.resource('scheme://...'): the URI is required")

        def define(function: F) -> F:
            handler = self._handler(
                function,
                timeout=timeout,
                isolation=isolation,
                max_concurrency=max_concurrency,
                max_waiting=max_waiting,
            )
            definition = define_resource(
                handler,
                uri,
                name=name or function_name(handler),
                title=title,
                description=description,
                mime_type=mime_type,
                size=size,
                annotations=annotations,
                icons=icons,
                meta=meta,
                cache=cache,
                any_path=any_path,
            )
            kind = "templates" if isinstance(definition, TemplateDef) else "resources"
            self._enter(kind, uri, definition)
            return function

        return define

    def resource_list(
        self, name: str | None = None, *, timeout: float = DEFAULT_TIMEOUT
    ) -> Callable[[F], F]:
        """Let the decorated generator function list resources, behind those that are defined.

        It yields `Resource`s, and is read no further than the page needs that a client asks for. It is
        called again for every page; with a parameter ``after: str | None`` it is told the URI of the
        last resource on the page before, and goes on behind it. What reads them is another matter: a
        template, as a rule.
        """
        refuse_bare("resource_list", name)

        def define(function: F) -> F:
            handler = read_listing(function, timeout=timeout)
            key = getattr(function, "__name__", repr(function)) if name is None else name
            self._enter("listings", key, ListingDef(handler))
            return function

        return define

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
        listing = list_skills(served, known)
        if self.is_mounted:
            raise ValueError(f"{self!r} is mounted in another server; serve the skills there")
        self.skill_directories = (*self.skill_directories, served)
        self._enter("listings", key, listing)

    def prompt(
        self,
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
        max_concurrency: int | None = None,
        max_waiting: int = MAX_WAITING,
        icons: Icons | None = None,
        meta: Json | None = None,
    ) -> Callable[[F], F]:
        """Make the decorated function a prompt; its parameters are the prompt's arguments."""
        refuse_bare("prompt", name)

        def define(function: F) -> F:
            handler = self._handler(
                function,
                timeout=timeout,
                isolation=isolation,
                max_concurrency=max_concurrency,
                max_waiting=max_waiting,
            )
            key = checked_name(
                function_name(handler) if name is None else name, handler.where, "prompt"
            )
            definition = define_prompt(
                handler, key, title=title, description=description, icons=icons, meta=meta
            )
            self._enter("prompts", key, definition)
            return function

        return define

    def completion(
        self,
        ref: str,
        argument: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
    ) -> Callable[[F], F]:
        """Let the decorated function propose values for `argument` of the prompt or template `ref`.

        The function takes the text typed so far and returns strings, best first. A second parameter
        receives the other arguments the client has already. The prompt or template must be defined
        above the completion.
        """

        def define(function: F) -> F:
            handler = self._handler(function, timeout=timeout, isolation=isolation)
            where = handler.where
            names = self._arguments_of(ref)
            if names is None:
                raise ValueError(
                    f"{where}: completion for {ref!r}: no prompt or resource template of "
                    "that name is defined above it"
                )
            if argument not in names:
                raise ValueError(
                    f"{where}: completion: {ref!r} has no argument {argument!r}; "
                    f"it has {listed(names)}"
                )
            check_completion(handler)
            definition = CompletionDef(ref, argument, handler)
            self._enter("completions", (ref, argument), definition)
            return function

        return define

    def remove_tool(self, name: str) -> None:
        """Offer a tool no more; calls that run go on. KeyError if there is none of that name."""
        self._take_out("tools", name)

    def remove_resource(self, uri: str) -> None:
        """Offer a resource, or a template, no more. KeyError if there is none of that URI."""
        self._take_out("templates" if uri in self.templates else "resources", uri)

    def remove_prompt(self, name: str) -> None:
        """Offer a prompt no more. KeyError if there is none of that name."""
        self._take_out("prompts", name)

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

    def offers(self, uri: str) -> bool:
        """Whether a resource, or a template that fits, is there for `uri`."""
        return uri in self.resources or any(
            family.keywords_for(uri) is not None for family in self.templates.values()
        )

    def find_completion(self, params: CompleteParams) -> CompletionDef | None:
        """The completion a request asks for; None if there is none for that argument.

        KeyError with the reference if no such prompt or template exists.
        """
        reference = params.ref
        key = reference.name if isinstance(reference, PromptReference) else reference.uri
        known: dict[str, Any] = (
            self.prompts if isinstance(reference, PromptReference) else self.templates
        )
        if key not in known:
            raise KeyError(key)
        return self.completions.get((key, params.argument.name))

    def _handler(self, function: Callable[..., Any], **options: Any) -> Handler:
        handler = read_handler(function, home=self, **options)
        if handler.wants_state and self.lifespan is None:
            raise TypeError(
                f"{handler.where}: parameter {handler.context_name!r} wants the state of a lifespan, "
                f"but {self!r} has none"
            )
        return handler

    def _arguments_of(self, ref: str) -> tuple[str, ...] | None:
        definition = self.prompts.get(ref) or self.templates.get(ref)
        return definition.arguments.names if definition else None


def _require_text(what: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"Server: {what} must be a non-empty string, not {text!r}")


def _require_page_size(size: object) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"Server: page_size must be an integer above 0, not {size!r}")
