"""What to do about an upstream that does not come to be, by what its failure says. Pure.

WHY texts are read: what programs, resolvers and TLS say about it has no other form. What is not known here
is told as it came.
"""

from __future__ import annotations

import re
from typing import Final

SENDS_BACK: Final = (
    "it sends back what it is sent, which no MCP server does: is this the program that was meant?"
)
"""Of one that asks what only clients ask."""
HEAD, TAIL = 120, 80
"""Characters of its last words that are shown, where there are more."""

_OPENSSL: Final = re.compile(r"\[[A-Z_ :]+\] (.*?) \(_ssl\.c:\d+\)")
_LINE_END: Final = re.compile(r"(?:\\r|\\n)+'$")

_PROGRAM: Final = (
    (
        r"ended with status 0$",
        "an MCP server goes on until its input ends: is this the right program, with the right arguments?",
    ),
    (r"ended with status \d+$", "it did not say why: run the command by hand"),
    (
        r"closed its output$|^no answer to (initialize|server/discover) ",
        "does it speak MCP on standard input and output? One that listens on a port needs its `url`",
    ),
    (
        r"^the server sends no messages but ",
        "only MCP belongs on standard output: is this an MCP server, and where does it write its log?",
    ),
)
"""Of programs that have never answered."""
_URL: Final = (
    (r": HTTP 401\b", "it has to be told who asks, by `headers` or `auth`"),
    (r": HTTP 403\b", "it does not let this node in; `headers` or `auth` say who asks"),
    (r": HTTP (404|405|410)\b", "there is no MCP at this path, which often ends in /mcp"),
    (r": HTTP 429\b", "it is asked too often"),
    (r": HTTP 5\d\d\b", "the fault is at its end; its own log should say more"),
    (
        r" answered with text/html ",
        "that is a web page: is the path right? It often ends in /mcp",
    ),
    (r": the answer is no JSON-RPC message", "what answers there is no MCP server"),
    (r": no connection: .*refused", "nobody listens there: does it run, is this its port?"),
    (
        r": no connection: .*(name or service|name resolution|nodename|no address)",
        "nobody knows a machine of this name: is it spelt right?",
    ),
    (
        r": no connection: .*(wrong version number|record layer|unknown protocol|packet length)",
        "no TLS is spoken there: is it http and not https?",
    ),
    (
        r": no connection: certificate verify failed",
        "this node trusts what the system does, or the certificates in the file that SSL_CERT_FILE names",
    ),
    (r"^the connection ended before an answer", "if TLS is spoken there, it is https and not http"),
    (r"^this is no .*HTTP/1\.1: ", "another service has this port"),
)
_REFUSED = "the `headers` or `auth` that it is sent do not let this node in"


def explain(reason: str, *, is_program: bool, credentials: bool, said: str | None) -> str:
    """The reason, and what to do about it where that is known, in one line. is_program: that has never
    answered, or else a URL. credentials: whether some are sent. said: its last words.
    """
    text = _LINE_END.sub("'", _OPENSSL.sub(r"\1", reason))
    if credentials and re.search(r": HTTP 40[13]\b", text):
        return f"{text}; {_REFUSED}"
    for pattern, advice in _PROGRAM if is_program else _URL:
        if re.search(pattern, text, re.IGNORECASE):
            if said and said.strip() and text.startswith("no answer"):
                text = f"{text}; it said: {_short(said)}"
            return f"{text}; {advice}"
    return text


def _short(said: str) -> str:
    said = said.strip()
    return said if len(said) <= HEAD + TAIL else f"{said[:HEAD]}…{said[-TAIL:]}"
