"""The price table: gas per operation. A unit buys 1 to 5 ns (docs/gas.md).

Consensus rules: a change is a new `vm_version`. Prices follow measured time, and memory where
memory costs more than time (at most 10 bytes per unit stay allocated).
"""

from __future__ import annotations

# --- transactions and calls -------------------------------------------------------------------

GAS_TRANSACTION_BASE = 2_000  # decode, receipt, indexes
GAS_ARGUMENT_BYTE = 1
GAS_CROSS_CALL = 800  # frame, arguments and result checked both ways
GAS_SOURCE_BYTE = 600  # check and compile at deployment

# --- language ---------------------------------------------------------------------------------

GAS_NODE = 2  # one expression node
GAS_STATEMENT = 2
GAS_ITERATION = 6
GAS_FUNCTION = 15  # call of a contract's own function
GAS_GUARD = 20  # call of a host guard, beside what the guard charges itself
GAS_TEXT = 50  # beside that for making, cutting and searching texts, however short
GAS_DIVIDE = 8
GAS_POWER = 120  # square-and-multiply up to 1,100 bits
GAS_ITEM = 10  # one slot in a list or tuple with its value: about 80 bytes
GAS_DICT_ITEM = 25  # one entry: about 200 bytes with its values
GAS_WALK = 40  # one node visited by a size or comparison walk, and by checks of the parent
GAS_SLOW_FACTOR = 3  # encoding in Python instead of C, as a multiple of the walk before it
GAS_SLOW_NODE = 100  # decoding one node in Python instead of C: records from outside and the like
GAS_SLOW_BYTE = 40  # the same for dicts and big integers, whose nodes are packed
GAS_TEXT_8 = 1  # per 8 bytes of text created, searched or compared
GAS_SORT_STEP = 12  # per item and per doubling of the length

# --- host -------------------------------------------------------------------------------------

GAS_READ = 2_000  # one storage access, wherever it is found: a question to the parent takes 30 us
GAS_READ_BYTE = 1
GAS_SCAN = 4_000  # a question about a range of keys: the parent seeks in all levels of the store
GAS_SCAN_ITEM = 700  # one entry found, or passed over because this block removed it
GAS_WRITE = 2_500  # state tree path, disk
GAS_WRITE_BYTE = 10  # hashing and disk take 2; the rest is for keeping it for good
GAS_EVENT = 300
GAS_EVENT_BYTE = 10  # kept for good; with results it bounds what one block puts out
GAS_RESULT_BYTE = 10
GAS_SM3 = 200
GAS_SM3_64 = 30  # per 64-byte block
# A good signature under a known key takes 0.32 ms. A bad one under a new key takes 0.72 ms, since
# libcrypto's "no" is asked for twice: whoever chooses the arguments chooses the dearest.
GAS_SM2_VERIFY = 100_000
