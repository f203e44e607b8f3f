"""A seeded simulator: the real replica, everything around it simulated in virtual time.

Not a test of the node: its driver is written anew here, small, so that disk, network, clock and
execution can fail at will. `python -m tests.sim --runs N --seed S` draws N scenarios; a failing
one prints the line that reproduces it.

Files, in reading order: keys (signatures that cost nothing), disk (log and ledger), gate (checks
frames), world (virtual time and network), node (the driver), byzantine (lying drivers), checkers
(what must hold), scenario (drawn from a seed), situations (made by losing chosen messages),
test_scenes, test_bugs_of_others, mistakes and mutants (protocols that the checkers must refuse),
__main__; then lockstep (the same without chance or time) and twins (one replica exists twice).
"""
