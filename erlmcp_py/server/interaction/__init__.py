"""Asking the client in the middle of a call, in either era: `question` and `asking` say what,
`peer` and `rounds` how.
"""
