"""Why a block does not follow from the one before it, named as exactly as it can be.

Whether it follows, `ledger.blocks` and the certificates decide; here is only said what is wrong, in
the order in which one thing explains another: who altered a transaction altered the order, the
root, the hash and so every certificate, and wants to be told about the transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from contracts.vm.code_records import CODE, CONTRACT, source_key
from crypto import sm3
from ledger.blocks import expected_header, order_key
from ledger.encoding import decode
from ledger.errors import BlockInvalid, DecodeError
from ledger.model import (
    Block,
    BlockHeader,
    Record,
    Transaction,
    TransactionBody,
    block_hash,
    transaction_id,
)
from ledger.store import Store
from ledger.values import decode_value
from node.audit.examined import Examined
from node.audit.signatures import Fault, Signatures
from node.audit.verdict import Divergence, Kind
from node.execute import ChainRules, check_block

# In the order in which one explains another; `proposer` can be any.
_HEADER_KINDS = {
    "height": Kind.MISSING_BLOCK,
    "chain_id": Kind.GENESIS,
    "version": Kind.BLOCK,
    "previous_hash": Kind.FORK,
    "validators_hash": Kind.VALIDATOR_SET,
    "time_ms": Kind.TIME,
    "transactions_root": Kind.TRANSACTION,
}
_SOURCE_PLACES = {"deploy": 1, "upgrade": 2}  # of the source among the arguments


def sender_fault(block: Block, height: int, signatures: Signatures) -> Divergence | None:
    """A transaction that its sender did not sign."""
    if signatures.malformed:
        return Divergence(height, Kind.TRANSACTION, _without_place(signatures.malformed, height))
    if signatures.sender is None:
        return None
    altered = block.transactions[signatures.sender]
    name = transaction_id(altered).hex()
    code = _brought_code(altered)
    if code is not None:
        key, digest = code
        return Divergence(
            height,
            Kind.CONTRACT_CODE,
            "signature of the transaction that brings a contract's source",
            name,
            key,
            "source that the sender signed",
            f"source with SM3 {digest} and an invalid signature",
        )
    return Divergence(
        height, Kind.SIGNATURE, "signature", name, "", "a valid one", "an invalid one"
    )


def rule_fault(block: Block, height: int, again: Store, rules: ChainRules) -> Divergence | None:
    """A block that is not the one that the rule makes of its contents after `again`'s head."""
    try:
        check_block(block, again, rules)
    except BlockInvalid as error:
        previous = again.header(again.height)
        validators = again.epochs.at(height).validators.digest
        expected = expected_header(block, previous, validators, rules.chain_id)
        return (
            _header_cause(block.header, expected)
            or _contents_cause(block, height, again)
            or Divergence(height, Kind.TRANSACTION, _without_place(str(error), height))
        )
    return None


def quorum_fault(stored: Examined, height: int, signatures: Signatures) -> Divergence | None:
    """A quorum signed that it executed another block at this height."""
    certificate, header = stored.execution_certificate, stored.block.header
    if certificate is None or signatures.execution is not None:
        return None
    signed = certificate.statement
    if signed.time_ms != header.time_ms:
        times = str(signed.time_ms), str(header.time_ms)
        return Divergence(height, Kind.TIME, "time_ms is not what a quorum signed", "", "", *times)
    found = block_hash(header)
    if signed.block_hash != found:
        hashes = signed.block_hash.hex(), found.hex()
        return Divergence(height, Kind.FORK, "a quorum executed another block", "", "", *hashes)
    return None


def certificate_fault(height: int, fault: Fault | None) -> Divergence | None:
    if fault is None:
        return None
    check = _without_place(fault.check, height)
    return Divergence(height, Kind.CERTIFICATE, check, "", "", fault.expected, fault.found)


def genesis_fault(again: Store, found: Examined) -> Divergence | None:
    """Block 0, of which everything follows from the genesis."""
    expected = next(again.iterate_blocks(0, 0))
    pairs: list[tuple[Record, Record]] = [(expected.block.header, found.block.header)]
    if found.statement is not None:
        pairs.append((expected.statement, found.statement))
    for one, other in pairs:
        for field in one.__struct_fields__:
            values = text(getattr(one, field)), text(getattr(other, field))
            if values[0] != values[1]:
                return Divergence(0, Kind.GENESIS, field, "", "", *values)
    certificates = found.commit_certificate, found.execution_certificate
    if expected.block != found.block or found.receipts or certificates != (None, None):
        return Divergence(0, Kind.GENESIS, "block 0 holds more than the genesis makes of it")
    return None


def text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _header_cause(found: BlockHeader, expected: BlockHeader) -> Divergence | None:
    for field, kind in _HEADER_KINDS.items():
        one, other = getattr(expected, field), getattr(found, field)
        if one != other:
            check = f"its {field} is not what the rule makes it"
            return Divergence(expected.height, kind, check, "", "", text(one), text(other))
    return None


def _contents_cause(block: Block, height: int, again: Store) -> Divergence | None:
    ids: Sequence[bytes] = [transaction_id(transaction) for transaction in block.transactions]
    for name, count in Counter([*ids, *block.dropped]).items():
        if count > 1:
            check = "a transaction occurs twice"
            return Divergence(height, Kind.TRANSACTION, check, name.hex(), "", "once", f"{count}")
    ordered = sorted(ids, key=lambda name: order_key(block.header.previous_hash, name))
    for place, (expected, found) in enumerate(zip(ordered, ids, strict=True)):
        if expected != found:
            right = f"at place {ordered.index(found)}"
            return Divergence(
                height,
                Kind.ORDER,
                "the transactions are out of order",
                found.hex(),
                "",
                right,
                f"at place {place}",
            )
    if list(block.dropped) != sorted(block.dropped):
        return Divergence(height, Kind.ORDER, "the dropped ids do not ascend")
    for name in ids:
        place_before = again.find_transaction(name)
        if place_before is not None:
            before = f"in block {place_before[0]}"
            check = "a transaction that an earlier block includes"
            return Divergence(
                height, Kind.TRANSACTION, check, name.hex(), "", f"only {before}", "here, too"
            )
    return None


def _brought_code(transaction: Transaction) -> tuple[str, str] | None:
    """(state key, SM3) of the source that a call of the life cycle carries; None: no such call."""
    try:
        body = decode(transaction.body, TransactionBody, size_max=len(transaction.body))
        args = decode_value(body.args, size_max=len(body.args))
    except DecodeError:
        return None
    place = _SOURCE_PLACES.get(body.method)
    if body.contract != CONTRACT or place is None or not isinstance(args, list):
        return None
    if len(args) <= place or not isinstance(args[0], str) or not isinstance(args[place], str):
        return None
    sequence = args[1] if body.method == "upgrade" else 1
    if not isinstance(sequence, int):
        return None
    key = f"{CODE}/{source_key(args[0], sequence).decode()}"
    return key, sm3.digest(str(args[place]).encode()).hex()


def _without_place(sentence: str, height: int) -> str:
    """The divergence names the height already."""
    return sentence.removeprefix(f"block {height}: ")
