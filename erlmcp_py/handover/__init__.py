"""A node is replaced by a new one of the same name, without a client that notices (``run --replace``).

The *heir*, a new operating-system process, asks the node that runs, the *giver*, for its listening sockets, its
name and the key with which it seals what its clients carry. All three are shared at first: the descriptors
are copies of the same sockets and the same lock. Over the Unix socket ``NAME.handover`` in the control
directory, which only this user can enter::

    heir  -> Ask                    who I am
    giver -> Estate + descriptors   the lock of the name, and the listening sockets
                                    (the heir starts its whole tree, and lets nobody in yet)
    heir  -> Ready                  I could serve
    giver -> Yours                  and I am still here
    heir  -> Taken                  clients come in here now: drain

Until `Taken` the giver serves as if nothing happened, and when the heir is gone before, nothing has. WHY the
sockets are handed over and not bound again: each socket on a port has a queue of its own, and who waits in that
of the old node is reset when it is closed.

`messages` is what is said, `giver` the process of the node that runs, `heir` the other end, `inheritance` what a
tree is told of it.
"""
