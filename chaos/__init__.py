"""Chaos: break a running node on purpose, and see what it makes of it.

An OTP application like any other: a node that starts it gets one more supervision tree and
the console commands ``chaos kill``, ``chaos report`` and ``chaos proxy ...``; a node that does not
is none the wiser. Experiments and fault proxies are processes of that tree.
"""
