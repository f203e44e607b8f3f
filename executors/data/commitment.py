"""The salted commitment to the rows of a data set (facts of 8.1.1: data cannot change unnoticed).

Leaf i is SM3 over a tag, a salt of its own and the canonical bytes of row i. Rows are guessable
(a plan, an age), so without salts the leaves would give them away; the salts derive from one
secret of the data set, so that one row can be opened without opening another. The commitment on
chain binds the root together with the schema and the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from crypto import sm3
from executors.data.schema import Cell, Schema
from ledger import merkle
from ledger.encoding import encode
from ledger.errors import ProofInvalid
from ledger.model import Digest, Record

TAG_ROW = b"shuxin/row/1\0"
TAG_DATASET = b"shuxin/dataset/1\0"
SALT_SIZE = 32


class RowOpening(Record):
    """One row shown to somebody, with what ties it to the commitment on chain."""

    schema: Schema
    row_count: int
    root: bytes
    row: bytes  # canonical bytes of the tuple of cells
    salt: bytes
    path: merkle.ListPath


def row_leaf(salt: bytes, index: int, row: tuple[Cell, ...]) -> bytes:
    """The leaf of row `index` under the data set's secret `salt`."""
    return _leaf(_row_salt(salt, index), encode(row))


def commit_leaves(schema: Schema, leaves: list[bytes]) -> Digest:
    """The commitment to rows whose leaves are `leaves`."""
    return _commitment(schema, len(leaves), merkle.root_of(leaves))


def open_row(
    schema: Schema, salt: bytes, rows: Iterable[tuple[Cell, ...]], index: int
) -> RowOpening:
    """Row `index` with its proof: for an audit or a sampled check of one row."""
    leaves: list[bytes] = []
    wanted: tuple[Cell, ...] | None = None
    for position, row in enumerate(rows):
        leaves.append(row_leaf(salt, position, row))
        if position == index:
            wanted = row
    assert wanted is not None, "the row to open exists"
    return RowOpening(
        schema=schema,
        row_count=len(leaves),
        root=merkle.root_of(leaves),
        row=encode(wanted),
        salt=_row_salt(salt, index),
        path=merkle.path(leaves, index),
    )


def verify_row(opening: RowOpening, commitment: bytes) -> None:
    """Check that the opened row is in the committed data set. Raises ProofInvalid."""
    if opening.path.size != opening.row_count:
        raise ProofInvalid("the path is that of another number of rows")
    merkle.verify_path(_leaf(opening.salt, opening.row), opening.path, opening.root)
    if _commitment(opening.schema, opening.row_count, opening.root) != commitment:
        raise ProofInvalid("the schema, row count and root are not those of the commitment")


def _row_salt(salt: bytes, index: int) -> bytes:
    return sm3.hmac(salt, index.to_bytes(8, "big"))


def _leaf(row_salt: bytes, row: bytes) -> bytes:
    return sm3.digest(TAG_ROW + row_salt + row)


def _commitment(schema: Schema, row_count: int, root: bytes) -> Digest:
    return Digest(sm3.digest(TAG_DATASET + encode((schema, row_count, root))))
