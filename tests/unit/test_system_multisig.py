"""Accounts of several keys: who must agree, to what exactly, and as whom the machine then acts."""

from __future__ import annotations

from typing import Final

import pytest

from contracts.vm.codes import Code
from contracts.vm.features import LATEST
from contracts.vm.joint import address_of_definition
from contracts.vm.testing import Chain, account
from crypto import sm3
from ledger.values import Value, decode_value, encode_value
from tests.business import STRANGER, Business, changed
from tests.council import Council

PEOPLE: Final = sorted(("anna", "bo", "chen"), key=account)
MEMBERS: list[Value] = [account(person) for person in PEOPLE]
FIRST, SECOND, THIRD = PEOPLE
JOINT = address_of_definition(bytes((2,)) + b"".join(bytes.fromhex(account(p)) for p in PEOPLE))
DAY_MS = 24 * 3_600_000


def opened() -> Business:
    """Two of three people of the archive, a supplier, act for it together."""
    business = Business()
    for person in PEOPLE:
        business.do("bureau", "parties", "add_account", "archive", account(person))
    business.do(FIRST, "multisig", "open_account", 2, MEMBERS, "Board of the archive")
    business.do("bureau", "parties", "add_account", "archive", JOINT)
    return business


def digest_of(contract: str, method: str, *args: Value) -> bytes:
    head = f"shuxin/joint-act/1:{JOINT}:{contract}:{method}:".encode()
    return sm3.digest(head + encode_value(list(args)))


RECORD: tuple[Value, ...] = ("e1", "authorization.decision", "s", bytes(32), "")
DIGEST = digest_of("evidence", "record", *RECORD)


def propose(business: Business, contract: str, method: str, *args: Value) -> bytes:
    """The first member proposes the act `a1`; the digest that the others approve."""
    encoded = encode_value(list(args))
    business.do(FIRST, "multisig", "propose", "a1", JOINT, contract, method, encoded, "why")
    return digest_of(contract, method, *args)


def recorded(business: Business) -> bool:
    """Is the act's evidence on record? Its id cannot be used again then."""
    refusal = business.act("archive", "evidence", "record", *RECORD).detail
    return refusal.startswith("evidence.exists")


def test_the_address_is_made_of_members_and_number_alone() -> None:
    business = opened()
    shown = business.ask_record("archive", "multisig", "show", JOINT)
    assert (shown["threshold"], shown["members"]) == (2, MEMBERS)
    refused = business.refused("bank", "multisig", "open_account", 2, MEMBERS, "again")
    assert refused == "multisig.exists"
    receipt = business.act("bank", "multisig", "open_account", 3, MEMBERS, "all of them")
    assert decode_value(receipt.return_value) != JOINT


def test_enough_members_act_with_the_rights_of_the_joint_account() -> None:
    """The members have no rights of their own any more; their account has the archive's."""
    business = opened()
    for person in PEOPLE:
        business.do("bureau", "parties", "remove_account", "archive", account(person))
    refused = business.refused(SECOND, "evidence", "record", *RECORD)
    assert refused == "evidence.role"
    assert propose(business, "evidence", "record", *RECORD) == DIGEST
    events = business.do(THIRD, "multisig", "approve", "a1", DIGEST)
    names = [name for name, _ in events]
    assert names == ["JointActApproved", "JointActPerformed", "EvidenceRecorded"]
    assert events[1][1]["approvals"] == [account(FIRST), account(THIRD)]
    assert events[2][1]["party_id"] == "archive"
    assert business.ask_record(FIRST, "multisig", "act", "a1")["status"] == "performed"
    assert business.refused(SECOND, "multisig", "approve", "a1", DIGEST) == "multisig.status"


def test_one_member_alone_does_nothing_however_often() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    assert business.refused(FIRST, "multisig", "approve", "a1", DIGEST) == "multisig.voted"
    assert business.ask_record(FIRST, "multisig", "act", "a1")["status"] == "open"
    for who in ("archive", "bureau", STRANGER):
        assert business.refused(who, "multisig", "approve", "a1", DIGEST) == "multisig.member"
    assert not recorded(business)


def test_what_is_approved_is_what_was_looked_at() -> None:
    """A node that shows a member another call gains an approval of nothing."""
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    other = digest_of("evidence", "record", "e2", *RECORD[1:])
    assert business.refused(SECOND, "multisig", "approve", "a1", other) == "multisig.digest"


def test_a_call_that_fails_takes_its_approval_back_and_can_be_tried_again() -> None:
    business = opened()
    business.suspend("archive")
    propose(business, "evidence", "record", *RECORD)
    receipt = business.act(SECOND, "multisig", "approve", "a1", DIGEST)
    assert receipt.status == Code.refused and receipt.detail.startswith("evidence.role")
    assert business.ask_record(FIRST, "multisig", "act", "a1")["approvals"] == [account(FIRST)]
    business.do("bureau", "parties", "readmit", "archive", "sorted out")
    business.do(SECOND, "multisig", "approve", "a1", DIGEST)
    assert recorded(business)


def test_a_joint_account_is_a_partys_keeper() -> None:
    business = opened()
    business.do("bureau", "parties", "name_keeper", "bank", JOINT2, "agreement")
    business.do(FIRST, "multisig", "open_account", 3, MEMBERS, "Keepers of the bank")
    args = encode_value(["bank", account("bank"), account("bank-2"), "lost"])
    words: list[Value] = ["k1", JOINT2, "parties", "replace_account", args, "why"]
    receipt = business.act(FIRST, "multisig", "propose", *words)
    wanted = decode_value(receipt.return_value)
    for person in (SECOND, THIRD):
        business.do(person, "multisig", "approve", "k1", wanted)
    assert business.ask(STRANGER, "parties", "party_of", account("bank-2")) == "bank"


JOINT2 = address_of_definition(bytes((3,)) + b"".join(bytes.fromhex(account(p)) for p in PEOPLE))


def test_joint_managers_decide_about_contracts_too() -> None:
    """Also what the machine itself answers, such as a freeze, takes the joint account."""
    business = opened()
    business.do("bureau", "parties", "add_account", "bureau", JOINT2)
    business.do(FIRST, "multisig", "open_account", 3, MEMBERS, "Emergency board")
    args = encode_value(["catalog", "a hole was found"])
    words: list[Value] = ["f1", JOINT2, "contract", "freeze", args, "why"]
    wanted = decode_value(business.act(FIRST, "multisig", "propose", *words).return_value)
    business.do(SECOND, "multisig", "approve", "f1", wanted)
    shown = business.ask_record("bureau", "contract", "show", "catalog")
    assert shown["status"] == "active"
    business.do(THIRD, "multisig", "approve", "f1", wanted)
    shown = business.ask_record("bureau", "contract", "show", "catalog")
    assert shown["status"] == "frozen"


def test_joint_managers_complete_the_vote_on_another_engine() -> None:
    """No chain may be caught in its engine because its last voters act together."""
    council = Council()
    council.do("bureau", "parties", "add_account", "bureau", JOINT2)
    council.do("bureau", "multisig", "open_account", 3, MEMBERS, "Board")
    at = council.chain.height + 10_000
    engine = f"shuxin-vm/999999+cpython-3.11+{0:016x}"
    council.do("opco", "proposal", "change_engine", "e1", engine, at, "release 2")
    for who in ("health", "insurer"):
        council.do(who, "proposal", "approve", "e1")
    assert council.status("e1") == "open"
    words: list[Value] = ["v1", JOINT2, "proposal", "approve", encode_value(["e1"]), "why"]
    wanted = decode_value(council.act(FIRST, "multisig", "propose", *words).return_value)
    for person in (SECOND, THIRD):
        council.do(person, "multisig", "approve", "v1", wanted)
    assert council.status("e1") == "decided"
    terms = council.ask_record("bureau", "contract", "engine")["terms"]
    assert isinstance(terms, list) and terms[-1] == {"from_height": at, "vm_version": engine}


def test_too_many_against_it_end_an_act() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    business.do(SECOND, "multisig", "reject", "a1", "not now")
    assert business.ask_record(FIRST, "multisig", "act", "a1")["status"] == "open"
    assert business.refused(SECOND, "multisig", "approve", "a1", DIGEST) == "multisig.voted"
    business.do(THIRD, "multisig", "reject", "a1", "never")
    assert business.ask_record(FIRST, "multisig", "act", "a1")["status"] == "rejected"


def test_who_proposed_takes_back_and_time_runs_out() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    assert business.refused(SECOND, "multisig", "withdraw", "a1") == "multisig.proposer"
    business.do(FIRST, "multisig", "withdraw", "a1")
    assert business.refused(SECOND, "multisig", "approve", "a1", DIGEST) == "multisig.status"
    words: list[Value] = ["a2", JOINT, "evidence", "record", encode_value([*RECORD]), "why"]
    business.do(FIRST, "multisig", "propose", *words)
    business.pass_time(7 * DAY_MS)
    assert business.refused(SECOND, "multisig", "approve", "a2", DIGEST) == "multisig.status"
    assert business.ask_record(FIRST, "multisig", "act", "a2")["status"] == "expired"


def test_an_act_is_open_to_the_millisecond_in_which_its_week_is_over() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    end_ms = business.ask_record(FIRST, "multisig", "act", "a1")["expires_ms"]
    assert end_ms == business.now_ms + 7 * DAY_MS
    business.pass_time(7 * DAY_MS - 1)
    assert business.ask_record(FIRST, "multisig", "act", "a1")["status"] == "open"
    business.pass_time(1)
    assert business.ask_record(FIRST, "multisig", "act", "a1")["status"] == "expired"


def test_what_was_carried_out_is_not_taken_back_and_does_not_expire() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    business.do(SECOND, "multisig", "approve", "a1", DIGEST)
    assert business.refused(FIRST, "multisig", "withdraw", "a1") == "multisig.status"
    business.pass_time(8 * DAY_MS)
    assert business.ask_record(FIRST, "multisig", "act", "a1")["status"] == "performed"


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, 1, "multisig.threshold"),
        (0, 4, "multisig.threshold"),
        (1, MEMBERS[:1], "multisig.threshold"),
        (1, [account(f"p{number}") for number in range(17)], "multisig.threshold"),
        (1, MEMBERS[::-1], "multisig.members"),
        (1, [MEMBERS[0], MEMBERS[0]], "multisig.members"),
        (1, ["contract:task", "contract:tasks"], "multisig.address"),
        (1, sorted([account("anna"), account("bo")[:38]]), "multisig.address"),
        (1, sorted([account("anna"), account("bo").upper()]), "multisig.address"),
        (1, sorted([JOINT, account("anna")]), "multisig.nested"),
        (2, "", "multisig.title"),
        (2, "t" * 129, "multisig.title"),
    ],
)
def test_an_account_that_cannot_work_is_not_opened(position: int, value: Value, code: str) -> None:
    args = changed([2, MEMBERS, "Board"], position, value)
    assert opened().refused("archive", "multisig", "open_account", *args) == code


def test_a_stranger_opens_no_account() -> None:
    refused = Business().refused(STRANGER, "multisig", "open_account", 2, MEMBERS, "Board")
    assert refused == "multisig.party"


@pytest.mark.parametrize("title", ["t", "t" * 128])
def test_sixteen_members_under_a_title_of_up_to_128_characters_may_have_an_account(
    title: str,
) -> None:
    members: list[Value] = [*sorted(account(f"p{number}") for number in range(16))]
    business = Business()
    business.do("archive", "multisig", "open_account", 16, members, title)
    page = business.ask("archive", "multisig", "list", 0, 1)
    assert isinstance(page, list) and isinstance(page[0], dict)
    assert (page[0]["members"], page[0]["title"]) == (members, title)


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "A 1", "multisig.id"),
        (1, account("anna"), "multisig.unknown"),
        (2, "multisig", "multisig.contract"),
        (2, "a:b", "multisig.contract"),
        (3, "", "multisig.method"),
        (3, "a:b", "multisig.method"),
        (3, ":b", "multisig.method"),
        (3, "m" * 65, "multisig.method"),
        (4, bytes(32769), "multisig.args"),
        (5, "", "multisig.reason"),
        (5, "r" * 513, "multisig.reason"),
    ],
)
def test_a_malformed_act_is_not_proposed(position: int, value: Value, code: str) -> None:
    args: list[Value] = ["a1", JOINT, "evidence", "record", encode_value([*RECORD]), "why"]
    assert opened().refused(FIRST, "multisig", "propose", *changed(args, position, value)) == code
    business = opened()
    assert business.refused("archive", "multisig", "propose", *args) == "multisig.member"
    business.do(FIRST, "multisig", "propose", *args)
    assert business.refused(SECOND, "multisig", "propose", *args) == "multisig.act_exists"


@pytest.mark.parametrize(
    ("position", "value"),
    [(3, "m"), (3, "m" * 64), (4, bytes(32768)), (5, "r"), (5, "r" * 512)],
)
def test_an_act_may_be_as_large_as_its_bounds_say(position: int, value: Value) -> None:
    """Whether the call can be made at all shows when it is carried out."""
    args: list[Value] = ["a1", JOINT, "evidence", "record", encode_value([*RECORD]), "why"]
    opened().do(FIRST, "multisig", "propose", *changed(args, position, value))


def test_who_is_against_it_says_why_in_up_to_512_characters() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    for reason in ("", "r" * 513):
        assert business.refused(SECOND, "multisig", "reject", "a1", reason) == "multisig.reason"
    business.do(SECOND, "multisig", "reject", "a1", "r")
    business.do(THIRD, "multisig", "reject", "a1", "r" * 512)


def test_acts_are_shown_to_members_and_the_manager() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    for who in (*PEOPLE, "bureau"):
        page = business.ask(who, "multisig", "list_acts", JOINT, 0, 20)
        assert isinstance(page, list) and len(page) == 1
    for who in ("archive", STRANGER):
        assert business.denied(who, "multisig", "act", "a1") == "multisig.reader"
        assert business.denied(who, "multisig", "list_acts", JOINT, 0, 1) == "multisig.reader"
    assert business.denied(STRANGER, "multisig", "show", JOINT) == "multisig.party"
    assert business.denied(STRANGER, "multisig", "list", 0, 1) == "multisig.party"


# --- the machine ----------------------------------------------------------------------------

IMPOSTOR = """from contracts.dialect import call, call_contract


@call
def act(definition: bytes, args: bytes) -> None:
    call_contract("contract", "perform", definition, "parties", "suspend", args)
"""


def test_no_other_contract_and_no_transaction_acts_for_an_account() -> None:
    business = opened()
    definition = bytes((2,)) + b"".join(bytes.fromhex(account(person)) for person in PEOPLE)
    args = encode_value(["bank", "because"])
    business.do("opco", "contract", "deploy", "impostor", IMPOSTOR, encode_value([]))
    receipt = business.act("opco", "impostor", "act", definition, args)
    assert receipt.error == "unknown_contract"
    receipt = business.act("opco", "contract", "perform", definition, "parties", "suspend", args)
    assert receipt.error == "unknown_method"


def test_a_multisig_that_somebody_deployed_acts_for_nobody() -> None:
    """On a chain whose genesis had none, the name is free."""
    chain = Chain()
    for name, source in (("parties", PARTIES_STUB),):
        assert chain.deploy(name, source).status == Code.ok
    source = IMPOSTOR
    chain.must(account("a"), "contract", "deploy", "multisig", source, encode_value([]))
    receipt = chain.call(account("a"), "multisig", "act", b"\2", encode_value([]))
    assert (receipt.error, receipt.detail) == ("not_allowed", "this chain began without multisig")


PARTIES_STUB = """from contracts.dialect import view


@view
def acting_as(address: str, role: str) -> str:
    return "somebody"


@view
def standing(address: str) -> tuple[str, list[str]]:
    return "somebody", ["manager"]
"""


@pytest.mark.parametrize("language", range(1, LATEST + 1))
def test_a_chain_has_joint_accounts_from_its_third_language_on(language: int) -> None:
    chain = Chain(language=language)
    assert chain.deploy("parties", PARTIES_STUB).status == Code.ok
    assert chain.deploy("multisig", IMPOSTOR).status == Code.ok
    receipt = chain.call(account("a"), "multisig", "act", b"\2", encode_value([]))
    # In later ones the call is carried out, and refused by the contract that is called.
    assert receipt.error == ("unknown_contract" if language < 3 else "unknown_method")


def test_a_member_whose_account_was_replaced_has_no_word_and_what_it_said_does_not_count() -> None:
    """Whoever found a lost key gains nothing: not the word of a member, either."""
    business = opened()
    assert propose(business, "evidence", "record", *RECORD) == DIGEST  # the first one
    new = account("a new key")
    business.do("bureau", "parties", "replace_account", "archive", account(FIRST), new, "stolen")
    words = encode_value(list(RECORD))
    forged: list[Value] = ["a2", JOINT, "evidence", "record", words, "why"]
    assert business.refused(FIRST, "multisig", "propose", *forged) == "multisig.lost"
    assert business.refused(FIRST, "multisig", "withdraw", "a1") == "multisig.lost"
    business.do(SECOND, "multisig", "approve", "a1", DIGEST)
    assert business.ask_record(SECOND, "multisig", "act", "a1")["status"] == "open", "one, not two"
    business.do(SECOND, "multisig", "propose", *forged)
    for step, words_of in (("approve", DIGEST), ("reject", "no")):
        assert business.refused(FIRST, "multisig", step, "a2", words_of) == "multisig.lost"
    events = business.do(THIRD, "multisig", "approve", "a1", DIGEST)
    assert events[1][1]["approvals"] == [account(SECOND), account(THIRD)]
    assert recorded(business)


def test_an_act_is_over_when_too_few_members_have_a_word_left() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    new = account("a new key")
    business.do("bureau", "parties", "replace_account", "archive", account(FIRST), new, "stolen")
    events = business.do(SECOND, "multisig", "reject", "a1", "it was stolen")
    assert events[0][1]["status"] == "rejected"
