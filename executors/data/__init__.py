"""Data sets of an executor: files that a party computes over and never sends.

What it is not: a database, and not the catalogue. The catalogue on chain describes data sets; this
keeps their rows, typed, in the executor's home, with the salt of the commitment on chain.

Reading order: schema (types of columns, inference), table (typed rows of a CSV file), commitment
(salted Merkle root over rows), registry (add, list, show, remove), uses (which tasks used what).
"""
