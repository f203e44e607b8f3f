"""Domain records <-> the protobuf messages of the client interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ledger.committee import Epoch
from ledger.encoding import encode
from ledger.history.pages import AccountEntry, KeyChange, Page, SubjectEntry
from ledger.merkle import ListPath
from ledger.model import (
    Block,
    BlockHeader,
    CommitCertificate,
    Event,
    ExecutionCertificate,
    Receipt,
    Transaction,
    block_hash,
)
from node.growth import Growth
from shuxin.v1 import node_pb2

R = TypeVar("R")


def growth_status(growth: Growth) -> node_pb2.GrowthStatus:
    return node_pb2.GrowthStatus(
        base=growth.base,
        archived_below=growth.archived_below,
        ledger_bytes=growth.ledger,
        journal_bytes=growth.journal,
        archives_bytes=growth.archives,
        free_bytes=growth.free,
        archives_free_bytes=growth.archives_free,
        archiving_failure=growth.failure,
    )


def transaction_reply(
    transaction: Transaction, receipt: Receipt, *, height: int, index: int
) -> node_pb2.TransactionReply:
    return node_pb2.TransactionReply(
        transaction=encode(transaction), receipt=encode(receipt), height=height, index=index
    )


def add_proof(
    reply: node_pb2.TransactionReply,
    *,
    header: BlockHeader,
    certificate: ExecutionCertificate,
    transaction_path: ListPath,
    receipt_path: ListPath,
) -> None:
    """Complete `reply` with what ties it to a quorum's signatures."""
    reply.header = encode(header)
    reply.certificate = encode(certificate)
    reply.transaction_path.CopyFrom(merkle_path(transaction_path))
    reply.receipt_path.CopyFrom(merkle_path(receipt_path))


def merkle_path(path: ListPath) -> node_pb2.MerklePath:
    return node_pb2.MerklePath(index=path.index, size=path.size, siblings=path.siblings)


def block_reply(
    block: Block,
    receipts: Sequence[Receipt],
    commit_certificate: CommitCertificate | None,
    execution_certificate: ExecutionCertificate | None,
) -> node_pb2.BlockReply:
    return node_pb2.BlockReply(
        block=encode(block),
        commit_certificate=encode(commit_certificate) if commit_certificate else b"",
        execution_certificate=encode(execution_certificate) if execution_certificate else b"",
        receipts=[encode(receipt) for receipt in receipts],
        hash=block_hash(block.header),
    )


def committee_item(epoch: Epoch, certificate: ExecutionCertificate) -> node_pb2.CommitteeItem:
    """An epoch and the `certificate`, of its base, that hands over to it."""
    return node_pb2.CommitteeItem(
        base=epoch.base, validators=encode(epoch.validators), certificate=encode(certificate)
    )


def event_item(
    event: Event | None, *, height: int, index: int, transaction_id: bytes, time_ms: int
) -> node_pb2.EventItem:
    """An event, or with None the heartbeat that moves a subscriber's cursor."""
    return node_pb2.EventItem(
        height=height,
        index=index,
        transaction_id=transaction_id,
        event=encode(event) if event is not None else b"",
        time_ms=time_ms,
    )


# --- history --------------------------------------------------------------------------------


def key_history(page: Page[KeyChange]) -> node_pb2.KeyHistoryReply:
    return node_pb2.KeyHistoryReply(
        rows=[
            node_pb2.KeyHistoryRow(
                height=row.height,
                time_ms=row.time_ms,
                present=row.value is not None,
                value=row.value or b"",
                transaction_id=row.transaction_id,
            )
            for row in page.rows
        ],
        end=_page_end(page),
    )


def account_history(page: Page[AccountEntry]) -> node_pb2.AccountHistoryReply:
    return node_pb2.AccountHistoryReply(
        rows=[
            node_pb2.AccountHistoryRow(
                height=row.height,
                index=row.index,
                time_ms=row.time_ms,
                transaction_id=row.transaction_id,
                contract=row.contract,
                method=row.method,
                status=row.status,
                error=row.error,
            )
            for row in page.rows
        ],
        end=_page_end(page),
    )


def subject_history(page: Page[SubjectEntry]) -> node_pb2.SubjectHistoryReply:
    return node_pb2.SubjectHistoryReply(
        rows=[
            node_pb2.SubjectHistoryRow(
                item=event_item(
                    row.event,
                    height=row.height,
                    index=row.index,
                    transaction_id=row.transaction_id,
                    time_ms=row.time_ms,
                ),
                fields=row.fields,
            )
            for row in page.rows
        ],
        end=_page_end(page),
    )


def _page_end(page: Page[R]) -> node_pb2.PageEnd:
    return node_pb2.PageEnd(
        cursor=page.cursor,
        is_complete=page.is_complete,
        first_height=page.first,
        height=page.height,
    )
