"""What servers offer, MCP's "server features": tools, resources, prompts, and completion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, cast

import trio
from msgspec import UNSET

from erlmcp_py.client.calls import Call, OnProgress
from erlmcp_py.client.errors import ClientError
from erlmcp_py.client.inbox import report
from erlmcp_py.client.life import Life
from erlmcp_py.client.pages import Pages
from erlmcp_py.client.where import AtUrl
from erlmcp_py.protocol.completion import Completion, PromptReference, ResourceTemplateReference
from erlmcp_py.protocol.errors import HEADER_MISMATCH, McpError
from erlmcp_py.protocol.extensions import tasks as extension
from erlmcp_py.protocol.lifecycle import LogLevel
from erlmcp_py.protocol.prompts import GetPromptResult, Prompt
from erlmcp_py.protocol.resources import ReadResourceResult, Resource, ResourceTemplate
from erlmcp_py.protocol.tools import CallToolResult, Tool
from erlmcp_py.protocol.wire import Json

if TYPE_CHECKING:
    from erlmcp_py.client.skills import Skills


_CANCEL: Final = 2.0
"""Seconds to tell of a cancellation."""


class Features(Life):
    """The part of a `Client` that uses what its server offers."""

    # --- tools --------------------------------------------------------------------------

    def tools(self) -> Pages[Tool]:
        """The tools, page by page. Those whose schema a client must not accept are left out."""
        return Pages(self._tool_page, "tools/list")

    async def list_tools(self) -> list[Tool]:
        """All tools."""
        return await self.tools().all()

    async def _tool_page(self, cursor: str | None) -> tuple[list[Tool], str | None]:
        result = await self._cached("tools/list", {} if cursor is None else {"cursor": cursor})
        link = self._desk.link
        mirrors = isinstance(self.where, AtUrl) and link is not None and link.era == "modern"
        return self._toolbox.learn(result.tools, mirrors=mirrors), result.next_cursor

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        log_level: LogLevel | None = None,
        meta: Json | None = None,
    ) -> CallToolResult:
        """Call a tool. A tool that fails says so in its result (`is_error`).

        on_progress: gets `ProgressParams`; each gives the call its time again. timeout: seconds instead
        of the client's. log_level: of this call (2026-07-28). Raises InvalidOutput if the result is not
        what the tool's output schema promises.
        """
        call = Call(
            "tools/call",
            {"name": name, "arguments": {} if arguments is None else arguments},
            meta=meta,
            on_progress=on_progress,
            log_level=log_level,
        )
        patience = self.timeout if timeout is None else timeout
        call.headers = self._toolbox.headers(name, arguments or {})
        try:
            result, _ = await self._requests.result(call, patience, tasks=True)
        except McpError as error:
            if error.code != HEADER_MISMATCH:
                raise
            # The schema has changed, or was never seen: look, and repeat what it wants repeated.
            self._cache.drop("tools/list")
            await self.list_tools()
            call.headers = self._toolbox.headers(name, arguments or {})
            result, _ = await self._requests.result(call, patience, tasks=True)
        if isinstance(result, extension.CreateTaskResult):
            result = await self._end_of(result.task_id)
        await self._check(name, result)
        return cast(CallToolResult, result)

    async def _end_of(self, task: str) -> CallToolResult:
        """The result of a call that has become a task, of which nobody else knows."""
        try:
            return await self.tasks.resume(task).result()
        except trio.Cancelled:
            with trio.move_on_after(_CANCEL, shield=True):
                try:
                    await self.tasks.cancel(task)
                except (ClientError, McpError) as problem:
                    report("a task could not be cancelled", str(problem))
            raise

    async def _check(self, name: str, result: CallToolResult) -> None:
        if result.structured_content is not UNSET and not self._toolbox.knows(name):
            try:
                await self.list_tools()
            except (ClientError, McpError) as problem:
                # The tool has done its work, and what it answered must not be lost for this.
                report(f"the result of {name} is not checked", str(problem))
        self._toolbox.check(name, result)

    # --- resources ----------------------------------------------------------------------

    def resources(self) -> Pages[Resource]:
        """The resources, page by page."""
        return Pages(partial(self._page, "resources/list", "resources"), "resources/list")

    async def list_resources(self) -> list[Resource]:
        """All resources."""
        return await self.resources().all()

    def resource_templates(self) -> Pages[ResourceTemplate]:
        """The templates of resources, page by page."""
        method = "resources/templates/list"
        return Pages(partial(self._page, method, "resource_templates"), method)

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """All templates of resources."""
        return await self.resource_templates().all()

    async def read_resource(
        self, uri: str, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> ReadResourceResult:
        """The contents of a resource."""
        result = await self._cached(
            "resources/read", {"uri": uri}, on_progress=on_progress, timeout=timeout
        )
        return cast(ReadResourceResult, result)

    # --- prompts, completion --------------------------------------------------------------

    def prompts(self) -> Pages[Prompt]:
        """The prompts, page by page."""
        return Pages(partial(self._page, "prompts/list", "prompts"), "prompts/list")

    async def list_prompts(self) -> list[Prompt]:
        """All prompts."""
        return await self.prompts().all()

    async def get_prompt(
        self,
        name: str,
        arguments: Mapping[str, str] | None = None,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
    ) -> GetPromptResult:
        """The messages of a prompt."""
        params = {"name": name, "arguments": {} if arguments is None else arguments}
        call = Call("prompts/get", params, on_progress=on_progress)
        return cast(GetPromptResult, await self._result(call, timeout))

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: str,
        value: str,
        context: Mapping[str, str] | None = None,
    ) -> Completion:
        """Proposals for the value of an argument of which `value` has been typed. context: the arguments
        that have values already.
        """
        params: dict[str, Any] = {"ref": ref, "argument": {"name": argument, "value": value}}
        if context is not None:
            params["context"] = {"arguments": context}
        result = await self._result(Call("completion/complete", params), None)
        return cast(Completion, result.completion)

    # --- skills ---------------------------------------------------------------------------

    @cached_property
    def skills(self) -> Skills:
        """The skills of the server (2026-07-28)."""
        from erlmcp_py.client.skills import Skills  # most clients read none

        return Skills(self._cached)

    # --- below ----------------------------------------------------------------------------

    async def _page(
        self, method: str, member: str, cursor: str | None
    ) -> tuple[list[Any], str | None]:
        result = await self._cached(method, {} if cursor is None else {"cursor": cursor})
        return list(getattr(result, member)), result.next_cursor
