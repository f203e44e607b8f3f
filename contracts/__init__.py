"""Smart contracts (clause 8.1.5): the language they are written in, its machine, the standard's.

`dialect` is what a contract imports, `vm` checks, compiles and runs contracts, `system` holds
the contracts that every network starts with, `kit` is for tests of contracts. Nothing of these
knows of networks, disks or keys.
"""
