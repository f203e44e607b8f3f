"""Accusations: what proves a contradiction, and every forgery that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.vm.codes import Code
from crypto import sm2, sm3
from ledger.certificates import VoteKind
from ledger.encoding import encode
from ledger.model import TAG_EXECUTION, TAG_TRANSACTION
from ledger.values import Value
from tests.business import PARTIES, STRANGER, Business, digest, node_private, node_public
from tests.council import CHAIN_ID, FOUNDERS, Council, Pair, signed, statement, vote

LIAR = FOUNDERS[1]
KEY = node_public(LIAR)
COMMIT, PREPARE = VoteKind.COMMIT, VoteKind.PREPARE
VOTES = signed(LIAR, vote(proposal="a"), vote(proposal="b"))
BIG = 2**53 - 1  # the largest number that consensus takes

PROOFS: dict[str, tuple[Pair, tuple[str, int, int]]] = {
    "two_prepares": (VOTES, ("prepare", 3, 300)),
    "two_commits": (
        signed(LIAR, vote(COMMIT, proposal="a"), vote(COMMIT, proposal="b")),
        ("commit", 3, 300),
    ),
    "two_statements": (
        signed(LIAR, statement(root="a"), statement(root="b")),
        ("execution", 0, 300),
    ),
    "statements_that_differ_in_time_alone": (
        signed(LIAR, statement(time_ms=5), statement(time_ms=2**40)),
        ("execution", 0, 300),
    ),
    "a_statement_at_the_beginning_of_time": (
        signed(LIAR, statement(time_ms=0), statement(time_ms=1)),
        ("execution", 0, 300),
    ),
    "small_numbers": (
        signed(LIAR, vote(view=0, height=1), vote(view=0, height=1, proposal="b")),
        ("prepare", 0, 1),
    ),
    "the_last_one_byte_number": (
        signed(LIAR, vote(view=127, height=128), vote(view=127, height=128, proposal="b")),
        ("prepare", 127, 128),
    ),
    "two_and_four_bytes": (
        signed(LIAR, vote(view=2**16 - 1, height=2**16), vote(view=2**16 - 1, height=2**16,
                                                             proposal="b")),
        ("prepare", 2**16 - 1, 2**16),
    ),
    "the_largest_numbers": (
        signed(LIAR, vote(view=BIG, height=BIG), vote(view=BIG, height=BIG, proposal="b")),
        ("prepare", BIG, BIG),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROOFS)
def test_a_contradiction_is_put_on_record_with_its_proof(name: str) -> None:
    council = Council()
    pair, (kind, view, height) = PROOFS[name]
    events = council.do("bank", "accusation", "accuse", KEY, *pair)
    first, first_signature, second, second_signature = pair
    told = {
        "validator": LIAR,
        "kind": kind,
        "view": view,
        "height": height,
        "first_digest": sm3.digest(first),
        "second_digest": sm3.digest(second),
        "accuser": "bank",
    }
    assert events == [("Accused", told)]
    (record,) = listed(council)
    assert record == told | {
        "public_key": KEY,
        "first": first,
        "first_signature": first_signature,
        "second": second,
        "second_signature": second_signature,
        "recorded_height": council.chain.height,
        "recorded_ms": council.now_ms,
    }
    assert council.members() == list(FOUNDERS), "people decide who has to leave"


def listed(council: Business) -> list[dict[str, Value]]:
    page = council.ask(STRANGER, "accusation", "list", 0, 100)
    assert isinstance(page, list)
    return [
        {str(key): value for key, value in row.items()} for row in page if isinstance(row, dict)
    ]


# --- who may accuse, and whom ---------------------------------------------------------------------


def test_every_active_party_and_every_node_may_accuse_and_nobody_else() -> None:
    council = Council()
    council.admitted("node-bank")
    council.suspend("chipworks")
    for who in (STRANGER, "chipworks"):
        refused = council.refused(who, "accusation", "accuse", KEY, *VOTES)
        assert refused == "accusation.role"
    refused = council.node_refused("node-stranger", "accusation", "accuse", KEY, *VOTES)
    assert refused == "accusation.role"
    accusers = [who for who in PARTIES if who != "chipworks"]
    for height, who in enumerate((*accusers, "node-bank", FOUNDERS[0]), 1):
        pair = signed(LIAR, vote(height=height), vote(height=height, proposal="b"))
        if who.startswith("node-"):
            receipt = council.node_act(who, "accusation", "accuse", KEY, *pair)
            assert receipt.status == Code.ok, receipt.detail
        else:
            council.do(who, "accusation", "accuse", KEY, *pair)
    assert [row["accuser"] for row in listed(council)] == [*accusers, "node-bank", FOUNDERS[0]]


def test_a_dismissed_node_accuses_nobody() -> None:
    council = Council()
    council.admitted("node-bank")
    council.voted("dismiss_observer", "node-bank")
    refused = council.node_refused("node-bank", "accusation", "accuse", KEY, *VOTES)
    assert refused == "accusation.role"


def test_only_present_and_former_validators_are_accused() -> None:
    council = Council()
    council.admitted("node-bank")
    for node in ("node-bank", "node-stranger"):
        pair = signed(node, vote(), vote(proposal="b"))
        refused = council.refused("bank", "accusation", "accuse", node_public(node), *pair)
        assert refused == "accusation.validator"
    council.decided("replace_validator", LIAR, "node-bank")
    council.settle()
    council.do("bank", "accusation", "accuse", KEY, *VOTES)
    pair = signed("node-bank", vote(), vote(proposal="b"))
    council.do("opco", "accusation", "accuse", node_public("node-bank"), *pair)
    assert [row["validator"] for row in listed(council)] == [LIAR, "node-bank"]


@pytest.mark.parametrize("key", [b"", bytes(63), bytes(64), KEY + b"\0", KEY[32:] + KEY[:32]])
def test_a_key_of_no_validator_is_refused(key: bytes) -> None:
    refused = Council().refused("bank", "accusation", "accuse", key, *VOTES)
    assert refused == "accusation.validator"


# --- forgeries, one by one ------------------------------------------------------------------------


def forged(first: bytes, second: bytes) -> Pair:
    """Both signed by the accused: it is the content that must not convince."""
    return signed(LIAR, first, second)


def retagged(message: bytes, tag: bytes) -> bytes:
    return tag + message.partition(b"\0")[2]


def other_numbers(data: bytes) -> bytes:
    """The vote with its view 3 written in two bytes: not canonical, but the same number."""
    return data.replace(b"\x03\xcd\x01\x2c", b"\xcc\x03\xcd\x01\x2c")


def as_text(data: bytes) -> bytes:
    """The vote with its digest introduced as 32 bytes of text."""
    return data[:-34] + b"\xd9\x20" + data[-32:]


HEAD = PREPARE.value + b"\x94\xc4\x20" + CHAIN_ID
DIGEST_ITEM = b"\xc4\x20" + digest("a")
FORGERIES: dict[str, tuple[Callable[[], Pair], str]] = {
    "one_message_twice": (lambda: forged(vote(), vote()), "same"),
    "one_statement_twice": (lambda: forged(statement(), statement()), "same"),
    "other_views": (lambda: forged(vote(), vote(view=4, proposal="b")), "subject"),
    "other_heights": (lambda: forged(vote(), vote(height=301, proposal="b")), "subject"),
    "a_prepare_and_a_commit": (lambda: forged(vote(), vote(COMMIT, proposal="b")), "subject"),
    "a_commit_and_a_prepare": (lambda: forged(vote(COMMIT), vote(proposal="b")), "subject"),
    "a_vote_and_a_statement": (lambda: forged(vote(), statement()), "subject"),
    "a_statement_and_a_vote": (lambda: forged(statement(), vote()), "subject"),
    "statements_on_other_heights": (
        lambda: forged(statement(height=300), statement(height=301, root="b")), "subject",
    ),
    "votes_of_another_chain": (
        lambda: forged(vote(chain_id=bytes([1] * 32)), vote(chain_id=bytes([1] * 32),
                                                            proposal="b")), "chain",
    ),
    "statements_of_another_chain": (
        lambda: forged(statement(chain_id=b"c" * 32), statement(chain_id=b"c" * 32, root="b")),
        "chain",
    ),
    "one_vote_of_another_chain": (
        lambda: forged(vote(), vote(chain_id=bytes([1] * 32), proposal="b")), "subject",
    ),
    "transactions": (
        lambda: forged(retagged(vote(), TAG_TRANSACTION),
                       retagged(vote(proposal="b"), TAG_TRANSACTION)), "kind",
    ),
    "no_tag": (lambda: forged(b"", b"x"), "kind"),
    "a_too_long_first_message": (lambda: forged(bytes(257), b""), "message"),
    "messages_of_256_bytes": (lambda: forged(bytes(256), bytes(256)), "kind"),
    "a_map_where_a_number_belongs": (
        lambda: forged(vote().replace(b"\x03\xcd", b"\x80\xcd"),
                       vote(proposal="b").replace(b"\x03\xcd", b"\x80\xcd")), "form",
    ),
    "a_tag_alone": (lambda: forged(PREPARE.value, PREPARE.value), "form"),
    "half_a_tag": (lambda: forged(PREPARE.value[:-1], PREPARE.value[:-1]), "kind"),
    "a_vote_tagged_as_a_statement": (
        lambda: forged(retagged(vote(), TAG_EXECUTION), retagged(vote(proposal="b"),
                                                                 TAG_EXECUTION)), "form",
    ),
    "a_statement_tagged_as_a_vote": (
        lambda: forged(retagged(statement(), PREPARE.value),
                       retagged(statement(root="b"), PREPARE.value)), "form",
    ),
    "a_vote_of_three_items": (
        lambda: forged(PREPARE.value + encode((CHAIN_ID, 3, digest("a"))),
                       PREPARE.value + encode((CHAIN_ID, 3, digest("b")))), "form",
    ),
    "bytes_after_the_votes": (
        lambda: forged(vote() + b"\0", vote(proposal="b") + b"\0"), "form",
    ),
    "bytes_after_one_vote": (lambda: forged(vote(), vote() + b"\0"), "form"),
    "bytes_after_one_statement": (
        lambda: forged(statement(), statement(root="b") + b"\0"), "form",
    ),
    "a_torn_vote": (lambda: forged(vote(), vote(proposal="b")[:-1]), "form"),
    "torn_votes": (lambda: forged(vote()[:-1], vote(proposal="b")[:-1]), "form"),
    "torn_statements": (
        lambda: forged(statement(time_ms=2**40)[:-1], statement(time_ms=2**40, root="b")[:-1]),
        "form",
    ),
    "a_view_that_is_text": (
        lambda: forged(HEAD + b"\xa3abc\x05" + DIGEST_ITEM, HEAD), "form",
    ),
    "a_negative_view": (lambda: forged(HEAD + b"\xff\x05" + DIGEST_ITEM, HEAD), "form"),
    "a_view_that_ends_early": (lambda: forged(HEAD + b"\xcf\0\0", HEAD), "form"),
    "no_view": (lambda: forged(HEAD, HEAD + b"\0"), "form"),
    "no_height": (lambda: forged(HEAD + b"\x03", HEAD + b"\x03\0"), "form"),
    "a_digest_of_another_size": (
        lambda: forged(HEAD + b"\x03\x05\xc4\x1f" + bytes(31), HEAD), "form",
    ),
    "votes_whose_digest_is_text": (
        lambda: forged(as_text(vote()), as_text(vote(proposal="b"))), "form",
    ),
    "one_vote_whose_digest_is_text": (
        lambda: forged(vote(), as_text(vote(proposal="b"))), "subject",
    ),
    "a_statement_whose_root_is_text": (
        lambda: forged(statement().replace(b"\xc4\x20" + digest("a"), b"\xd9\x20" + digest("a")),
                       statement(root="b")), "form",
    ),
    "too_long_messages": (
        lambda: forged(vote() + bytes(256), vote(proposal="b") + bytes(256)), "message",
    ),
    "one_too_long_message": (lambda: forged(vote(), vote() + bytes(256)), "message"),
    "a_first_signature_of_somebody_else": (
        lambda: (VOTES[0], sm2.sign(node_private(FOUNDERS[0]), VOTES[0]), *VOTES[2:]),
        "first_signature",
    ),
    "a_second_signature_of_somebody_else": (
        lambda: (*VOTES[:3], sm2.sign(node_private(FOUNDERS[0]), VOTES[2])), "second_signature",
    ),
    "signatures_exchanged": (
        lambda: (VOTES[0], VOTES[3], VOTES[2], VOTES[1]), "first_signature",
    ),
    "a_signature_over_the_digest": (
        lambda: (VOTES[0], sm2.sign(node_private(LIAR), sm3.digest(VOTES[0])), *VOTES[2:]),
        "first_signature",
    ),
    "no_signature": (lambda: (VOTES[0], b"", VOTES[2], b""), "first_signature"),
    "a_signature_of_zeros": (lambda: (*VOTES[:3], bytes(64)), "second_signature"),
    "a_changed_digest": (
        lambda: (*VOTES[:2], VOTES[2][:-1] + bytes([VOTES[2][-1] ^ 1]), VOTES[3]),
        "second_signature",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(name: str) -> None:
    council = Council()
    pair, code = FORGERIES[name]
    refused = council.refused("bank", "accusation", "accuse", KEY, *pair())
    assert refused == f"accusation.{code}"
    assert listed(council) == []


def test_the_proof_against_one_validator_accuses_no_other() -> None:
    council = Council()
    refused = council.refused("bank", "accusation", "accuse", node_public(FOUNDERS[0]), *VOTES)
    assert refused == "accusation.first_signature"


def test_the_numbers_of_a_vote_are_read_exactly() -> None:
    """A view written otherwise is another message of its author, not a way round the record."""
    council = Council()
    council.do("bank", "accusation", "accuse", KEY, *VOTES)
    wider = signed(LIAR, other_numbers(vote()), other_numbers(vote(proposal="b")))
    assert wider[0] != VOTES[0]
    assert council.refused("bank", "accusation", "accuse", KEY, *wider) == "accusation.known"


# --- once, and bounded ----------------------------------------------------------------------------


def test_one_contradiction_is_recorded_once_whatever_is_shown_of_it() -> None:
    council = Council()
    council.do("bank", "accusation", "accuse", KEY, *VOTES)
    again = signed(LIAR, vote(proposal="b"), vote(proposal="c"))
    assert council.refused("opco", "accusation", "accuse", KEY, *VOTES) == "accusation.known"
    assert council.refused("opco", "accusation", "accuse", KEY, *again) == "accusation.known"
    other = signed(LIAR, vote(COMMIT), vote(COMMIT, proposal="b"))
    council.do("opco", "accusation", "accuse", KEY, *other)


def test_a_validator_cannot_fill_the_chain_with_its_contradictions() -> None:
    council = Council()
    for height in range(1, 17):
        pair = signed(LIAR, vote(height=height), vote(height=height, proposal="b"))
        council.do("bank", "accusation", "accuse", KEY, *pair)
    more = signed(LIAR, vote(height=99), vote(height=99, proposal="b"))
    assert council.refused("bank", "accusation", "accuse", KEY, *more) == "accusation.full"
    assert council.ask(STRANGER, "accusation", "count_of", LIAR) == 16
    assert council.ask(STRANGER, "accusation", "count_of", FOUNDERS[0]) == 0
    other = signed(FOUNDERS[0], vote(height=99), vote(height=99, proposal="b"))
    council.do("bank", "accusation", "accuse", node_public(FOUNDERS[0]), *other)


def test_a_page_of_accusations_is_bounded_and_open_to_all() -> None:
    council = Council()
    council.do("bank", "accusation", "accuse", KEY, *VOTES)
    assert council.ask(STRANGER, "accusation", "list", 1, 100) == []
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert council.denied(STRANGER, "accusation", "list", offset, limit) == "accusation.page"


def test_an_accused_validator_can_be_expelled() -> None:
    council = Council()
    council.do("bank", "accusation", "accuse", KEY, *VOTES)
    council.admitted("node-bank")
    council.decided("add_validator", "node-bank")
    council.settle()
    council.decided("expel_validator", LIAR)
    assert LIAR not in council.members()
    assert council.node(LIAR)["status"] == "dismissed"
