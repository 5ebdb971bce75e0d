"""`Server.completion`: a function proposes values for an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from erlmcp_py.protocol.completion import CompleteParams, PromptReference
from erlmcp_py.server.definition.checks import listed
from erlmcp_py.server.definition.definitions import Definitions, F
from erlmcp_py.server.definition.entries import CompletionDef
from erlmcp_py.server.definition.options import DEFAULT_TIMEOUT
from erlmcp_py.server.signature import Handler, Isolation


class Completions(Definitions):
    """The part of a `Server` that defines completions, and finds them."""

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
            _check(handler)
            definition = CompletionDef(ref, argument, handler)
            self._enter("completions", (ref, argument), definition)
            return function

        return define

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


def _check(handler: Handler) -> None:
    """TypeError unless the function takes what has been typed, and perhaps what is known."""
    hints = [parameter.hint for parameter in handler.parameters]
    if hints not in ([str], [str, dict[str, str]]):
        given = ", ".join(f"{parameter.name}: {parameter.hint}" for parameter in handler.parameters)
        raise TypeError(
            f"{handler.where}: a completion takes (value: str) or "
            f"(value: str, arguments: dict[str, str]), not ({given})"
        )
