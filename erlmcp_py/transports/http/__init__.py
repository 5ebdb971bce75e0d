"""Streamable HTTP for both eras of MCP, on connection processes.

From pure to wet: `request`, `response` and `sse` turn bytes into values and back; `access` and
`mirrored` judge headers; `endpoint` decides what a request asks for; `exchange` has it carried
out (`calling` asks a server, `legacy` knows sessions, `answering` writes); `connection` owns one
socket, `connections` the connections of one listener, `listener` the listening socket;
`supervisor` holds them together.
"""
