"""The console: looking into a running node, and repairing it.

On the node, `Console` (``service.py``) answers commands on a Unix socket. Clients are the
one-shot commands and the attached shell of ``erlmcp-node``; they import `client`, `render`
and `shell` from here and nothing that needs the kernel.
"""
