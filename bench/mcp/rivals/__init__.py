"""The measured server on what others have built, each in its fastest shape.

Stateless, JSON answers, no request log, connections that are idle stay open. Every program takes what
it serves as its arguments: ``PORT`` (streamable HTTP on 127.0.0.1), ``PORT CERTIFICATE KEY`` (the same
over TLS) or ``stdio``. ``BENCH_STREAM=1`` in the environment answers with event streams instead of JSON.
"""
