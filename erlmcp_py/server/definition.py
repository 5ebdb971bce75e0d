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

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from erlmcp_py.protocol.completion import (
    CompleteParams,
    PromptReference,
)
from erlmcp_py.protocol.headers import MirroredParameter, mirrored_parameters
from erlmcp_py.protocol.lifecycle import (
    Implementation,
    ListChanged,
    ResourcesCapability,
    ServerCapabilities,
)
from erlmcp_py.protocol.prompts import Prompt, PromptArgument
from erlmcp_py.protocol.resources import Resource, ResourceTemplate
from erlmcp_py.protocol.tools import Tool, ToolAnnotations
from erlmcp_py.server.changes import Changes
from erlmcp_py.server.results import is_content_hint
from erlmcp_py.server.schema import (
    Arguments,
    Output,
    TextArguments,
    arguments_of,
    output_of,
    text_arguments_of,
)
from erlmcp_py.server.signature import Handler, Isolation, read_handler
from erlmcp_py.server.uri import UriTemplate, check_uri, compile_template, is_template
from erlmcp_py.subscriptions import Change

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

DEFAULT_TIMEOUT = 30.0
"""Seconds a handler may take unless it says otherwise."""

_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")


@dataclass(frozen=True, slots=True)
class ToolDef:
    """A tool and how to call it."""

    tool: Tool
    handler: Handler
    arguments: Arguments
    output: Output | None
    mirrored: tuple[MirroredParameter, ...] = ()
    """The arguments that a modern client repeats in headers."""


@dataclass(frozen=True, slots=True)
class ResourceDef:
    """A resource with a fixed URI."""

    resource: Resource
    handler: Handler


@dataclass(frozen=True, slots=True)
class TemplateDef:
    """A family of resources; the variables of the URI are the handler's arguments."""

    template: ResourceTemplate
    pattern: UriTemplate
    handler: Handler
    arguments: TextArguments


@dataclass(frozen=True, slots=True)
class PromptDef:
    """A prompt; its arguments are strings on the wire."""

    prompt: Prompt
    handler: Handler
    arguments: TextArguments


@dataclass(frozen=True, slots=True)
class CompletionDef:
    """Proposals for one argument of a prompt or one variable of a template.

    The handler takes what has been typed and, if it wants, the other arguments given so far.
    """

    ref: str
    argument: str
    handler: Handler


class Server:
    """The definition of an MCP server.

    name, version: what clients are told; title: for people; instructions: how to use the server,
    for the model. page_size: most items in one answer of a list method.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str,
        title: str | None = None,
        instructions: str | None = None,
        page_size: int = 1000,
    ) -> None:
        _require_text("name", name)
        _require_text("version", version)
        _require_page_size(page_size)
        self.info = Implementation(name=name, version=version, title=title)
        self.instructions = instructions
        self.page_size = page_size
        self.tools: dict[str, ToolDef] = {}
        self.resources: dict[str, ResourceDef] = {}
        self.templates: dict[str, TemplateDef] = {}
        self.prompts: dict[str, PromptDef] = {}
        self.completions: dict[tuple[str, str], CompletionDef] = {}
        self.changes = Changes()

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
                if self.resources or self.templates
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
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
        annotations: ToolAnnotations | None = None,
    ) -> Callable[[F], F]:
        """Make the decorated function a tool, named after it unless `name` is given.

        Arguments come from the signature, texts from the docstring, the output schema from the
        return hint. A plain function runs in the server process and must be quick; one that blocks
        says `isolation="thread"`; one that waits is `async`. `timeout` in seconds applies to the
        last two. TypeError or ValueError if the definition cannot work.
        """
        _refuse_bare("tool", name)

        def define(function: F) -> F:
            handler = read_handler(function, timeout=timeout, isolation=isolation)
            key = _name(name, handler, "tool")
            _refuse_duplicate(self.tools, key, f"tool {key!r}", handler)
            arguments = arguments_of(handler)
            output = None if is_content_hint(handler.returns) else output_of(handler)
            tool = Tool(
                name=key,
                input_schema=arguments.schema,
                title=title,
                description=description or handler.description or None,
                output_schema=output.schema if output else None,
                annotations=annotations,
            )
            definition = ToolDef(
                tool, handler, arguments, output, _mirrored(arguments.schema, handler)
            )
            self.tools = {**self.tools, key: definition}
            self.changes.announce(Change("tools"))
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
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
    ) -> Callable[[F], F]:
        """Make the decorated function the source of the resource at `uri`.

        A URI with variables, `weather://{city}/current`, is a template; each variable is then a
        parameter of the function, converted to its hint.
        """
        if not isinstance(uri, str):
            raise TypeError("write @server.resource('scheme://...'): the URI is required")

        def define(function: F) -> F:
            handler = read_handler(function, timeout=timeout, isolation=isolation)
            known: dict[str, Any] = self.templates if is_template(uri) else self.resources
            _refuse_duplicate(known, uri, f"resource {uri!r}", handler)
            label = name or _function_name(handler)
            text = description or handler.description or None
            if is_template(uri):
                template = ResourceTemplate(
                    uri_template=uri,
                    name=label,
                    title=title,
                    description=text,
                    mime_type=mime_type,
                )
                pattern = _compiled(uri, handler)
                arguments = text_arguments_of(handler)
                _check_variables(pattern, arguments, handler)
                definition = TemplateDef(template, pattern, handler, arguments)
                self.templates = {**self.templates, uri: definition}
            else:
                _checked_uri(uri, handler)
                resource = Resource(
                    uri=uri, name=label, title=title, description=text, mime_type=mime_type
                )
                self.resources = {**self.resources, uri: ResourceDef(resource, handler)}
            self.changes.announce(Change("resources"))
            return function

        return define

    def prompt(
        self,
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        isolation: Isolation = "inline",
    ) -> Callable[[F], F]:
        """Make the decorated function a prompt; its parameters are the prompt's arguments."""
        _refuse_bare("prompt", name)

        def define(function: F) -> F:
            handler = read_handler(function, timeout=timeout, isolation=isolation)
            key = _name(name, handler, "prompt")
            _refuse_duplicate(self.prompts, key, f"prompt {key!r}", handler)
            arguments = text_arguments_of(handler)
            prompt = Prompt(
                name=key,
                title=title,
                description=description or handler.description or None,
                arguments=[
                    PromptArgument(
                        name=parameter.name,
                        description=parameter.description or None,
                        required=parameter.required,
                    )
                    for parameter in handler.parameters
                ]
                or None,
            )
            self.prompts = {**self.prompts, key: PromptDef(prompt, handler, arguments)}
            self.changes.announce(Change("prompts"))
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
            handler = read_handler(function, timeout=timeout, isolation=isolation)
            names = self._arguments_of(ref)
            if names is None:
                raise ValueError(
                    f"{handler.where}: completion for {ref!r}: no prompt or resource template of "
                    "that name is defined above it"
                )
            if argument not in names:
                raise ValueError(
                    f"{handler.where}: completion: {ref!r} has no argument {argument!r}; "
                    f"it has {', '.join(names) or 'none'}"
                )
            _check_completion(handler)
            key = (ref, argument)
            _refuse_duplicate(
                self.completions, key, f"completion of {argument!r} in {ref!r}", handler
            )
            self.completions = {**self.completions, key: CompletionDef(ref, argument, handler)}
            return function

        return define

    def remove_tool(self, name: str) -> None:
        """Offer a tool no more; calls that run go on. KeyError if there is none of that name."""
        self.tools = _without(self.tools, name, "tool")
        self.changes.announce(Change("tools"))

    def remove_resource(self, uri: str) -> None:
        """Offer a resource, or a template, no more. KeyError if there is none of that URI."""
        if uri in self.templates:
            self.templates = _without(self.templates, uri, "resource")
        else:
            self.resources = _without(self.resources, uri, "resource")
        self._forget_completions(uri)
        self.changes.announce(Change("resources"))

    def remove_prompt(self, name: str) -> None:
        """Offer a prompt no more. KeyError if there is none of that name."""
        self.prompts = _without(self.prompts, name, "prompt")
        self._forget_completions(name)
        self.changes.announce(Change("prompts"))

    def notify_updated(self, uri: str) -> None:
        """Tell those who subscribed to the resource at `uri` that it has changed.

        From any thread, handler or not; nothing happens while no node runs the server.
        """
        self.changes.announce(Change("updated", uri))

    def offers(self, uri: str) -> bool:
        """Whether a resource, or a template that fits, is there for `uri`."""
        return uri in self.resources or any(
            family.pattern.match(uri) is not None for family in self.templates.values()
        )

    def _forget_completions(self, ref: str) -> None:
        self.completions = {key: kept for key, kept in self.completions.items() if key[0] != ref}

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

    def _arguments_of(self, ref: str) -> tuple[str, ...] | None:
        definition = self.prompts.get(ref) or self.templates.get(ref)
        return definition.arguments.names if definition else None


def _require_text(what: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"Server: {what} must be a non-empty string, not {text!r}")


def _require_page_size(size: object) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"Server: page_size must be an integer above 0, not {size!r}")


def _name(name: str | None, handler: Handler, what: str) -> str:
    key = _function_name(handler) if name is None else name
    if not _NAME.fullmatch(key):
        raise ValueError(
            f"{handler.where}: {what} name {key!r}: use 1 to 64 of the characters A-Z a-z 0-9 _ . / -"
        )
    return key


def _function_name(handler: Handler) -> str:
    function = handler.function
    return str(getattr(function, "__name__", type(function).__name__))


def _mirrored(schema: dict[str, Any], handler: Handler) -> tuple[MirroredParameter, ...]:
    try:
        return mirrored_parameters(schema)
    except ValueError as error:
        raise ValueError(f"{handler.where}: {error}") from None


def _without(known: dict[str, T], key: str, what: str) -> dict[str, T]:
    if key not in known:
        raise KeyError(f"there is no {what} {key!r}")
    return {other: definition for other, definition in known.items() if other != key}


def _refuse_bare(decorator: str, name: object) -> None:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"write @server.{decorator}() with parentheses")


def _refuse_duplicate(known: dict[Any, Any], key: Any, what: str, handler: Handler) -> None:
    if key in known:
        raise ValueError(
            f"{handler.where}: {what} is already defined at {known[key].handler.where}"
        )


def _compiled(uri: str, handler: Handler) -> UriTemplate:
    try:
        return compile_template(uri)
    except ValueError as error:
        raise ValueError(f"{handler.where}: {error}") from None


def _checked_uri(uri: str, handler: Handler) -> None:
    try:
        check_uri(uri)
    except ValueError as error:
        raise ValueError(f"{handler.where}: {error}") from None
    if handler.parameters:
        names = ", ".join(parameter.name for parameter in handler.parameters)
        raise TypeError(
            f"{handler.where}: the resource {uri!r} has no variables, but its handler takes {names}"
        )


def _check_variables(pattern: UriTemplate, arguments: TextArguments, handler: Handler) -> None:
    unknown = [name for name in pattern.variables if name not in arguments.names]
    missing = [name for name in arguments.names if name not in pattern.variables]
    if unknown:
        raise TypeError(
            f"{handler.where}: {pattern.text!r}: the handler has no parameter {unknown[0]!r}"
        )
    if missing and missing[0] in arguments.required:
        raise TypeError(
            f"{handler.where}: parameter {missing[0]!r} is no variable of {pattern.text!r}"
        )


def _check_completion(handler: Handler) -> None:
    hints = [parameter.hint for parameter in handler.parameters]
    if hints not in ([str], [str, dict[str, str]]):
        given = ", ".join(f"{parameter.name}: {parameter.hint}" for parameter in handler.parameters)
        raise TypeError(
            f"{handler.where}: a completion takes (value: str) or "
            f"(value: str, arguments: dict[str, str]), not ({given})"
        )
