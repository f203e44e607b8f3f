"""Bounds of the language and its values, each with its reason. Consensus rules: alike for all."""

from __future__ import annotations

# --- source -----------------------------------------------------------------------------------

SOURCE_SIZE_MAX = 64 << 10  # bytes; the largest contract of the standard is under 20 KiB
LINE_LENGTH_MAX = 400  # characters; a person reviews every line
BRACKET_DEPTH_MAX = 24  # keeps the recursive C parser shallow
INDENT_DEPTH_MAX = 16  # nested blocks; the C tokenizer stops at 100
LOGICAL_LINE_TOKENS_MAX = 800  # bounds operator chains (each is one parser recursion)
ELIF_TOTAL_MAX = 200  # an elif chain nests the tree once per branch
TREE_DEPTH_MAX = 100  # of the syntax tree, so that our own recursive passes stay shallow
FINDINGS_MAX = 200  # listed per source; more help nobody
NAME_LENGTH_MAX = 64  # identifiers, contract and method names
FUNCTIONS_MAX = 200
PARAMETERS_MAX = 32
GIVEN_MAX = 30  # values given to a function at once; beyond, CPython takes other instructions
RECORD_FIELDS_MAX = 64
CONSTANT_SIZE_MAX = 16 << 10  # bytes of one literal
REQUIRE_TEXT_MAX = 200  # characters; lands in every receipt
CALL_DEPTH_MAX = 32  # functions within one contract, on the static call graph
CROSS_CALL_DEPTH_MAX = 8  # contracts within one transaction
TYPE_DEPTH_MAX = 6  # nesting of a declared type: an argument list adds one, DEPTH_MAX is 8

TYPE_NODES_MAX = 256  # of a type with its records written out; records can share records

# --- values -----------------------------------------------------------------------------------

INT_BOUND = 2**256
TEXT_SIZE_MAX = 64 << 10  # bytes of a str (4 per character unless ASCII) or bytes
LIST_LENGTH_MAX = 16_384
DICT_KEY_INT_BOUND = 2**60  # below the modulus of CPython's int hash: no crafted collisions
SHIFT_MAX = 512  # bits; a result is at most twice as wide as the bound before it is checked
STORED_KEY_SIZE_MAX = 512  # bytes of an encoded storage key
PAGE_LENGTH_MAX = 1_000  # entries that one question to a SortedMap gives: one page, then the next
STORED_VALUE_SIZE_MAX = 64 << 10  # bytes of an encoded stored value
RETURN_SIZE_MAX = 256 << 10  # bytes of an encoded return value: a page of records
EVENTS_MAX = 128  # per transaction
EVENT_FIELDS_MAX = 32
EVENT_BYTES_MAX = 256 << 10  # per transaction, all fields
ARGUMENTS_SIZE_MAX = 128 << 10  # bytes of encoded arguments, as large as a transaction

# --- machine ----------------------------------------------------------------------------------

FLUSH_EVERY = 2_000  # gas units that may gather in a local counter
PACED_GAS_MAX = 8_000  # gas units that a loop over range() pays ahead, before those turns run
INTERMEDIATE_BITS_MAX = 1_100  # an int expression is checked before it may grow beyond this
STATE_CACHE_BYTES_MAX = 12 << 20  # of keys and values; then the cache starts afresh
CODE_CACHE_MAX = 64  # compiled contracts kept
VIEW_GAS_MAX = 50_000_000  # about half a second
