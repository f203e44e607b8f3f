"""Backups of a running node and their restoring (clauses 5.1 a, b); docs/backup.md has the format.

`door` is the node's side: whoever may open its socket gets blocks and a signature. `take` asks
there and writes segments; `read` believes nothing of what is in a folder; `restore` executes it.
"""
