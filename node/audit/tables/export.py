"""A verified chain as tables: read once, written as it is read, in the memory of one block."""

from __future__ import annotations

from typing import Final

from ledger.store import Store
from node.audit.acts.access import accesses_of
from node.audit.acts.act import Reader
from node.audit.books.books import Books
from node.audit.files import Files
from node.audit.tables.acts import (
    ACCESS,
    ACTS,
    SUBJECTS,
    access_row,
    act_row,
    subject_rows,
)
from node.audit.tables.books import BOOKS, book_rows
from node.audit.tables.chain import (
    BLOCKS,
    COMMITTEE,
    EVENTS,
    RECEIPTS,
    SIGNATURES,
    TRANSACTIONS,
    block_row,
    committee_rows,
    event_rows,
    receipt_row,
    signature_rows,
    transaction_row,
    validators_at,
)
from node.audit.tables.columns import Table
from node.audit.tables.objects import OBJECTS, PARTIES, Objects, party_rows

STREAMED: Final = (BLOCKS, TRANSACTIONS, RECEIPTS, EVENTS, SIGNATURES, ACTS, SUBJECTS, ACCESS)
TABLES: Final[tuple[Table, ...]] = (*STREAMED, COMMITTEE, PARTIES, *OBJECTS, *BOOKS)


def export_tables(again: Store, height: int, files: Files) -> None:
    """All of TABLES, from the ledger of a replay, whose blocks hold up to `height`."""
    reader = Reader(again, height)
    objects, books = Objects(reader), Books(reader)
    files.begin(*STREAMED)
    for stored in again.iterate_blocks(0, height):
        validators = validators_at(again, stored.block.header.height)
        files.add(BLOCKS, block_row(stored, validators))
        files.add(SIGNATURES, *signature_rows(stored, validators))
        for act in reader.acts_of(stored.block, stored.receipts):
            objects.add(act)
            books.add(act)
            files.add(TRANSACTIONS, transaction_row(act))
            files.add(RECEIPTS, receipt_row(act))
            files.add(EVENTS, *event_rows(act))
            files.add(ACTS, act_row(act))
            files.add(SUBJECTS, *subject_rows(act))
            if act.status == 0:
                files.add(ACCESS, *map(access_row, accesses_of(act, reader)))
    files.fill(COMMITTEE, committee_rows(again.epochs, height))
    files.fill(PARTIES, party_rows(reader.register))
    for table in OBJECTS:
        files.fill(table, objects.rows(table))
    now_ms = again.header(height).time_ms
    for table in BOOKS:
        files.fill(table, book_rows(books, table, now_ms, lambda _kept: True))
