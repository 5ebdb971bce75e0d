"""MCP on standard input and output: one client, one message per line, both eras.

`channel` is what outlives a crash of the process, `process` serves. The child spec is here.
"""

from erlmcp_py.transports.stdio.channel import Channel
from erlmcp_py.transports.stdio.process import StdioOptions, child_spec, start_link

__all__ = ["Channel", "StdioOptions", "child_spec", "start_link"]
