"""Domain records <-> the protobuf messages of the client interface."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.committee import Epoch
from ledger.encoding import encode
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
from shuxin.v1 import node_pb2


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
