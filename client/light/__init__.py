"""The light client (轻客户端): believes a genesis, and of a node only what it proves from there.

It follows certificates and changes of the committee, and checks every header, transaction,
receipt, event and state value against them. It stores no blocks and executes nothing, so it
cannot tell that what a quorum signed is right, only that a quorum signed it; and it cannot make
a node say what the node withholds. docs/light-client.md has the threat model.

In reading order: errors, trusted (what is believed, as a record and as bytes), follower (what
follows from it, pure), vault (the file), connection (a `Connection` that checks every answer).
"""
