"""Jobs, agreements and bills as the acts of a chain make them, and what contradicts them.

A replay shows that a chain follows from its genesis, contracts included. It does not show that
these contracts keep what they promise: whoever wrote the genesis wrote them. So here the same is
worked out a second time, from arguments and events alone, and each word that does not agree is
named, with the transaction in which it stands.

kept        what the books have in common: who takes part in a record, what it is about
jobs        plans, confirmations, steps and their tasks
agreements  terms, signatures, and what was delivered under them
tariffs     what a service cost at a height
bills       what was metered, and the statements over it
books       all of that, act by act
"""
