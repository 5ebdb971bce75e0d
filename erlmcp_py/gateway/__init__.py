"""The gateway: MCP servers of others, put under supervision and served by this node.

`settings` reads where they are (`mcp_json` from the files of desktop clients) and `authorization` how they let
us in, `upstream` is what the node knows of one, `keeping` has the processes
that watch it (`hearing` what it says of changes), `face` is what clients see of one or of all, from the lists in
`tables` with the names of `naming`, `process` answers for a face, `routing` says
where a request goes, `passing` brings it there and its answer back, in a process of `crew` and for the
length of a `visit`, `tree` puts the processes together.
`caller` is the client of a request, to whom `questions` brings what an upstream says and asks; `turns`
and `parked` do so for clients that are asked by answers. `tasks`, `waiting` and `extensions` are about
these. `fleet` has all upstreams there are; `reloading` has the configuration read again, and `changes` says
what that comes to. `latency` and `journal` keep what operators want to know of an upstream, `diagnosis`
says what to do about one that does not come to be, and `overview` tells all of it.
"""
