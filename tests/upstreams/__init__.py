"""Upstreams are killed, stopped and made to do wrong while clients make calls without pause.

``python -m tests.upstreams [--total N] [--seed S]`` plays a campaign; see `play`.
"""
