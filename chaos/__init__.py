"""Chaos: break a running node on purpose, and see what it makes of it.

An OTP application like any other: a node that starts it gets one more supervision tree and
the console commands ``chaos kill`` and ``chaos report``; a node that does not is none the
wiser. Experiments are processes of that tree.
"""
