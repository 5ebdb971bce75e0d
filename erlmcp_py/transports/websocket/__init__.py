"""MCP over WebSocket (RFC 6455): a text frame per message, both eras, on the port of HTTP.

`handshake` judges the request that asks for it, `messages` turns the frames of a client into messages, and
`connection` has the conversation, in the process of the HTTP connection that was upgraded. `settings` is
what a listener is told.

MCP has no WebSocket of its own. What is served here is what the SDKs' clients speak: the subprotocol `mcp`,
and messages as they are on stdio.
"""
