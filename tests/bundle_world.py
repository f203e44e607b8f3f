"""Proof bundles for tests: good ones of two small chains, and ways to make others from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec

from ledger.bundle import (
    PARTY_NAMESPACE,
    Bundle,
    Claim,
    Facts,
    StateClaim,
    StatesClaim,
    TransactionClaim,
    check_bundle,
    decode_bundle,
    encode_bundle,
    party_key,
)
from ledger.encoding import decode, encode
from ledger.genesis import Genesis, Limits
from ledger.merkle import (
    path,
    receipts_leaves,
    receipts_root,
    root_of,
    steps_of,
    transactions_leaves,
)
from ledger.model import (
    TAG_TRANSACTION,
    ExecutionCertificate,
    ExecutionStatement,
    Receipt,
    Record,
    StateWrite,
    Transaction,
    TransactionBody,
    Validator,
    ValidatorSet,
    address_of,
    block_hash,
    execution_message,
    transaction_id,
)
from ledger.proof import StateKey
from ledger.succession import CommitteeChange
from ledger.values import encode_value
from tests.ledger_world import (
    NAMESPACE,
    World,
    all_but,
    committee,
    fake_sign,
    fake_verify_batch,
    sign_all,
)

R = TypeVar("R", bound=Record)
PARTY = "supplier-a"
KEY = encode_value(["records", "e-1"])
VALUE = encode_value(["e-1", "delivery.sent", 7])
PRESENT = (("evidence", KEY), *((NAMESPACE, b"k%06d" % i) for i in range(3)))
MIXED = (("evidence", b"never"), *PRESENT, (NAMESPACE, b"never"))
# What the state holds as the parties of the senders, by place in the block.
PARTIES = (None, encode_value(5), b"\xff", encode_value(PARTY), encode_value(PARTY))


@dataclass(frozen=True, slots=True)
class Proofs:
    """One chain of one block, and bundles of what it holds."""

    genesis: Genesis
    transaction: Bundle
    strangers: tuple[Bundle, ...]  # with senders that no party stands for
    state: Bundle
    absence: Bundle
    states: Bundle  # of keys that all hold something
    mixed: Bundle  # of such keys and absent ones


@cache
def proofs() -> Proofs:
    with TemporaryDirectory() as folder:
        world = World(Path(folder) / "ledger")
        ordered = [signed(world.transaction().body) for _ in PARTIES]
        included = world.block(ordered)[0].transactions
        writes = (
            StateWrite("evidence", KEY, VALUE),
            *world.writes(40),
            *(
                StateWrite(PARTY_NAMESPACE, party_key(_sender(transaction)), value)
                for transaction, value in zip(included, PARTIES, strict=True)
                if value is not None
            ),
        )
        world.include(ordered, writes)
        world.certify(1)
        bundles = [_transaction_bundle(world, 1, place) for place in range(len(PARTIES))]
        made = Proofs(
            genesis=world.genesis,
            transaction=bundles[3],
            strangers=tuple(bundles[:3]),
            state=bundle_of(world, state_claim(world, "evidence", KEY)),
            absence=bundle_of(world, state_claim(world, "evidence", b"never")),
            states=bundle_of(world, _states_claim(world, PRESENT)),
            mixed=bundle_of(world, _states_claim(world, MIXED)),
        )
        world.store.close()
    return made


@dataclass(frozen=True, slots=True)
class Moved:
    """A chain whose committee changed twice, and bundles of what it holds.

    Four validators order up to block 3, five up to block 7, then five of whom one is new.
    """

    genesis: Genesis
    committees: tuple[ValidatorSet, ...]
    transaction: Bundle  # of block 5, with a party proven at block 8
    state: Bundle  # at block 8
    handover: Bundle  # the state at block 7, the last one of the second committee


@cache
def moved() -> Moved:
    with TemporaryDirectory() as folder:
        world = World(Path(folder) / "ledger", limits=Limits(watermark_window=2))
        five = committee(5)
        new = Validator("v5", "party5", b"\x66" * 64, "peer5")
        others = ValidatorSet((five.validators[0], new, *five.validators[2:]))
        ordered = [signed(world.transaction().body) for _ in range(3)]
        parties = [
            StateWrite(PARTY_NAMESPACE, party_key(_sender(transaction)), encode_value(PARTY))
            for transaction in ordered
        ]
        world.commit(writes=[StateWrite("evidence", KEY, VALUE), *world.writes(9)], decides=five)
        for _ in range(3):
            world.commit()
        world.include(ordered, parties, decides=others)
        for _ in range(3):
            world.commit()
        for height in range(1, 8):
            world.certify(height)
        handover = bundle_of(world, state_claim(world, "evidence", KEY))
        world.certify(8)
        made = Moved(
            genesis=world.genesis,
            committees=(world.validators, five, others),
            transaction=_transaction_bundle(world, 5, 1),
            state=bundle_of(world, state_claim(world, "evidence", KEY)),
            handover=handover,
        )
        world.store.close()
    return made


def _transaction_bundle(world: World, height: int, place: int) -> Bundle:
    block, receipts = world.store.block(height), world.store.receipts(height)
    wanted = block.transactions[place]
    claim = TransactionClaim(
        transaction=wanted,
        receipt=receipts[place],
        transaction_path=steps_of(path(transactions_leaves(block.transactions), place)),
        receipt_path=steps_of(path(receipts_leaves(receipts), place)),
        header=block.header,
        certificate=world.execution_certificate(height),
        party=state_claim(world, PARTY_NAMESPACE, party_key(_sender(wanted))),
    )
    return bundle_of(world, claim)


def _sender(transaction: Transaction) -> str:
    return address_of(decode(transaction.body, TransactionBody, size_max=4096).sender)


def bundle_of(world: World, claim: Claim) -> Bundle:
    return Bundle(world.chain_id, world.validators, _changes(world), claim)


def _changes(world: World) -> tuple[CommitteeChange, ...]:
    """Those that took effect."""
    return tuple(
        CommitteeChange(epoch.validators, world.execution_certificate(epoch.base))
        for epoch in world.store.epochs.all[1:]
        if epoch.base <= world.store.certified_height
    )


def state_claim(world: World, namespace: str, key: bytes) -> StateClaim:
    found = world.store.prove_certified(namespace, key)
    assert found is not None
    _, proof, certificate = found
    return StateClaim(namespace, key, proof, certificate)


def _states_claim(world: World, keys: tuple[StateKey, ...]) -> StatesClaim:
    found = world.store.prove_batch(keys)
    assert found is not None
    return StatesClaim(keys, *found)


def signed(body: bytes) -> Transaction:
    sender = decode(body, TransactionBody, size_max=4096).sender
    return Transaction(body, fake_sign(sender, TAG_TRANSACTION + body))


def check(bundle: Bundle, genesis: Genesis | None = None) -> Facts:
    """As a reader of the file would: through its bytes."""
    read = decode_bundle(encode_bundle(bundle))
    return check_bundle(read, genesis or proofs().genesis, fake_verify_batch)


def altered(record: R, **changes: object) -> R:
    return msgspec.structs.replace(record, **changes)


def claim_of(bundle: Bundle) -> TransactionClaim:
    assert isinstance(bundle.claim, TransactionClaim)
    return bundle.claim


def with_claim(**changes: object) -> Bundle:
    """The transaction's bundle with other parts."""
    bundle = proofs().transaction
    return altered(bundle, claim=altered(claim_of(bundle), **changes))


def resigned(
    statement: ExecutionStatement, validators: ValidatorSet | None = None
) -> ExecutionCertificate:
    """What a colluding quorum could make, of the committee of the genesis if none is given."""
    signing = validators or committee()
    message = execution_message(statement)
    return ExecutionCertificate(statement, sign_all(message, signing, all_but(1, signing)))


def with_statement(**changes: object) -> Bundle:
    """The transaction's bundle with another statement that a quorum did sign."""
    statement = claim_of(proofs().transaction).certificate.statement
    return with_claim(certificate=resigned(altered(statement, **changes)))


def with_block_of(transaction: Transaction, receipt: Receipt) -> Bundle:
    """A bundle of a block that holds nothing but this, signed by a quorum."""
    claim = claim_of(proofs().transaction)
    root = root_of([transaction_id(transaction)])
    header = altered(claim.header, transactions_root=root)
    statement = altered(
        claim.certificate.statement,
        block_hash=block_hash(header),
        receipts_root=receipts_root([receipt]),
    )
    return with_claim(
        transaction=transaction,
        receipt=receipt,
        transaction_path=(),
        receipt_path=(),
        header=header,
        certificate=resigned(statement),
    )


def with_body(**changes: object) -> Bundle:
    """A block of a transaction with another, well signed, body."""
    claim = claim_of(proofs().transaction)
    body = decode(claim.transaction.body, TransactionBody, size_max=4096)
    transaction = signed(encode(altered(body, **changes)))
    receipt = altered(claim.receipt, transaction_id=transaction_id(transaction))
    return with_block_of(transaction, receipt)
