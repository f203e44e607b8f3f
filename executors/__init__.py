"""Executors: daemons beside a party's data that take its tasks off the chain and compute.

What it is not: part of a node. An executor is a client: it reads the chain and sends signed
transactions, and never writes to a ledger. Engines (mpc) run in subprocesses of their own, one
per party and task, and know nothing of the chain or of each other.

Reading order: errors, config, data (the party's data sets), engine (what worker and engines know
of each other), mpc (the engine of joint statistics), process and ports (subprocesses and what
they listen on), chain (tasks as the contracts show them), cursor, worker (the daemon), serve (its
process).
"""
