"""Tool calls that outlive their request: tasks, in both flavours that MCP has had."""
