"""Streamable HTTP for both eras of MCP, on connection processes.

From pure to wet: `request`, `response` and `sse` turn bytes into values and back; `access` and
`mirrored` judge headers; `endpoint` decides what a request asks for; `exchange` has it carried
out (`calling` asks a server, `legacy` knows sessions, `answering` writes); `connection` serves one
client, and `supervisor` is the listener, on the sockets of `transports.net`.
"""
