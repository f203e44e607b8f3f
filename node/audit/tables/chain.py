"""The chain as tables: blocks, transactions, receipts, events, committees, signatures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger.commit import StoredBlock
from ledger.committee import Epochs
from ledger.model import ValidatorSet, address_of, block_hash
from ledger.store import Store
from node.audit.acts.act import Act
from node.audit.acts.values import json_of
from node.audit.tables.acts import ARGUMENTS
from node.audit.tables.columns import PLACE, Row, Table, integer, moment, text, truth

BLOCKS: Final = Table(
    "blocks",
    "one row for each height, the genesis included",
    (
        integer("height"),
        moment("time", "UTC"),
        integer("proposer", "place in its committee; empty for the genesis"),
        text("proposer_name", "name of the node"),
        text("proposer_party"),
        integer("view", "in which it was ordered; above 0 after changes of the primary"),
        integer("transactions"),
        integer("refused", "transactions whose status is not 0"),
        integer("dropped", "ordered and left out by the rules"),
        integer("gas", "used"),
        text("hash"),
        text("previous_hash"),
        text("state_root", "after the block, as the replay found it"),
        truth("is_certified", "it has an execution certificate of its own"),
    ),
)
TRANSACTIONS: Final = Table(
    "transactions",
    "what senders signed",
    (
        *PLACE,
        text("sender", "address"),
        text("contract"),
        text("method"),
        ARGUMENTS,
    ),
)
RECEIPTS: Final = Table(
    "receipts",
    "what came of each transaction",
    (
        *PLACE,
        integer("status", "0 is success"),
        text("error", "name of the status; empty for success"),
        text("refusal", "dotted code of the contract that refused"),
        text("detail"),
        integer("gas", "used"),
        integer("events"),
    ),
)
EVENTS: Final = Table(
    "events",
    "what contracts told",
    (
        *PLACE,
        integer("number", "place in the receipt"),
        text("contract"),
        text("name"),
        text("fields", "JSON object; bytes as 0x and hexadecimal"),
    ),
)
COMMITTEE: Final = Table(
    "committee",
    "one row for each member of each committee",
    (
        integer("from_height", "first height that it orders"),
        integer("place", "in the committee"),
        text("name", "of the node"),
        text("party"),
        text("address", "of its consensus key"),
        text("public_key"),
        text("peer_id"),
    ),
)
SIGNATURES: Final = Table(
    "signatures",
    "one row for each signature in a certificate, verified",
    (
        integer("height"),
        text("kind", "commit: that it is ordered; execution: what executing it gave"),
        integer("place", "of the signer in the committee"),
        text("name", "of the node"),
        text("party"),
        text("signature"),
    ),
)


def block_row(stored: StoredBlock, validators: ValidatorSet) -> Row:
    """Of BLOCKS."""
    block, header = stored.block, stored.block.header
    commit = stored.commit_certificate
    by = validators.validators[header.proposer] if commit is not None else None
    return (
        header.height,
        header.time_ms,
        header.proposer if by is not None else None,
        by.name if by is not None else "",
        by.party if by is not None else "",
        commit.view if commit is not None else None,
        len(block.transactions),
        sum(receipt.status != 0 for receipt in stored.receipts),
        len(block.dropped),
        sum(receipt.gas_used for receipt in stored.receipts),
        block_hash(header).hex(),
        header.previous_hash.hex(),
        stored.statement.state_root.hex(),
        stored.execution_certificate is not None,
    )


def transaction_row(act: Act) -> Row:
    """Of TRANSACTIONS."""
    return (
        *_place(act),
        act.sender,
        act.contract,
        act.method,
        json_of(act.arguments),
    )


def receipt_row(act: Act) -> Row:
    """Of RECEIPTS."""
    return (
        *_place(act),
        act.status,
        act.error,
        act.refusal,
        act.detail,
        act.gas,
        len(act.events),
    )


def event_rows(act: Act) -> Iterator[Row]:
    """Of EVENTS."""
    for number, told in enumerate(act.events):
        yield *_place(act), number, told.contract, told.name, json_of(told.fields.items())


def committee_rows(epochs: Epochs, height: int) -> Iterator[Row]:
    """Of COMMITTEE: those that took over up to `height`."""
    for epoch in epochs.decided:
        if epoch.base <= height:
            for place, member in enumerate(epoch.validators.validators):
                yield (
                    epoch.base + 1,
                    place,
                    member.name,
                    member.party,
                    address_of(member.public_key),
                    member.public_key.hex(),
                    member.peer_id,
                )


def signature_rows(stored: StoredBlock, validators: ValidatorSet) -> Iterator[Row]:
    """Of SIGNATURES."""
    height = stored.block.header.height
    certificates = (
        ("commit", stored.commit_certificate),
        ("execution", stored.execution_certificate),
    )
    for kind, certificate in certificates:
        for signed in certificate.signatures if certificate is not None else ():
            by = validators.validators[signed.validator]
            yield height, kind, signed.validator, by.name, by.party, signed.signature.hex()


def validators_at(store: Store, height: int) -> ValidatorSet:
    """The committee that ordered a height."""
    return store.epochs.at(height).validators


def _place(act: Act) -> Row:
    return act.height, act.index, act.time_ms, act.transaction
