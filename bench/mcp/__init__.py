"""`tools/call` under load: our node beside the official Python SDK.

`ours.py` and `sdk.py` are the same server twice; `http_load.py` and `stdio_load.py` are the
load, each a process of its own that knows nothing of what it measures.
"""
