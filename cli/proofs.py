"""Proof bundles on the command line: fetched from a node, checked here, told in plain words.

What a bundle is and what it proves is `ledger.bundle`; here is where its parts come from and how
its facts read. Nothing is printed that was not checked against the genesis.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import event_fields
from cli.options import Invocation
from cli.output import Answer, CommandRefused, Fields, Json, plain
from cli.readable import time_text
from cli.stored import place_of, value_told

if TYPE_CHECKING:
    from client.connection import Connection
    from client.node import Outcome
    from ledger.bundle import (
        Bundle,
        Certified,
        Facts,
        StateClaim,
        StateFacts,
        StatesClaim,
        StatesFacts,
        TransactionClaim,
        TransactionFacts,
    )
    from ledger.genesis import Genesis
    from ledger.proof import StateKey
    from ledger.values import Value

EVIDENCE = "evidence"
EVIDENCE_MAP = "records"  # the variable of the contract that holds its records, by id

BundleOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        dir_okay=False,
        help="Keep the proof in this file, for `shuxin audit check`.",
    ),
]

GenesisFile = Annotated[
    Path, typer.Option(help="The genesis file you trust; all else is checked against it.")
]


# --- from a node ----------------------------------------------------------------------------


def trusted_genesis(ask: Invocation, node: Connection) -> tuple[Genesis, str]:
    """The genesis to check against, and in words whose it is."""
    from ledger.genesis import load_genesis

    if ask.genesis_path is not None:
        return load_genesis(ask.genesis_path), str(ask.genesis_path)
    return node.genesis(), f"the genesis that {ask.target} sent; use --genesis FILE"


def prove_transaction(node: Connection, wanted: bytes, genesis: Genesis) -> Bundle:
    """A transaction with its proof and, if the sender has one, its party. Not checked yet."""
    from ledger.bundle import TransactionClaim
    from ledger.merkle import steps_of

    outcome = node.transaction(wanted, proof=True)
    proof = outcome.proof
    if proof is None:
        raise CommandRefused("proof.missing", "not certified yet: ask again in a moment")
    claim = TransactionClaim(
        transaction=outcome.transaction,
        receipt=outcome.receipt,
        transaction_path=steps_of(proof.transaction_path),
        receipt_path=steps_of(proof.receipt_path),
        header=proof.header,
        certificate=proof.certificate,
        party=_sender_party(node, outcome),
    )
    return _bundle(node, claim, genesis)


def prove_evidence(node: Connection, evidence_id: str, genesis: Genesis) -> Bundle:
    """A record of the contract `evidence` with its proof. Not checked yet."""
    from ledger.values import encode_value

    claim = _state_claim(node, EVIDENCE, encode_value([EVIDENCE_MAP, evidence_id]))
    if claim.proof.value is None:
        raise CommandRefused(
            "evidence.unknown",
            f"at height {claim.certificate.statement.height} no record has the id {evidence_id}; "
            "look for it with `shuxin evidence list SUBJECT`",
        )
    return _bundle(node, claim, genesis)


def prove_contract(node: Connection, name: str, genesis: Genesis) -> Bundle:
    """A contract's record with its proof. Not checked yet."""
    from contracts.vm.code_records import CODE

    claim = _state_claim(node, CODE, name.encode())
    if claim.proof.value is None:
        height = claim.certificate.statement.height
        raise CommandRefused(
            "contract.unknown",
            f"at height {height} there is no contract {name}; see `shuxin contract list`",
        )
    return _bundle(node, claim, genesis)


def prove_state(
    node: Connection, namespace: str, key: bytes, genesis: Genesis, *, height: int = 0
) -> Bundle:
    """What a key of the state holds, or that it holds nothing. Not checked yet."""
    return _bundle(node, _state_claim(node, namespace, key, height=height), genesis)


def prove_states(
    node: Connection, keys: Sequence[StateKey], genesis: Genesis, *, height: int = 0
) -> Bundle:
    """What each of many keys of the state holds, in one proof. Not checked yet."""
    from ledger.bundle import StatesClaim

    found = node.states(keys, height=height)
    claim = StatesClaim(tuple(keys), found.proof, found.certificate)
    return _bundle(node, claim, genesis)


def _sender_party(node: Connection, outcome: Outcome) -> StateClaim | None:
    from ledger.bundle import PARTY_NAMESPACE, party_key
    from ledger.encoding import decode
    from ledger.model import TransactionBody, address_of

    data = outcome.transaction.body
    sender = address_of(decode(data, TransactionBody, size_max=len(data)).sender)
    claim = _state_claim(node, PARTY_NAMESPACE, party_key(sender))
    return None if claim.proof.value is None else claim


def _state_claim(node: Connection, namespace: str, key: bytes, *, height: int = 0) -> StateClaim:
    from ledger.bundle import StateClaim

    found = node.state(namespace, key, height=height)
    return StateClaim(namespace, key, found.proof, found.certificate)


def _bundle(
    node: Connection, claim: TransactionClaim | StateClaim | StatesClaim, genesis: Genesis
) -> Bundle:
    """`claim` with the committees that lead from the genesis to its certificates."""
    from ledger.bundle import Bundle, TransactionClaim

    newest = claim.certificate.statement.height
    if isinstance(claim, TransactionClaim) and claim.party is not None:
        newest = max(newest, claim.party.certificate.statement.height)
    return Bundle(
        chain_id=claim.certificate.statement.chain_id,
        committee=genesis.validators,
        committee_changes=tuple(
            change for change in node.committee_changes() if change.base <= newest
        ),
        claim=claim,
    )


# --- files ----------------------------------------------------------------------------------


def save_bundle(bundle: Bundle, path: Path) -> None:
    from ledger.bundle import encode_bundle

    path.write_bytes(encode_bundle(bundle))


def load_bundle(path: Path) -> Bundle:
    """The bundle in a file. Raises DecodeError, naming the file, for anything else."""
    from ledger.bundle import BUNDLE_SIZE_MAX, decode_bundle
    from ledger.errors import DecodeError

    with path.open("rb") as file:
        data = file.read(BUNDLE_SIZE_MAX + 1)
    try:
        return decode_bundle(data)
    except DecodeError as error:
        raise DecodeError(f"{path}: {error}") from None


def check(bundle: Bundle, genesis: Genesis) -> Facts:
    """What the bundle proves to who trusts `genesis`. Raises BundleInvalid."""
    from crypto.providers.software import verify_batch
    from ledger.bundle import check_bundle

    return check_bundle(bundle, genesis, verify_batch)


# --- in plain words -------------------------------------------------------------------------


def proven(
    ask: Invocation, bundle: Bundle, genesis: Genesis, *, trust: str, output: Path | None
) -> Answer:
    """Check a bundle, tell its facts, and keep it in `output` if it is good."""
    told = explain(check(bundle, genesis), raw=ask.json) | {"trusting": trust}
    if output is not None:
        save_bundle(bundle, output)
        told["bundle"] = str(output)
    return Fields(told)


def explain(facts: Facts, *, raw: bool) -> dict[str, Json]:
    """Who, what and when, first in one sentence; `raw` keeps times as numbers, for programs."""
    from ledger.bundle import StateFacts, StatesFacts, TransactionFacts

    match facts:
        case TransactionFacts():
            told = _transaction_told(facts, raw=raw)
        case StateFacts():
            told = _state_told(facts, raw=raw)
        case StatesFacts():
            told = _states_told(facts)
    return {"proven": True, **told, **certified_fields(facts.certified, raw=raw)}


def certified_fields(certified: Certified, *, raw: bool) -> dict[str, Json]:
    """The block that a quorum vouches for, and who signed."""
    return {
        "height": certified.height,
        "time_ms": certified.time_ms if raw else time_text(certified.time_ms),
        "block_hash": certified.block_hash.hex(),
        "state_root": certified.state_root.hex(),
        "chain_id": certified.chain_id.hex(),
        "signers": list(certified.signers),
        "signatures": len(certified.signers),
        "epoch": certified.epoch,
        "quorum": certified.quorum,
        "validators": certified.validators,
    }


def _sender_fields(facts: TransactionFacts) -> dict[str, Json]:
    """Who signed: the address and, if the bundle shows it, the party and the block that says so."""
    fields: dict[str, Json] = {"sender": facts.sender}
    if facts.party is not None:
        fields["party"] = facts.party.party
        fields["party_proven_at"] = facts.party.certified.height
    return fields


def _transaction_told(facts: TransactionFacts, *, raw: bool) -> dict[str, Json]:
    body, receipt = facts.body, facts.receipt
    party = f" of the party {facts.party.party}" if facts.party else ""
    outcome = "it was carried out"
    if receipt.status != 0:
        outcome = f"it was refused ({receipt.detail or receipt.error})"
    told: dict[str, Json] = {
        "verdict": f"proven: the account {facts.sender}{party} signed a call of "
        f"{body.contract}.{body.method}; {block_told(facts.certified)} includes it, and {outcome}",
        "kind": "transaction",
        **_sender_fields(facts),
        "contract": body.contract,
        "method": body.method,
        "arguments": _decoded(body.args),
        "status": "ok" if receipt.status == 0 else receipt.error,
        "gas_used": receipt.gas_used,
        "value": _decoded(receipt.return_value),
        "events": [event_fields(event, as_json=raw) for event in receipt.events],
        "transaction": facts.transaction_id.hex(),
    }
    if receipt.status != 0:
        told["detail"] = receipt.detail
    return told


def _state_told(facts: StateFacts, *, raw: bool) -> dict[str, Json]:
    record = evidence_record(facts)
    if record is not None:
        written = record["time_ms"]
        when = time_text(written) if isinstance(written, int) else "-"
        sentence = (
            f"{record['party']}, by the account {record['account']}, put {record['kind']} about "
            f"{record['subject']} on record as {record['id']} in block {record['height']} of "
            f"{when}; {block_told(facts.certified)} holds the record"
        )
        shown = {**record, "time_ms": written if raw else when}
        return {"verdict": f"proven: {sentence}", "kind": "state", "record": shown}
    contract = _contract_record(facts)
    if contract is not None:
        owner = f", of the party {contract['owner']}," if contract["owner"] else ""
        sentence = (
            f"in {block_told(facts.certified)} the contract {contract['name']}{owner} is "
            f"{contract['status']} with version {contract['sequence']}, since block "
            f"{contract['height']}; the SM3 of its source is {contract['code_hash']}"
        )
        return {"verdict": f"proven: {sentence}", "kind": "state", "record": contract}
    place = place_of(facts.namespace, facts.key)
    held = "nothing" if facts.value is None else "this value"
    value: Json = None
    if facts.value is not None:
        value = value_told(facts.namespace, facts.key, facts.value)
    return {
        "verdict": f"proven: the state of {block_told(facts.certified)} holds {held} under "
        f"{place.sentence}",
        "kind": "state",
        **place.told,
        "present": facts.value is not None,
        "value": value,
    }


def _states_told(facts: StatesFacts) -> dict[str, Json]:
    """One row for each key: where it stands and what it holds."""
    rows: list[Json] = []
    for (namespace, key), value in zip(facts.keys, facts.values, strict=True):
        told = None if value is None else value_told(namespace, key, value)
        place = place_of(namespace, key).told
        rows.append({**place, "present": value is not None, "value": told})
    held = sum(value is not None for value in facts.values)
    return {
        "verdict": f"proven: of {len(rows)} keys the state of {block_told(facts.certified)} holds "
        f"{held} as listed, and nothing under the other {len(rows) - held}",
        "kind": "states",
        "keys": rows,
    }


def evidence_record(facts: StateFacts) -> dict[str, Json] | None:
    """The fields by name, if this is a record of the form that the contract `evidence` stores."""
    if facts.namespace != EVIDENCE or facts.value is None:
        return None
    record = value_told(facts.namespace, facts.key, facts.value)
    if not isinstance(record, dict) or _value(facts.key) != [EVIDENCE_MAP, record.get("id")]:
        return None
    return record


def _contract_record(facts: StateFacts) -> dict[str, Json] | None:
    """The fields by name, if this is the record of a contract's life."""
    from contracts.vm.code_records import CODE, ContractRecord
    from contracts.vm.code_records import place_of as place_in_code
    from ledger.encoding import decode
    from ledger.errors import DecodeError

    if facts.namespace != CODE or facts.value is None:
        return None
    try:
        record = decode(facts.value, ContractRecord, size_max=len(facts.value))
    except DecodeError:
        return None
    if place_in_code(facts.key) != (record.name, ""):
        return None
    return {field: plain(getattr(record, field)) for field in record.__struct_fields__}


def block_told(certified: Certified) -> str:
    """A block and its time, in a sentence."""
    return f"block {certified.height} of {time_text(certified.time_ms)}"


def _decoded(data: bytes) -> Json:
    """A contract value, or the bytes if they are none: a sender may sign anything."""
    return plain(_value(data)) if data else None


def _value(data: bytes) -> Value:
    from ledger.errors import DecodeError
    from ledger.values import decode_value

    try:
        return decode_value(data)
    except DecodeError:
        return data
