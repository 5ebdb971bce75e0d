"""A request that cannot begin before its user has been at a page: an account to be linked, say.

2025-11-25 has an error for it, -32042, which names the pages; the client sends the request again when
the user has been there. 2026-07-28 has no such error: there the pages are questions of a round. The
older revisions know neither, so they get the addresses in words. A handler says it one way in all of
them: it raises `url_elicitation_required`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from erlmcp_py.protocol.elicitation import URLElicitationRequiredData
from erlmcp_py.protocol.errors import (
    INTERNAL_ERROR,
    URL_ELICITATION_REQUIRED,
    McpError,
    missing_capability,
)
from erlmcp_py.protocol.input import InputRequiredResult
from erlmcp_py.protocol.jsonrpc import Request
from erlmcp_py.server.host import Host
from erlmcp_py.server.interaction.asking import ElicitUrl
from erlmcp_py.server.interaction.capability import lacking
from erlmcp_py.server.interaction.question import Interaction
from erlmcp_py.server.interaction.rounding import input_required
from erlmcp_py.server.interaction.rounds import Carried, InputRequired, Rounds
from erlmcp_py.server.scope import Scope

_SINCE: Final = "2025-11-25"


def sends_to_pages(error: Exception) -> bool:
    """Whether the error is that of `url_elicitation_required`."""
    return isinstance(error, McpError) and error.code == URL_ELICITATION_REQUIRED


def send_to_pages(
    host: Host, request: Request, scope: Scope, interaction: Interaction | None, error: McpError
) -> InputRequiredResult | McpError:
    """What the client of this request is told instead of, or with, the error."""
    if scope.version == _SINCE:
        return error
    data = msgspec.convert(error.data, URLElicitationRequiredData)
    if scope.era == "legacy":
        places = ", ".join(f"{page.message}: {page.url}" for page in data.elicitations)
        return McpError(INTERNAL_ERROR, f"{error.message}: {places}")
    questions = {
        page.elicitation_id or f"page-{number}": ElicitUrl(page.url or "", page.message).question()
        for number, page in enumerate(data.elicitations, 1)
    }
    for question in questions.values():
        missing = lacking(question.request, scope.client_capabilities, scope.version)
        if missing:
            return missing_capability(missing)
    rounds = interaction if isinstance(interaction, Rounds) else Rounds(Carried(), {})
    return input_required(host, request, scope, rounds, InputRequired(questions))
