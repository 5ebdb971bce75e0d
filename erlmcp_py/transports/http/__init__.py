"""Streamable HTTP for both eras of MCP, on connection processes.

From pure to wet: `request`, `response` and `sse` turn bytes into values and back, `access`
and `mirrored` judge headers, `endpoint` decides what a request asks for, `exchange` carries
it out, `connection` owns one socket, `connections` owns the connections of one listener,
`listener` owns the listening socket.
"""
