"""How replicas agree on an order. One protocol so far: `consensus.pbft`, a pure state machine.

Not here: transactions' bodies, blocks, execution, network and disk; `node` brings them together.
"""
