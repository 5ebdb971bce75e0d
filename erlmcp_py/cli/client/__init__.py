"""`erlmcp-node client`: a client of any MCP server at the terminal; `call` and `inspect` are the short
forms of two of its commands.

`way` says where the server is and how it is reached, `running` does a job on it, `person` is who sits at
this end, with `keyboard` and `aside` (standard error). The other rooms have the commands.

Exit codes: 0 done, 1 the tool failed (`isError`), 2 no result: the command line is wrong, there is no
such server or tool, or the server refused; 130 Ctrl-C.
"""
