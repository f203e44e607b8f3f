"""A seeded simulator: the real replica, everything around it simulated in virtual time.

Not a test of the node: its driver is written anew here, small, so that disk, network, clock and
execution can fail at will. `python -m tests.sim --runs N --seed S` draws N scenarios; a failing
one prints the line that reproduces it and a smaller one as a test.

Files, in reading order: keys (signatures that cost nothing), disk (log and ledger), gate (checks
frames), world (virtual time and network), node (the driver), byzantine and more_byzantine (lying
drivers), bounds and checkers (what must hold), scenario (networks, and what early seeds mean),
script (a scenario as a value), draws (values from seeds), shrink, pool (processes), __main__;
situations (made by losing chosen messages), test_scenes, test_bugs_of_others, scenes (what was
found here); mistakes and mutants (protocols that the checkers must refuse).

Then the same without chance or time: lockstep, twins (one replica exists twice), mutation and
byzzfuzz (lies that are almost true).
"""
