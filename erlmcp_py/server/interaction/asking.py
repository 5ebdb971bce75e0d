"""The questions an author can put: a form, a page, a turn of the client's model, its roots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from erlmcp_py.protocol.content import TextContent
from erlmcp_py.protocol.elicitation import ElicitResult, at_url, form
from erlmcp_py.protocol.input import (
    CreateMessageRequest,
    ElicitRequest,
    ListRootsRequest,
)
from erlmcp_py.protocol.roots import ListRootsResult, Root
from erlmcp_py.protocol.sampling import (
    CreateMessageParams,
    CreateMessageResult,
    ModelPreferences,
    SamplingMessage,
    ToolChoice,
)
from erlmcp_py.protocol.tools import Tool
from erlmcp_py.server.interaction.form import form_of
from erlmcp_py.server.interaction.question import Question, Refused


@dataclass(frozen=True, slots=True)
class Elicit:
    """Ask the user to fill in a form.

    form: a Struct, dataclass or TypedDict of strings, numbers, booleans and choices, or a JSON Schema
    of that shape; the answer is an instance of it, or a dict. message: what the user reads; the
    docstring of the form unless given.
    """

    form: Any
    message: str | None = None

    def question(self) -> Question:
        """TypeError or ValueError if no client can show this form."""
        fields = form_of(self.form)
        message = self.message or _docstring(self.form)

        def finish(result: ElicitResult) -> Any:
            _accepted(result, message)
            return fields.read(result.content or {})

        return Question(ElicitRequest(form(message, fields.schema)), finish)


@dataclass(frozen=True, slots=True)
class ElicitUrl:
    """Send the user to a page, for what must not pass through the client: passwords, payments.

    The answer is None, and means that the user agreed to go there, not that they are through.
    """

    url: str
    message: str
    elicitation_id: str | None = None

    def question(self) -> Question:
        """The question."""

        def finish(result: ElicitResult) -> None:
            _accepted(result, self.message)

        return Question(ElicitRequest(at_url(self.message, self.url, self.elicitation_id)), finish)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Ask the client's model. The answer is a `Sampled`.

    messages: one text of the user's, or the conversation so far. max_tokens: most to be generated.
    The others are wishes that the client may disregard.
    """

    messages: str | Sequence[SamplingMessage]
    max_tokens: int = 1000
    system_prompt: str | None = None
    temperature: float | None = None
    stop_sequences: Sequence[str] | None = None
    model_preferences: ModelPreferences | None = None
    include_context: Literal["none", "thisServer", "allServers"] | None = None
    metadata: dict[str, Any] | None = None
    tools: Sequence[Tool] | None = None
    tool_choice: ToolChoice | None = None

    def question(self) -> Question:
        """The question. ValueError without messages or tokens."""
        if not self.messages or self.max_tokens < 1:
            raise ValueError("sampling needs a message or more, and max_tokens of 1 or more")
        messages = self.messages
        params = CreateMessageParams(
            messages=(
                [SamplingMessage(role="user", content=TextContent(messages))]
                if isinstance(messages, str)
                else list(messages)
            ),
            max_tokens=self.max_tokens,
            model_preferences=self.model_preferences,
            system_prompt=self.system_prompt,
            include_context=self.include_context,
            temperature=self.temperature,
            stop_sequences=None if self.stop_sequences is None else list(self.stop_sequences),
            metadata=self.metadata,
            tools=None if self.tools is None else list(self.tools),
            tool_choice=self.tool_choice,
        )
        return Question(CreateMessageRequest(params), Sampled)


@dataclass(frozen=True, slots=True)
class Roots:
    """Ask for the client's roots. The answer is a list of `Root`, each with `uri` and `name`."""

    def question(self) -> Question:
        """The question."""
        return Question(ListRootsRequest(), _roots)


Asking = Elicit | ElicitUrl | Sample | Roots


class Sampled:
    """What the client's model said."""

    __slots__ = ("result",)

    def __init__(self, result: CreateMessageResult) -> None:
        self.result = result
        """As it came: role, content, model, stop_reason."""

    def __repr__(self) -> str:
        return f"<Sampled by {self.model}: {self.text!r}>"

    @property
    def text(self) -> str:
        """The text blocks of the answer, joined."""
        content = self.result.content
        blocks = content if isinstance(content, list) else [content]
        return "".join(block.text for block in blocks if isinstance(block, TextContent))

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.result.model


def _roots(result: ListRootsResult) -> list[Root]:
    return result.roots


def _accepted(result: ElicitResult, message: str) -> None:
    """`Refused` unless the user agreed."""
    if result.action == "decline":
        raise Refused("decline", f"the user declined: {message}")
    if result.action == "cancel":
        raise Refused("cancel", f"the user closed the question: {message}")


def _docstring(form: Any) -> str:
    text = getattr(form, "__doc__", None) if isinstance(form, type) else None
    if not text or (isinstance(form, type) and form.__doc__ == msgspec.Struct.__doc__):
        raise ValueError("an elicitation needs a message: give one, or a docstring to its form")
    return " ".join(text.split())
