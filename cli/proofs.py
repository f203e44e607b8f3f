"""Checks a transaction's proof as somebody would who trusts only the genesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.output import CommandRefused, Json

if TYPE_CHECKING:
    from client.node import Outcome
    from crypto.provider import SignedItem
    from ledger.genesis import Genesis


def check_proof(outcome: Outcome, *, wanted: bytes, genesis: Genesis) -> dict[str, Json]:
    """What was checked. Raises CommandRefused, ProofInvalid or CertificateInvalid.

    The quorum's signatures bind the block hash and the receipts root; the header binds the
    transactions root; the two Merkle paths lead from there to this transaction and receipt.
    """
    from crypto.provider import SignedItem
    from ledger.certificates import verify_execution_certificate
    from ledger.encoding import decode
    from ledger.genesis import chain_id
    from ledger.merkle import transaction_leaf, verify_path
    from ledger.model import (
        TAG_TRANSACTION,
        TransactionBody,
        block_hash,
        receipt_digest,
        transaction_id,
    )

    proof = outcome.proof
    if proof is None:
        raise CommandRefused("proof.missing", "not certified yet: ask again in a moment")
    if transaction_id(outcome.transaction) != wanted:
        raise CommandRefused("proof.other", "the node answered with another transaction")
    statement = proof.certificate.statement
    verify_execution_certificate(
        proof.certificate, genesis.validators, chain_id(genesis), _verdicts
    )
    if statement.block_hash != block_hash(proof.header):
        raise CommandRefused("proof.header", "the certificate is about another block")
    verify_path(
        transaction_leaf(outcome.transaction),
        proof.transaction_path,
        proof.header.transactions_root,
    )
    verify_path(receipt_digest(outcome.receipt), proof.receipt_path, statement.receipts_root)
    data = outcome.transaction.body
    body = decode(data, TransactionBody, size_max=len(data))
    signed = SignedItem(body.sender, TAG_TRANSACTION + data, outcome.transaction.signature)
    if not _verdicts([signed])[0]:
        raise CommandRefused("proof.signature", "the sender's signature is not valid")
    return {
        "proven": True,
        "chain_id": statement.chain_id.hex(),
        "block_hash": statement.block_hash.hex(),
        "state_root": statement.state_root.hex(),
        "signatures": len(proof.certificate.signatures),
        "quorum": genesis.validators.quorum,
        "validators": genesis.validators.size,
    }


def _verdicts(items: Sequence[SignedItem]) -> list[bool]:
    """Verification without a key of our own."""
    from crypto import sm2
    from crypto.errors import KeyInvalid, SignatureInvalid

    verdicts: list[bool] = []
    for item in items:
        try:
            sm2.verify(item.public_key, item.message, item.signature)
        except (KeyInvalid, SignatureInvalid):
            verdicts.append(False)
        else:
            verdicts.append(True)
    return verdicts
