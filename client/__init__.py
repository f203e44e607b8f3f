"""How a program outside a node speaks to one: typed calls, signed transactions, signed reads.

Used by the command line, the executors, the scenarios and the load generator. It is not a
light client (what a node says is believed unless a proof is asked for) and it knows nothing
of the node's inside.

    errors      Refused and NodeUnavailable: all that can go wrong
    account     a key that signs, and its address
    gas         how much of it a call may use by default
    build       transactions and queries
    translation gRPC errors as those two
    channel     what lies under the calls: plain, TLS, TLS with national algorithms (sm/)
    security    from files to whom it believes and what it shows there
    history     what was: requests, answers, and rows against proofs
    node        NodeClient: one method per call of the node's interface
    trial       whom to ask next when a node fails, and when to give up
    outbox      what was handed in and is not final
    seen        how far back in time an answer stands
    cluster     Cluster: the same calls, answered by whichever of several nodes can
    connection  what both are to a session
    session     Session: an account at a node or cluster; call, wait, view
    pages       records of a view, by pages that fit into answers
    waiting     who asks what waits for it, and how lists are read for that
    work        what waits for a party
    proposals   what a proposal is about, on one line
    membership  applications that wait, and what revoked parties left open
    applications what who wants to become a party signs, and the file it travels in
    batch       files under one record of evidence, and the proof of one
    toml        what people write, read or refused
    grant_story what was done and tried under a grant
    grant_terms what manager and operator of a grant sign
    odrl        a grant as a policy of ODRL 2.2
    typed       what generated clients of contracts stand on
    codegen     generates them from an ABI
"""
