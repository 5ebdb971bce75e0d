"""What can be said to every way of making a client."""

from __future__ import annotations

from typing import TypedDict

from erlmcp_py.client.calls import OnLog
from erlmcp_py.client.handlers import Answerer, Elicit, Roots, Sample
from erlmcp_py.client.inbox import OnNotification
from erlmcp_py.client.negotiation import Mode
from erlmcp_py.protocol.lifecycle import Implementation, LogLevel
from supervisors import Backoff


class Options(TypedDict, total=False):
    """mode: "auto" finds out the era, "modern" or "legacy" insists on one. timeout: seconds without an
    answer or progress after which a request is given up. elicit, sample, roots, sample_tools: see
    `handlers`; without a handler the client does not declare that it can be asked. tasks: tool calls
    may become tasks, which are waited for. on_log: gets log lines; log_level: the least severe wanted.
    pause: before a connection is made again (1 s, growing to 60 s).
    on_notification: gets every notification. info: what the client calls itself. answerer: instead of
    the handlers. followed: whoever makes the client follows its status and says what becomes of it, so the
    loss of a connection is not reported.
    """

    mode: Mode
    timeout: float
    elicit: Elicit
    sample: Sample
    sample_tools: bool
    roots: Roots
    tasks: bool
    on_log: OnLog
    on_notification: OnNotification
    log_level: LogLevel
    info: Implementation
    answerer: Answerer
    pause: Backoff
    followed: bool
