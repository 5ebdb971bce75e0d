"""Authorization of MCP over HTTP (OAuth 2.1). `client`: how a client comes by its tokens."""
