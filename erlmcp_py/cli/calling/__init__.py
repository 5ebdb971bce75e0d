"""The small client behind `erlmcp-node call` and `inspect`.

A `Line` takes requests to a server: `local` to one that is started in this process, `http` to one at
a URL. A `Person` hears what a server says in between, and answers what it asks.
"""
