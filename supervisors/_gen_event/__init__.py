"""GenEvent: event managers and their handlers; `supervisors.gen_event` is the public face.

`behaviour` is the class handlers are subclasses of, `handlers` what happens to a list of
installed ones, `manager` the process that has the list, `client` the functions that talk to
it, `reporting` what it says when a handler fails.
"""
