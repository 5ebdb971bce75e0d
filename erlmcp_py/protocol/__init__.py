"""MCP on the wire: bytes into typed messages and back, for every revision from 2024-11-05 on.

Pure: no I/O, no clock, no trio. The way of a message into a server is `jsonrpc.decode`, then
`meta.read_meta` (modern) or nothing (legacy), `jsonrpc.params_as` with a type of `types`, and back through
`shape.shape_result` and `jsonrpc.encode`. A client goes the other way: `meta.request_meta`,
`jsonrpc.request`, and `results.read_result` for what comes back.

A file per group of features has their types; `types` gathers them, `methods` says which method goes with
which, in which revisions, `revisions` what a peer of an older one is told instead. `input` is how a
modern server asks its client, `headers` what HTTP repeats of a body, `extensions` what is off by default.
"""
