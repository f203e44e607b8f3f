"""What was: every value of a key, every transaction of an account, every event about a subject.

A database of its own beside the ledger, made from the ledger's certified blocks by a follower
(node.history). It is derived: whoever deletes it gets it made again. It is not part of any
commit and proves nothing by itself; its rows name the block and the transaction that do.

schema     where rows stand, and what is in them
rows       the rows of one block
pages      places, cursors and pages
database   LevelDB: open or begin anew, add a block, read a page, forget what is too old
"""
