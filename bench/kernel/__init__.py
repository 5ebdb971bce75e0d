"""One kernel step each, in a process of its own: ours, and Pykka's; Erlang's is an escript."""
