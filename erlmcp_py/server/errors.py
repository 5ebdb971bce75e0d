"""The exceptions between handlers and their server process.

`ToolError` and `ResourceNotFound` are raised by handlers on purpose. They are answers, not crashes:
the caller gets the text, no crash report is made. Any other exception that leaves a handler is a
crash.
"""

from __future__ import annotations


class ToolError(Exception):
    """A tool could not do what was asked; the text is for the model and should say what would work.

    In a tool it becomes a result with `isError`, in a resource, prompt or completion handler a
    JSON-RPC error -32603 with the same text.
    """


class ResourceNotFound(Exception):
    """The resource does not exist, although its URI fits; raised by a template's handler.

    The caller gets the error its era has for unknown resources, with the URI.
    """


class CallEnded(Exception):
    """Raised in a thread whose call is over, when it wants to tell the client something."""
