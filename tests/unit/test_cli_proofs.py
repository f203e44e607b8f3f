"""What a checked bundle proves, told in plain words; what cannot be read is shown as it is."""

from __future__ import annotations

import pytest

from cli.output import Json
from cli.proofs import explain
from ledger.bundle import Certified, PartyFacts, StateFacts, StatesFacts, TransactionFacts
from ledger.model import Address, Receipt, TransactionBody
from ledger.values import Value, encode_value

BLOCK = Certified(
    chain_id=bytes(32),
    height=12,
    time_ms=1_700_000_000_000,
    block_hash=bytes(32),
    state_root=bytes(32),
    signers=("node0", "node1", "node3"),
    epoch=0,
    quorum=3,
    validators=4,
)
ACCOUNT = "ab" * 20
RECORD: list[Value] = ["e-1", "delivery.sent", "model-7", bytes(32), "", "operator"]
RECORD += [ACCOUNT, 9, 1_699_999_000_000, b"\1" * 32, 0, "plain", "", ""]


def _transaction(
    *, args: bytes = encode_value(["bob", 5]), status: int = 0, party: str = ""
) -> TransactionFacts:
    body = TransactionBody(1, bytes(32), bytes(64), bytes(16), 99, "bank", "transfer", args, 1)
    error, detail = ("refused", "bank.poor: save more") if status else ("", "")
    receipt = Receipt(bytes(32), status, 7, (), b"", error, detail)
    holder = PartyFacts(BLOCK, party) if party else None
    return TransactionFacts(BLOCK, bytes(32), Address(ACCOUNT), body, receipt, holder)


def _state(key: list[Value], value: Value) -> StateFacts:
    stored = None if value is None else encode_value(value)
    return StateFacts(BLOCK, "evidence", encode_value(key), stored)


def _verdict(told: dict[str, Json]) -> str:
    return str(told["verdict"])


def test_a_transaction_is_told_with_its_account_call_and_block() -> None:
    told = explain(_transaction(), raw=True)
    assert f"the account {ACCOUNT} signed a call of bank.transfer" in _verdict(told)
    assert "block 12" in _verdict(told) and "carried out" in _verdict(told)
    assert told["arguments"] == ["bob", 5]
    assert told["signers"] == ["node0", "node1", "node3"]
    assert "party" not in told


def test_the_party_is_told_where_the_bundle_shows_it() -> None:
    told = explain(_transaction(party="operator"), raw=True)
    assert "of the party operator" in _verdict(told)
    assert (told["party"], told["party_proven_at"]) == ("operator", 12)


def test_a_refused_call_is_told_as_refused() -> None:
    told = explain(_transaction(status=1), raw=True)
    assert "refused with refused" not in _verdict(told)
    assert "bank.poor: save more" in _verdict(told)


def test_arguments_that_are_no_values_are_shown_as_bytes() -> None:
    assert explain(_transaction(args=b"\xff\xff"), raw=True)["arguments"] == "0xffff"


def test_a_record_of_evidence_is_told_by_name() -> None:
    told = explain(_state(["records", "e-1"], RECORD), raw=True)
    assert "operator" in _verdict(told) and "as e-1 in block 9" in _verdict(told)
    record = told["record"]
    assert isinstance(record, dict)
    assert (record["account"], record["time_ms"]) == (ACCOUNT, 1_699_999_000_000)
    assert record["tx_id"] == "0x" + "01" * 32


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (["records", "e-1"], RECORD[:-1]),
        (["records", "e-2"], RECORD),
        (["subject_count", "e-1"], 4),
    ],
    ids=["another-form", "another-id", "another-variable"],
)
def test_state_of_another_form_is_shown_as_stored(key: list[Value], value: Value) -> None:
    told = explain(_state(key, value), raw=True)
    assert "record" not in told
    assert [told["variable"], told["key"]] == [key[0], key[1:]]
    assert f"holds this value under evidence.{key[0]!s}['{key[1]!s}']" in _verdict(told)


def test_an_anchor_of_an_access_log_is_told_by_its_fields() -> None:
    anchor: list[Value] = [ACCOUNT, 1, 1, 40, bytes(32), 1_699_999_000_000, 9]
    anchor += [1_699_999_100_000, b"\1" * 32]
    told = explain(_state(["access_anchors", ACCOUNT, 1], anchor), raw=True)
    assert "record" not in told and f"evidence.access_anchors['{ACCOUNT}', 1]" in _verdict(told)
    value = told["value"]
    assert isinstance(value, dict) and (value["number"], value["last"]) == (1, 40)


def test_an_absent_key_is_told_as_absent() -> None:
    told = explain(_state(["records", "e-1"], None), raw=False)
    assert "holds nothing under evidence.records['e-1']" in _verdict(told)
    assert told["value"] is None


def test_many_keys_are_told_one_by_one() -> None:
    keys = (("evidence", encode_value(["records", "e-1"])), ("bank", encode_value(["owner"])))
    told = explain(StatesFacts(BLOCK, keys, (encode_value(RECORD), None)), raw=True)
    assert "of 2 keys the state of block 12" in _verdict(told) and "holds 1" in _verdict(told)
    rows = told["keys"]
    assert isinstance(rows, list)
    record, nothing = rows
    assert isinstance(record, dict) and isinstance(nothing, dict)
    assert isinstance(record["value"], dict) and record["value"]["id"] == "e-1"
    assert (nothing["contract"], nothing["present"], nothing["value"]) == ("bank", False, None)


def test_people_read_times_and_programs_numbers() -> None:
    assert explain(_transaction(), raw=True)["time_ms"] == BLOCK.time_ms
    assert "2023-11-1" in str(explain(_transaction(), raw=False)["time_ms"])
