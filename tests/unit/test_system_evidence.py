"""Evidence: recorded once by any active party, never changed, found by its subject."""

from __future__ import annotations

import pytest

from client.sealed import seal, unseal
from contracts.anchors import newest_anchor
from contracts.vm.testing import account
from crypto import sm2, sm3
from ledger import merkle
from ledger.model import Address
from ledger.values import Value
from tests.business import PARTIES, STRANGER, Business, changed, digest, node_private

RECORD: list[Value] = ["e1", "development.result", "t1", digest("result"), "table of claims"]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "evidence.id"),
        (0, "E1", "evidence.id"),
        (0, "e" * 65, "evidence.id"),
        (1, "", "evidence.kind"),
        (1, "development", "evidence.kind"),
        (1, "gossip.heard", "evidence.kind"),
        (2, "", "evidence.subject"),
        (2, "t 1", "evidence.subject"),
        (2, "t" * 65, "evidence.subject"),
        (3, b"", "evidence.digest"),
        (3, bytes(31), "evidence.digest"),
        (3, bytes(33), "evidence.digest"),
        (4, "n" * 1025, "evidence.note"),
    ],
)
def test_a_malformed_record_is_refused(position: int, value: Value, code: str) -> None:
    bad = changed(RECORD, position, value)
    assert Business().refused("health", "evidence", "record", *bad) == code


BATCH: list[Value] = ["b1", "delivery.sent", "v1", digest("root"), 9, "plain", "archive", "logs"]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "B1", "evidence.id"),
        (1, "gossip.heard", "evidence.kind"),
        (2, "", "evidence.subject"),
        (3, bytes(31), "evidence.digest"),
        (4, 0, "evidence.size"),
        (4, 2**20 + 1, "evidence.size"),
        (5, "", "evidence.salting"),
        (5, "peppered", "evidence.salting"),
        (6, "l" * 513, "evidence.location"),
        (7, "n" * 1025, "evidence.note"),
    ],
)
def test_a_malformed_batch_is_refused(position: int, value: Value, code: str) -> None:
    bad = changed(BATCH, position, value)
    assert Business().refused("health", "evidence", "record_batch", *bad) == code


def test_a_batch_is_a_record_like_any_other() -> None:
    business = Business()
    business.do("health", "evidence", "record", *changed(RECORD, 2, "v1"))
    told = business.do("health", "evidence", "record_batch", *BATCH)
    assert [(name, event["size"]) for name, event in told] == [("EvidenceRecorded", 9)]
    shown = business.ask_record("bank", "evidence", "show", "b1")
    assert (shown["size"], shown["salting"], shown["location"]) == (9, "plain", "archive")
    assert (shown["party"], shown["previous"]) == ("health", "e1")
    single = business.ask_record("bank", "evidence", "show", "e1")
    assert (single["size"], single["salting"], single["previous"]) == (0, "plain", "")
    assert ids(business, "v1", 0, 100) == ["e1", "b1"]
    assert business.ask("opco", "evidence", "is_recorded", "delivery.sent", "v1", "health") is True
    assert business.refused("bank", "evidence", "record_batch", *BATCH) == "evidence.exists"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_a_batch_holds_its_digests_where_they_are_and_no_others(size: int) -> None:
    leaves = [digest(f"file {number}") for number in range(size)]
    business = Business()
    root = changed(changed(BATCH, 3, merkle.root_of(leaves)), 4, size)
    business.do("health", "evidence", "record_batch", *root)
    for index, leaf in enumerate(leaves):
        siblings: list[Value] = [*merkle.path(leaves, index).siblings]
        assert business.ask("bank", "evidence", "holds", "b1", index, leaf, siblings) is True
        other = business.ask("bank", "evidence", "holds", "b1", index, digest("other"), siblings)
        assert other is False
        longer = business.denied("bank", "evidence", "holds", "b1", index, leaf, [*siblings, leaf])
        assert longer == "evidence.path"
        if siblings:
            short = business.denied("bank", "evidence", "holds", "b1", index, leaf, siblings[1:])
            assert short == "evidence.path"
            swapped = [digest("other"), *siblings[1:]]
            assert business.ask("bank", "evidence", "holds", "b1", index, leaf, swapped) is False


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "e9", "evidence.unknown"),
        (0, "e1", "evidence.single"),
        (1, -1, "evidence.index"),
        (1, 2, "evidence.index"),
        (2, bytes(31), "evidence.digest"),
        (3, [bytes(31)], "evidence.path"),
        (3, [bytes(32)] * 21, "evidence.path"),
    ],
)
def test_a_malformed_path_is_refused(position: int, value: Value, code: str) -> None:
    leaves = [digest("a"), digest("b")]
    business = Business()
    business.do("health", "evidence", "record", *RECORD)
    root = changed(changed(BATCH, 3, merkle.root_of(leaves)), 4, 2)
    business.do("health", "evidence", "record_batch", *root)
    asked: list[Value] = ["b1", 0, leaves[0], [*merkle.path(leaves, 0).siblings]]
    assert business.ask("bank", "evidence", "holds", *asked) is True
    assert business.denied("bank", "evidence", "holds", *changed(asked, position, value)) == code
    assert business.denied(STRANGER, "evidence", "holds", *asked) == "evidence.role"


def test_no_inner_node_is_shown_as_a_digest_of_a_batch() -> None:
    """A batch of four is no batch of two whose digests are its inner nodes."""
    leaves = [digest(text) for text in "abcd"]
    business = Business()
    root = changed(changed(BATCH, 3, merkle.root_of(leaves)), 4, 2)
    business.do("health", "evidence", "record_batch", *root)
    left, right = merkle.root_of(leaves[:2]), merkle.root_of(leaves[2:])
    assert business.ask("bank", "evidence", "holds", "b1", 0, left, [right]) is False


def test_a_record_is_never_written_twice() -> None:
    business = Business()
    business.do("health", "evidence", "record", *RECORD)
    before = business.ask("bank", "evidence", "show", "e1")
    for who in ("health", "bank"):
        other = changed(RECORD, 3, digest("another"))
        assert business.refused(who, "evidence", "record", *other) == "evidence.exists"
    assert business.ask("bank", "evidence", "show", "e1") == before


def test_a_record_names_its_author_and_its_place_in_time() -> None:
    business = Business()
    receipt = business.act("health", "evidence", "record", *RECORD)
    shown = business.ask_record("bank", "evidence", "show", "e1")
    assert (shown["party"], shown["account"]) == ("health", account("health"))
    assert shown["tx_id"] == receipt.transaction_id
    assert isinstance(shown["height"], int) and shown["height"] >= 1
    assert isinstance(shown["time_ms"], int) and shown["time_ms"] > 0


@pytest.mark.parametrize("stage", ["aggregation", "authorization", "development", "delivery"])
def test_every_stage_has_kinds_of_evidence(stage: str) -> None:
    kinds = {
        "aggregation": ["collected", "quality"],
        "authorization": ["agreement", "decision"],
        "development": ["algorithm", "input_sent", "process", "output_received", "result"],
        "delivery": ["diligence", "agreement", "sent", "received", "settlement"],
    }
    business = Business()
    for number, kind in enumerate(kinds[stage]):
        record = changed(changed(RECORD, 0, f"e{number}"), 1, f"{stage}.{kind}")
        business.do("devhouse", "evidence", "record", *record)


def test_records_are_listed_by_subject_in_order() -> None:
    business = Business()
    for number in range(5):
        subject = "t1" if number % 2 == 0 else "t2"
        record = changed(changed(RECORD, 0, f"e{number}"), 2, subject)
        business.do("health", "evidence", "record", *record)
    assert ids(business, "t1", 0, 100) == ["e0", "e2", "e4"]
    assert ids(business, "t1", 1, 1) == ["e2"]
    assert ids(business, "t2", 0, 100) == ["e1", "e3"]
    assert ids(business, "t3", 0, 100) == []
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        denied = business.denied("bank", "evidence", "list_by_subject", "t1", offset, limit)
        assert denied == "evidence.page"


def ids(business: Business, subject: str, offset: int, limit: int) -> list[Value]:
    page = business.ask("bank", "evidence", "list_by_subject", subject, offset, limit)
    assert isinstance(page, list)
    return [row["id"] for row in page if isinstance(row, dict)]


def test_unknown_records_are_named_as_such() -> None:
    assert Business().denied("bank", "evidence", "show", "e9") == "evidence.unknown"


def test_evidence_is_read_by_active_parties_only() -> None:
    business = Business()
    business.do("health", "evidence", "record", *RECORD)
    for who in PARTIES:
        business.ask(who, "evidence", "show", "e1")
    business.suspend("bank")
    for who in (STRANGER, "bank"):
        assert business.denied(who, "evidence", "show", "e1") == "evidence.role"
        denied = business.denied(who, "evidence", "list_by_subject", "t1", 0, 1)
        assert denied == "evidence.role"


def test_the_largest_batch_has_paths_of_twenty_siblings() -> None:
    business = Business()
    siblings = [digest(f"sibling {level}") for level in range(20)]
    root = sm3.digest(b"\x00" + digest("first"))
    for sibling in siblings:  # of the first digest all are on the right
        root = sm3.digest(b"\x01" + root + sibling)
    batch: list[Value] = ["b1", "delivery.sent", "x", root, 2**20, "plain", "", ""]
    business.do("opco", "evidence", "record_batch", *batch)
    path: list[Value] = [*siblings]
    first: list[Value] = ["b1", 0, digest("first")]
    assert business.ask("opco", "evidence", "holds", *first, path) is True
    for wrong in (path[:19], [*path, digest("one more")]):
        assert business.denied("opco", "evidence", "holds", *first, wrong) == "evidence.path"


class Reader:
    """The state of a chain, as a node reads it."""

    def __init__(self, business: Business) -> None:
        self._state = business.chain.state

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self._state.get((namespace, key))


HEAD = bytes(range(32))
ANCHOR: list[Value] = [3, 1, 40, HEAD, 1_800_000_000_000]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, 0, "evidence.anchor_number"),
        (1, 0, "evidence.anchor_span"),
        (1, 41, "evidence.anchor_span"),
        (3, bytes(31), "evidence.digest"),
        (4, -1, "evidence.anchor_time"),
    ],
)
def test_a_malformed_anchor_is_refused(position: int, value: Value, code: str) -> None:
    bad = changed(ANCHOR, position, value)
    assert Business().refused("health", "evidence", "anchor_access", *bad) == code


def test_a_closed_file_may_have_a_single_entry() -> None:
    business = Business()
    business.do("health", "evidence", "anchor_access", *changed(ANCHOR, 2, 1))
    shown = business.ask_record("bank", "evidence", "access_anchor", account("health"), 3)
    assert (shown["first"], shown["last"]) == (1, 1)


def test_only_who_speaks_on_the_chain_anchors_a_log() -> None:
    refused = Business().refused(STRANGER, "evidence", "anchor_access", *ANCHOR)
    assert refused == "evidence.anchor_role"


def test_an_anchor_is_never_replaced_and_entries_are_anchored_once() -> None:
    business = Business()
    business.do("health", "evidence", "anchor_access", *ANCHOR)
    for number in (1, 3):
        again = changed(changed(changed(ANCHOR, 0, number), 1, 41), 2, 50)
        code = business.refused("health", "evidence", "anchor_access", *again)
        assert code == "evidence.anchor_number"
    for first in (1, 40):
        overlapping = changed(changed(changed(ANCHOR, 0, 4), 1, first), 2, 60)
        code = business.refused("health", "evidence", "anchor_access", *overlapping)
        assert code == "evidence.anchor_span"
    shown = business.ask_record("bank", "evidence", "access_anchor", account("health"), 3)
    assert (shown["first"], shown["last"], shown["head"]) == (1, 40, HEAD)


def test_each_node_has_anchors_of_its_own() -> None:
    business = Business()
    for who in ("health", "bank"):
        business.do(who, "evidence", "anchor_access", *ANCHOR)
    code = business.denied("bank", "evidence", "access_anchor", account("bank"), 4)
    assert code == "evidence.anchor_unknown"


def test_a_node_reads_its_newest_anchor_from_state() -> None:
    business = Business()
    address = Address(account("health"))
    assert newest_anchor(Reader(business), address) is None
    business.do("health", "evidence", "anchor_access", *ANCHOR)
    later = changed(changed(changed(ANCHOR, 0, 9), 1, 41), 2, 50)
    business.do("health", "evidence", "anchor_access", *later)
    found = newest_anchor(Reader(business), address)
    assert found is not None
    assert (found.number, found.first, found.last, found.head) == (9, 41, 50, HEAD)


KEYS: list[Value] = [["insurer", b"i" * 113], ["bureau", b"b" * 113]]
SEALED: list[Value] = ["s1", "authorization.decision", "d1", digest("x"), "", "", b"sealed", KEYS]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "S1", "evidence.id"),
        (1, "gossip.heard", "evidence.kind"),
        (3, bytes(31), "evidence.digest"),
        (6, b"", "evidence.payload"),
        (6, bytes(32 * 1024 + 1), "evidence.payload"),
        (7, [], "evidence.readers"),
        (7, [["bank", bytes(113)]] * 17, "evidence.readers"),
        (7, [["bank", bytes(113)]] * 2, "evidence.reader_twice"),
        (7, [["nobody", bytes(113)]], "evidence.reader"),
        (7, [["bank", bytes(112)]], "evidence.key"),
    ],
)
def test_a_malformed_sealed_record_is_refused(position: int, value: Value, code: str) -> None:
    bad = changed(SEALED, position, value)
    assert Business().refused("opco", "evidence", "record_sealed", *bad) == code


def test_a_sealed_record_goes_to_whom_it_is_sealed_to_and_to_nobody_else() -> None:
    business = Business()
    told = business.do("opco", "evidence", "record_sealed", *SEALED)
    assert [name for name, _fields in told] == ["EvidenceRecorded", "EvidenceSealed"]
    assert told[1][1]["readers"] == ["insurer", "bureau"]
    shown = business.ask_record("bank", "evidence", "show", "s1")
    assert (shown["salting"], shown["digest"]) == ("salted", digest("x"))
    for who in ("opco", "insurer", "bureau"):
        held = business.ask_record(who, "evidence", "sealed", "s1")
        assert (held["payload"], held["keys"]) == (b"sealed", KEYS)
    for who in ("bank", "board"):
        assert business.denied(who, "evidence", "sealed", "s1") == "evidence.reader"
    business.suspend("insurer")
    for who in ("insurer", STRANGER):
        assert business.denied(who, "evidence", "sealed", "s1") == "evidence.role"
    assert business.denied("opco", "evidence", "sealed", "s9") == "evidence.unknown"
    business.do("opco", "evidence", "record", *RECORD)
    assert business.denied("opco", "evidence", "sealed", "e1") == "evidence.unsealed"


def test_nothing_is_sealed_to_a_party_that_is_suspended() -> None:
    business = Business()
    business.suspend("insurer")
    assert business.refused("opco", "evidence", "record_sealed", *SEALED) == "evidence.reader"


def test_what_is_sealed_by_the_client_opens_for_each_party_it_names() -> None:
    business = Business()
    readers = {party: node_private(party) for party in ("insurer", "bureau")}
    made = seal("s1", b"the decision", [(p, sm2.public_key(k)) for p, k in readers.items()])
    keys: list[Value] = [[party, key] for party, key in made.keys]
    words: list[Value] = ["s1", "authorization.decision", "d1", made.digest, "", ""]
    business.do("opco", "evidence", "record_sealed", *words, made.payload, keys)
    for party, private in readers.items():
        assert unseal("s1", made, party, private) == b"the decision"
