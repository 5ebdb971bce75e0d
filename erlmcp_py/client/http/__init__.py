"""HTTP/1.1 as an MCP client needs it: one request at a time on a connection, answers as JSON or as a
stream of events. `response` and `events` are pure; `wire` owns a socket, `pool` keeps them.
"""
