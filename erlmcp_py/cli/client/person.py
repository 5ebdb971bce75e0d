"""The person at the terminal: hears on standard error, answers at a prompt.

Where standard input is no terminal there is nobody to ask, and every question is declined.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import click
import msgspec
import trio

from erlmcp_py.cli.client import keyboard
from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.contents import text_of
from erlmcp_py.cli.client.forms import fill_in
from erlmcp_py.protocol.content import TextContent
from erlmcp_py.protocol.elicitation import ElicitParams, ElicitResult
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.notifications import LoggingMessageParams
from erlmcp_py.protocol.sampling import CreateMessageParams, CreateMessageResult
from erlmcp_py.protocol.wire import Json
from supervisors import CrashReport, Report, WarningReport

_REJECTED: Final = -1
"""MCP, sampling: the user does not want it."""
_DECLINED: Final = "(declined: standard input is no terminal)"


class Person:
    """Of one command. Is asked one thing at a time."""

    def __init__(self, aside: Aside) -> None:
        self._aside = aside
        self._one = trio.Lock()

    # --- hears ----------------------------------------------------------------------------

    def logged(self, params: LoggingMessageParams) -> None:
        """A log line of the server's."""
        data = params.data
        text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
        self._aside.say(f"{params.level}: {text}")

    def told(self, report: Report) -> None:
        """A report of this process. Crashes are those of a server that runs in it, and shown with their
        stack, which a client at a distance never sees.
        """
        if isinstance(report, WarningReport):
            detail = report.details.get("detail")
            self._aside.say(f"warning: {report.text}" + (f": {detail}" if detail else ""))
        elif isinstance(report, CrashReport):
            reason = report.reason
            self._aside.say(str(reason[-1] if isinstance(reason, tuple) else reason))

    # --- is asked -------------------------------------------------------------------------

    async def elicit(self, params: ElicitParams) -> ElicitResult | Json | None:
        """A form, or a page to go to."""
        async with self._attention(params.message):
            if not keyboard.at_terminal():
                self._aside.say(_DECLINED)
                return None
            try:
                if params.requested_schema is None:
                    agreed = await keyboard.confirm(f"Will you go to {params.url}?", default=False)
                    return {} if agreed else None
                if await keyboard.confirm("Answer?", default=True):
                    return await fill_in(params.requested_schema)
            except keyboard.NothingTyped:
                click.echo(err=True)
                return ElicitResult(action="cancel")
            return None

    async def sample(self, params: CreateMessageParams) -> CreateMessageResult:
        """What a model is asked."""
        lines = [] if params.system_prompt is None else [f"system: {params.system_prompt}"]
        for message in params.messages:
            content = message.content
            blocks = content if isinstance(content, list) else [content]
            lines += [f"{message.role}: {text_of(msgspec.to_builtins(one))}" for one in blocks]
        async with self._attention("\n".join(["The server asks a model:", *lines])):
            typed = ""
            if keyboard.at_terminal():
                try:
                    typed = await keyboard.ask("Your answer (empty declines)")
                except keyboard.NothingTyped:
                    click.echo(err=True)
            else:
                self._aside.say(_DECLINED)
        if not typed:
            raise McpError(_REJECTED, "User rejected sampling request")
        return CreateMessageResult("assistant", TextContent(typed), "human", "endTurn")

    @asynccontextmanager
    async def _attention(self, text: str) -> AsyncIterator[None]:
        async with self._one:
            self._aside.clear()
            self._aside.say(text)
            try:
                yield
            except trio.Cancelled:
                click.echo(err=True)  # the prompt stands in a line that nobody ends any more
                raise
