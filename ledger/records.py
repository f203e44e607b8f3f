"""Typed reading of stored records; what is missing or undecodable is damage, named by height."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from ledger.committee import Epoch, Epochs
from ledger.encoding import decode
from ledger.errors import REMEDY, DecodeError, LedgerDamaged, OtherFormat
from ledger.genesis import GENESIS_SIZE_MAX, Genesis, chain_id
from ledger.model import (
    Block,
    BlockHeader,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Receipt,
    StateWrite,
    ValidatorSet,
)
from ledger.recovery import Recovery, domain_after
from ledger.schema import (
    BASE_KEY,
    BLOCK,
    CERTIFIED_KEY,
    CHANGES,
    COMMIT_CERTIFICATE,
    EXECUTION_CERTIFICATE,
    FORMAT,
    FORMAT_KEY,
    GENESIS_KEY,
    HASH,
    HEAD_KEY,
    HEADER,
    RECEIPTS,
    STATEMENT,
    STORED_SIZE_MAX,
    TRANSACTION,
    Changes,
    Place,
    Receipts,
    at_height,
    unseal,
)

T = TypeVar("T")


class Source(Protocol):
    """Where bytes come from: the database or a snapshot of it."""

    def get(self, key: bytes, *, height: int | None = None) -> bytes | None: ...


class Records:
    """All methods raise LedgerDamaged for what a ledger must have and does not."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def genesis(self) -> Genesis:
        """The genesis of a ledger in our format."""
        form = self._source.get(FORMAT_KEY)
        if form != FORMAT:
            is_other = re.fullmatch(rb"shuxin ledger \d+", form or b"") is not None
            raise (OtherFormat if is_other else LedgerDamaged)(
                f"the format of the ledger is {form!r}, this release reads {FORMAT!r}; use the "
                "release that wrote it, or let the node rejoin with an empty data directory"
            )
        return _decoded(self._source.get(GENESIS_KEY), Genesis, GENESIS_SIZE_MAX, "genesis", 0)

    def head_height(self) -> int:
        return self._number(HEAD_KEY)

    def certified_height(self) -> int:
        return self._number(CERTIFIED_KEY)

    def base(self) -> int:
        """The lowest height of which everything is stored."""
        return 0 if self._source.get(BASE_KEY) is None else self._number(BASE_KEY)

    def header(self, height: int) -> BlockHeader:
        return self._need(HEADER, height, BlockHeader, "header")

    def block(self, height: int) -> Block:
        return self._need(BLOCK, height, Block, "block")

    def receipts(self, height: int) -> tuple[Receipt, ...]:
        return self._need(RECEIPTS, height, Receipts, "receipts").receipts

    def changes(self, height: int) -> tuple[StateWrite, ...] | None:
        """The state writes of a block; None for one that came with a snapshot."""
        key = at_height(CHANGES, height)
        stored = self._source.get(key, height=height)
        if stored is None:
            return None
        try:
            data = unseal(key, stored)
        except LedgerDamaged:
            raise LedgerDamaged(
                f"block {height}: its list of changes is damaged; {REMEDY}", height=height
            ) from None
        return _decoded(data, Changes, STORED_SIZE_MAX, "list of changes", height).writes

    def statement(self, height: int) -> ExecutionStatement:
        return self._need(STATEMENT, height, ExecutionStatement, "statement")

    def commit_certificate(self, height: int) -> CommitCertificate | None:
        """None for the genesis block only."""
        if height == 0:
            return None
        return self._need(COMMIT_CERTIFICATE, height, CommitCertificate, "commit certificate")

    def execution_certificate(self, height: int) -> ExecutionCertificate | None:
        """None while the block is not certified, and for the genesis block."""
        data = self._source.get(at_height(EXECUTION_CERTIFICATE, height), height=height)
        if data is None:
            return None
        return _decoded(
            data, ExecutionCertificate, STORED_SIZE_MAX, "execution certificate", height
        )

    def recoveries(self, stored: Iterable[tuple[bytes, bytes]]) -> tuple[Recovery, ...]:
        """The recovery plans in force, in order, from the rows of their table."""
        found: list[Recovery] = []
        for key, data in stored:
            height = int.from_bytes(key[1:], "big")
            found.append(_decoded(data, Recovery, STORED_SIZE_MAX, "recovery plan", height))
            if len(key) != 9 or found[-1].plan.number != height or height != len(found):
                raise LedgerDamaged("the table of recoveries is malformed; restore this ledger")
        return tuple(found)

    def epochs(
        self, stored: Iterable[tuple[bytes, bytes]], recoveries: Sequence[Recovery]
    ) -> Epochs:
        """All epochs, from the rows of the table of committees and the recovery plans."""
        genesis = self.genesis()
        epochs = Epochs([Epoch(0, genesis.validators, chain_id(genesis))])
        for key, data in stored:
            base = int.from_bytes(key[1:], "big")
            if len(key) != 9 or base <= epochs.newest.base:
                raise LedgerDamaged(
                    f"the table of committees has an entry {key.hex()} that fits nowhere; "
                    "restore this ledger"
                )
            validators = _decoded(data, ValidatorSet, STORED_SIZE_MAX, "next committee", base)
            epochs = epochs.with_next(Epoch(base, validators, epochs.newest.domain))
        for recovery in recoveries:
            epochs = epochs.with_recovery(recovery.plan.height, domain_after(recovery.plan))
        return epochs

    def find_block(self, block_hash: bytes) -> int | None:
        data = self._source.get(HASH + block_hash)
        return None if data is None else int.from_bytes(data, "big")

    def find_transaction(
        self, transaction_id: bytes, *, height: int | None = None
    ) -> tuple[int, int] | None:
        """(height, index) of an included transaction; `height` is where it is expected."""
        data = self._source.get(TRANSACTION + transaction_id, height=height)
        if data is None:
            return None
        try:
            place = decode(data, Place, size_max=32)
        except DecodeError as error:
            raise LedgerDamaged(
                f"the place of transaction {transaction_id.hex()} is damaged: {error}; run a scrub",
                height=height,
            ) from None
        return place.height, place.index

    def _number(self, key: bytes) -> int:
        data = self._source.get(key)
        if data is None or len(data) != 8:
            raise LedgerDamaged(f"{key.decode()} is missing or malformed; restore this ledger")
        return int.from_bytes(data, "big")

    def _need(self, table: bytes, height: int, kind: type[T], name: str) -> T:
        data = self._source.get(at_height(table, height), height=height)
        return _decoded(data, kind, STORED_SIZE_MAX, name, height)


def _decoded(data: bytes | None, kind: type[T], size_max: int, name: str, height: int) -> T:
    if data is None:
        raise LedgerDamaged(
            f"block {height}: its {name} is missing; restore this ledger", height=height
        )
    try:
        return decode(data, kind, size_max=size_max)
    except DecodeError as error:
        raise LedgerDamaged(
            f"block {height}: its {name} is damaged: {error}; restore this ledger", height=height
        ) from None
