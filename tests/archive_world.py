"""Archives for tests: one of a real chain, and ways of a forger to make others of it.

A forger recomputes whatever needs no key: digests, the index, roots, hashes, the links from block
to block, and what the stored statements say of them. Certificates he can only take as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from ledger.archive import ArchiveCommittee, ArchiveEntry, ArchiveWriter, FrameKind, Part, entry_of
from ledger.archive_reader import Archive
from ledger.blocks import order_key, transactions_root
from ledger.encoding import encode
from ledger.genesis import Genesis
from ledger.merkle import receipts_root
from ledger.model import Transaction, block_hash, transaction_id

Entries = list[ArchiveEntry]


def entries_of(path: Path) -> Entries:
    with Archive.open(path) as archive:
        return [entry_of(stored) for stored in archive.iterate_blocks(0, archive.height)]


def rewrite(
    path: Path,
    source: Path,
    genesis: Genesis,
    entries: Sequence[ArchiveEntry],
    *,
    chain_id: bytes | None = None,
    committees: Sequence[ArchiveCommittee] | None = None,
) -> Path:
    """An archive of `entries` at `path`, with the tables of the one at `source` unless given."""
    with Archive.open(source) as archive, path.open("wb") as file:
        writer = ArchiveWriter(file)
        chain = archive.chain_id if chain_id is None else chain_id
        writer.begin(chain, Part(0, archive.height))
        if committees is None:
            decided = archive.epochs(genesis).decided[1:]
            committees = [ArchiveCommittee(epoch.base, epoch.validators) for epoch in decided]
        for committee in committees:
            writer.add(FrameKind.COMMITTEE, encode(committee))
        for entry in entries:
            writer.add_block(entry)
        writer.close()
    return path


def with_block(entry: ArchiveEntry, **changes: object) -> ArchiveEntry:
    return replace(entry, block=replace(entry.block, **changes))


def with_header(entry: ArchiveEntry, **changes: object) -> ArchiveEntry:
    return with_block(entry, header=replace(entry.block.header, **changes))


def with_transactions(entry: ArchiveEntry, transactions: Sequence[Transaction]) -> ArchiveEntry:
    """The block with these transactions, and what their senders need not sign made to fit."""
    ids = [bytes(transaction_id(transaction)) for transaction in transactions]
    receipts = tuple(
        replace(receipt, transaction_id=name)
        for receipt, name in zip(entry.receipts, ids, strict=True)
    )
    block = replace(entry.block, transactions=tuple(transactions))
    return replace(entry, block=block, receipts=receipts)


def relinked(entries: Entries, first: int, *, is_sorted: bool = False) -> Entries:
    """All that needs no key made to fit again from `first` on: roots, links, statements."""
    made = entries[:first]
    for entry in entries[first:]:
        previous = block_hash(made[-1].block.header)
        block, receipts = entry.block, entry.receipts
        if is_sorted:
            pairs = sorted(
                zip(block.transactions, receipts, strict=True),
                key=lambda pair: order_key(previous, transaction_id(pair[0])),
            )
            block = replace(block, transactions=tuple(one for one, _ in pairs))
            receipts = tuple(one for _, one in pairs)
        header = replace(
            block.header,
            previous_hash=previous,
            transactions_root=transactions_root(block.transactions),
        )
        statement = replace(
            entry.statement,
            block_hash=block_hash(header),
            receipts_root=receipts_root(receipts),
            time_ms=header.time_ms,
        )
        block = replace(block, header=header)
        made.append(replace(entry, block=block, receipts=receipts, statement=statement))
    return made


def bent(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])
