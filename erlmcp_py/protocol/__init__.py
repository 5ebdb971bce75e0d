"""MCP on the wire: bytes into typed messages and back, for every revision from 2024-11-05 on.

Pure: no I/O, no clock, no trio. The way of a message is `jsonrpc.decode`, then `meta.read_meta`
(modern) or nothing (legacy), `jsonrpc.params_as` with a type of `types`, and back through
`shape.shape_result` and `jsonrpc.encode`.
"""
