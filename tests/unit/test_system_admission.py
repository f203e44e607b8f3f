"""Applications of parties: who cannot get in by one, and what one act of a manager makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from client.applications import application_of, message_of, terms_digest
from contracts.vm.codes import Code
from crypto import sm2
from ledger.values import Value
from tests.applications import (
    CHAIN_ID,
    LAB,
    Wish,
    admitted,
    applicant,
    applied,
    decision,
    signed,
    written,
)
from tests.business import HOUR_MS, STRANGER, Business, changed, digest

BANK = Wish(id="b1", party="citybank", roles=("consumer",), keys=("citybank",), sponsor="health")
KEYS, SIGNATURES = -2, -1  # places among the arguments of apply
DAY = 24


def refused(business: Business, wish: Wish, who: str = "") -> str:
    return business.refused(who or wish.sponsor, "admission", "apply", *signed(business, wish))


# --- what nobody can hand in --------------------------------------------------------------------


def test_nobody_binds_an_address_whose_key_did_not_sign() -> None:
    business = Business()
    thief, victim = digest("key of thief"), digest("key of lab")
    words = signed(business)
    message = message_of(written(business).application, CHAIN_ID)
    for key, private in ((victim, thief), (thief, victim)):
        taken = changed(words, KEYS, [sm2.public_key(key)])
        taken = changed(taken, SIGNATURES, [sm2.sign(private, message)])
        assert business.refused("opco", "admission", "apply", *taken) == "admission.signature"
    # One of two keys did not sign, or signed twice.
    both = signed(business, replace(LAB, keys=("lab", "lab-2")))
    signatures = both[SIGNATURES]
    assert isinstance(signatures, list)
    first, second = signatures
    for made in ([first, first], [second, first]):
        taken = changed(both, SIGNATURES, made)
        assert business.refused("opco", "admission", "apply", *taken) == "admission.signature"
    business.do("opco", "admission", "apply", *both)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "a2"),
        (1, "lab-2"),
        (2, "Another Lab"),
        (3, "lab"),
        (4, ["tech_provider"]),
        (4, ["developer", "tech_provider"]),
        (5, digest("other documents")),
        (6, 1),
    ],
)
def test_nothing_that_was_signed_can_be_changed(place: int, value: Value) -> None:
    business = Business()
    words = signed(business)
    if isinstance(value, int) and isinstance(words[place], int):
        value = business.now_ms + DAY * HOUR_MS + value
    taken = changed(words, place, value)
    assert business.refused("opco", "admission", "apply", *taken) == "admission.signature"


def test_an_application_is_good_for_one_chain_and_one_sponsor() -> None:
    business = Business()
    elsewhere = replace(LAB, chain_id=digest("another chain"))
    assert refused(business, elsewhere) == "admission.signature"
    assert refused(business, LAB, who="rival") == "admission.signature"
    applied(business)


def test_an_application_of_two_keys_is_not_one_of_their_order_reversed() -> None:
    business = Business()
    words = signed(business, replace(LAB, keys=("lab", "lab-2")))
    for place in (KEYS, SIGNATURES):
        items = words[place]
        assert isinstance(items, list)
        words = changed(words, place, items[::-1])
    assert business.refused("opco", "admission", "apply", *words) == "admission.signature"


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (0, "A1", "admission.id"),
        (1, "LAB", "parties.id"),
        (1, "bank", "parties.exists"),
        (2, "", "parties.name"),
        (2, "n" * 129, "parties.name"),
        (3, "nobody", "admission.organization"),
        (4, [], "parties.roles"),
        (4, ["king"], "parties.role_unknown"),
        (4, ["developer", "developer"], "parties.role_twice"),
        (5, bytes(31), "admission.documents"),
        (KEYS, [], "admission.signatures"),
        (KEYS, [bytes(64)] * 2, "admission.signatures"),
        (KEYS, [bytes(63)], "admission.key"),
        (KEYS, [bytes(64)], "admission.signature"),
        (SIGNATURES, [], "admission.signatures"),
        (SIGNATURES, [bytes(63)], "admission.signature"),
    ],
)
def test_a_malformed_application_is_refused(place: int, value: Value, code: str) -> None:
    business = Business()
    words = changed(signed(business), place, value)
    assert business.refused("opco", "admission", "apply", *words) == code


def test_nine_accounts_do_not_apply_at_once() -> None:
    many = replace(BANK, keys=tuple(f"desk-{number}" for number in range(9)))
    assert refused(Business(), many) == "admission.signatures"


@pytest.mark.parametrize("hours", [0, -1, 90 * DAY + 1])
def test_an_application_ends_within_a_quarter(hours: int) -> None:
    assert refused(Business(), replace(LAB, hours=hours)) == "admission.expires"


def test_one_key_cannot_stand_for_two_accounts() -> None:
    twice = replace(LAB, keys=("lab", "lab"))
    business = Business()
    paper = written(business, twice)
    made = sm2.sign(digest("key of lab"), message_of(paper.application, CHAIN_ID))
    key = applicant("lab").public_key
    words = changed(changed(signed(business), KEYS, [key, key]), SIGNATURES, [made, made])
    assert business.refused("opco", "admission", "apply", *words) == "parties.account_twice"


def test_an_address_of_a_party_applies_for_no_other_one() -> None:
    business = Business()
    business.do("bureau", "parties", "add_account", "bank", applicant("lab").address)
    assert refused(business, LAB) == "parties.account_bound"
    business.do("bureau", "parties", "remove_account", "bank", applicant("lab").address)
    assert refused(business, LAB) == "parties.account_bound"
    keeper = replace(LAB, keys=("keeper",))
    business.do("bureau", "parties", "name_keeper", "bank", applicant("keeper").address, "why")
    assert refused(business, keeper) == "parties.account_bound"


# --- who sponsors -------------------------------------------------------------------------------


def test_a_stranger_sponsors_nobody_and_neither_does_a_suspended_party() -> None:
    business = Business()
    assert refused(business, LAB, who=STRANGER) == "admission.role"
    business.suspend("opco")
    assert refused(business, LAB) == "admission.role"
    # Any party may sponsor a consumer; no party is none, also where the consumer signed for that.
    assert refused(business, replace(BANK, sponsor=""), who=STRANGER) == "admission.role"


@pytest.mark.parametrize(
    ("role", "sponsors", "code"),
    [
        ("developer", ("opco",), "admission.role"),
        ("tech_provider", ("rival",), "admission.role"),
        ("operator", ("bureau",), "admission.role"),
        ("manager", ("board",), "admission.role"),
        ("supplier", ("bureau", "opco", "health", "bank", "chipworks", "devhouse"), ""),
        ("consumer", ("bureau", "opco", "health", "bank", "chipworks", "devhouse"), ""),
    ],
)
def test_who_selects_a_role_sponsors_it(role: str, sponsors: tuple[str, ...], code: str) -> None:
    for who in ("bureau", "board", "opco", "rival", "health", "bank", "chipworks", "devhouse"):
        business = Business()
        kinds = {"bureau": "manager", "board": "manager", "opco": "operator", "rival": "operator"}
        like = {kinds.get(sponsor, sponsor) for sponsor in sponsors}
        wish = replace(LAB, roles=(role,), sponsor=who)
        if code == "" or kinds.get(who, who) in like:
            applied(business, wish)
        else:
            assert refused(business, wish) == code, who


def test_roles_that_two_select_need_a_sponsor_that_is_both() -> None:
    wish = replace(LAB, roles=("operator", "developer"))
    assert refused(Business(), wish) == "admission.role"
    assert refused(Business(), replace(wish, sponsor="bureau")) == "admission.role"


def test_one_sponsor_has_sixteen_applications_open_at_most() -> None:
    business = Business()
    many = [
        replace(BANK, id=f"b{n}", party=f"bank-{n}", keys=(f"k{n}",), hours=2 if n else 1)
        for n in range(17)
    ]
    for wish in many[:16]:
        applied(business, wish)
    assert refused(business, many[16]) == "admission.open"
    applied(business, replace(many[16], sponsor="social"))
    # What is decided, withdrawn or over makes room.
    more = [replace(BANK, id=f"c{n}", party=f"more-{n}", keys=(f"c{n}",)) for n in range(4)]
    business.do("bureau", "admission", "refuse", "b1", "unknown")
    applied(business, more[0])
    business.do("health", "admission", "withdraw", "b2", "mistaken")
    applied(business, more[1])
    assert refused(business, more[2]) == "admission.open"
    business.pass_time(HOUR_MS)
    applied(business, more[2])  # b0 is over
    assert refused(business, more[3]) == "admission.open"


# --- ids, and what is over ----------------------------------------------------------------------


def test_an_id_is_reserved_while_its_application_is_open_and_no_longer() -> None:
    business = Business()
    applied(business, replace(BANK, hours=1))
    other = replace(BANK, id="b2", keys=("other",), sponsor="opco")
    assert refused(business, other) == "admission.reserved"
    business.pass_time(HOUR_MS)
    applied(business, other)
    # The one that is over frees nothing that is another's now.
    assert business.refused("health", "admission", "withdraw", "b1", "why") == "admission.expired"
    third = replace(BANK, id="b3", keys=("third",))
    assert refused(business, third) == "admission.reserved"
    business.do("opco", "admission", "withdraw", "b2", "why")
    applied(business, third)


def test_what_was_refused_or_withdrawn_is_not_handed_in_again_but_signed_anew() -> None:
    for step, who in (("refuse", "bureau"), ("withdraw", "opco")):
        business = Business()
        words = signed(business)
        business.do("opco", "admission", "apply", *words)
        assert business.refused("opco", "admission", "apply", *words) == "admission.exists"
        business.do(who, "admission", step, "a1", "incomplete")
        assert business.refused("opco", "admission", "apply", *words) == "admission.exists"
        admitted(business, replace(LAB, id="a2"))


def test_an_expired_application_is_neither_admitted_nor_refused() -> None:
    business = Business()
    applied(business, replace(LAB, hours=1))
    words = decision(business)
    business.pass_time(HOUR_MS)
    assert business.refused("bureau", "admission", "admit", *words) == "admission.expired"
    assert business.refused("bureau", "admission", "refuse", "a1", "late") == "admission.expired"
    assert business.ask("bureau", "admission", "standing", "a1") == "expired"
    assert business.ask_record("bureau", "admission", "show", "a1")["status"] == "applied"
    (row,) = rows(business, "bureau")
    assert row["status"] == "expired"


def test_an_application_is_over_in_the_millisecond_in_which_it_ends() -> None:
    business = Business()
    applied(business)
    end_ms = business.ask_record("bureau", "admission", "show", "a1")["expires_ms"]
    assert isinstance(end_ms, int)
    business.pass_time(end_ms - 1 - business.now_ms)
    assert business.ask("bureau", "admission", "standing", "a1") == "applied"
    # The block of an act is a millisecond later.
    assert business.refused("bureau", "admission", "refuse", "a1", "late") == "admission.expired"
    assert business.now_ms == end_ms
    assert business.ask("bureau", "admission", "standing", "a1") == "expired"


def test_what_was_admitted_does_not_expire() -> None:
    business = Business()
    admitted(business)
    business.pass_time(DAY * HOUR_MS)
    assert business.ask("bureau", "admission", "standing", "a1") == "admitted"


@pytest.mark.parametrize("end", ["admit", "refuse", "withdraw"])
def test_what_is_over_is_over(end: str) -> None:
    business = Business()
    applied(business)
    words = decision(business)
    acts: dict[str, tuple[str, list[Value]]] = {
        "admit": ("bureau", words),
        "refuse": ("bureau", ["a1", "why"]),
        "withdraw": ("opco", ["a1", "why"]),
    }
    who, args = acts[end]
    business.do(who, "admission", end, *args)
    for step, (who, args) in acts.items():
        assert business.refused(who, "admission", step, *args) == "admission.status", step


# --- who decides --------------------------------------------------------------------------------


def test_a_manager_admits_what_it_read_and_nothing_else() -> None:
    business = Business()
    applied(business)
    words = decision(business)
    other = changed(words, 1, digest("something else"))
    assert business.refused("bureau", "admission", "admit", *other) == "admission.digest"
    long = changed(words, 3, "r" * 513)
    assert business.refused("bureau", "admission", "admit", *long) == "admission.reason"
    found = business.ask("bureau", "admission", "show", "a1")
    assert isinstance(found, dict)
    assert terms_digest(application_of(found), CHAIN_ID) == words[1]
    business.do("bureau", "admission", "admit", *words)


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_refusals_and_withdrawals_say_why(reason: str) -> None:
    business = Business()
    applied(business)
    assert business.refused("bureau", "admission", "refuse", "a1", reason) == "admission.reason"
    assert business.refused("opco", "admission", "withdraw", "a1", reason) == "admission.reason"


def test_only_its_sponsor_takes_an_application_back() -> None:
    business = Business()
    applied(business)
    for who in ("rival", "bureau", "bank", STRANGER):
        assert business.refused(who, "admission", "withdraw", "a1", "why") == "admission.owner"


def test_a_sponsor_that_is_suspended_meanwhile_vouches_for_nobody() -> None:
    business = Business()
    applied(business)
    words = decision(business)
    business.suspend("opco")
    assert business.refused("bureau", "admission", "admit", *words) == "admission.sponsor"
    business.do("bureau", "parties", "readmit", "opco", "sorted out")
    business.do("bureau", "admission", "admit", *words)


def test_an_organization_that_was_cut_off_meanwhile_is_none_to_belong_to() -> None:
    business = Business()
    applied(business, replace(LAB, organization="chipworks"))
    words = decision(business)
    business.suspend("chipworks")
    assert business.refused("bureau", "admission", "admit", *words) == "admission.organization"
    own = replace(LAB, id="a2", party="lab-2", organization="lab-2", keys=("lab-2",))
    admitted(business, own)
    assert business.ask_record(STRANGER, "parties", "show", "lab-2")["organization"] == "lab-2"


def test_no_manager_admits_what_its_own_party_sponsored_while_there_is_another() -> None:
    business = Business()
    applied(business, replace(BANK, sponsor="bureau"))
    words = decision(business, "b1")
    assert business.refused("bureau", "admission", "admit", *words) == "admission.self"
    business.do("bureau", "parties", "suspend", "board", "reform")
    business.do("bureau", "admission", "admit", *words)  # somebody has to
    assert business.ask_record(STRANGER, "parties", "show", "citybank")["approved_by"] == "bureau"


def test_an_id_or_address_that_was_given_away_meanwhile_is_not_admitted() -> None:
    business = Business()
    applied(business, BANK)
    applied(business)
    taken: list[Value] = ["citybank", "Another", ["supplier"], ["ab" * 20]]
    business.do("bureau", "parties", "register", *taken)
    words = decision(business, "b1")
    assert business.refused("bureau", "admission", "admit", *words) == "parties.exists"
    business.do("bureau", "parties", "add_account", "bank", applicant("lab").address)
    words = decision(business)
    assert business.refused("bureau", "admission", "admit", *words) == "parties.account_bound"


# --- what an admission makes --------------------------------------------------------------------


def test_one_act_makes_the_party_and_its_engagement() -> None:
    business = Business()
    applied(business)
    since = business.now_ms
    events = business.do("bureau", "admission", "admit", *decision(business))
    assert [name for name, _fields in events] == [
        "Admitted",
        "PartyRegistered",
        "Selected",
        "EngagementReviewed",
    ]
    party = business.ask_record(STRANGER, "parties", "show", "lab")
    assert party["accounts"] == [applicant("lab").address]
    assert (party["selected_by"], party["approved_by"], party["status"]) == (
        "opco",
        "bureau",
        "active",
    )
    assert party["since"] == business.chain.height
    found = business.ask_record("opco", "oversight", "show", "a1")
    assert (found["operator"], found["party"], found["manager"], found["status"]) == (
        "opco",
        "lab",
        "bureau",
        "approved",
    )
    assert found["selected_ms"] == since
    assert business.ask(STRANGER, "oversight", "supervises", "opco", "lab", "delivery") is True
    application = business.ask_record("opco", "admission", "show", "a1")
    assert (application["status"], application["manager"], application["reason"]) == (
        "admitted",
        "bureau",
        "sound",
    )


def test_the_engagement_has_another_id_where_that_of_the_application_is_taken() -> None:
    business = Business()
    business.do("rival", "oversight", "select", "a1", "devhouse", "to be in the way")
    applied(business)
    assert business.refused("bureau", "admission", "admit", *decision(business)) == (
        "oversight.exists"
    )
    business.do("bureau", "admission", "admit", *decision(business, engagement="opco-lab"))
    assert business.ask_record("opco", "oversight", "show", "opco-lab")["party"] == "lab"


def test_who_works_for_no_operator_is_engaged_by_nobody() -> None:
    business = Business()
    applied(business, replace(BANK, sponsor="opco"))
    words = decision(business, "b1", engagement="e1")
    assert business.refused("bureau", "admission", "admit", *words) == "admission.engagement"
    events = business.do("bureau", "admission", "admit", *decision(business, "b1"))
    assert [name for name, _fields in events] == ["Admitted", "PartyRegistered"]


def test_all_accounts_of_an_applicant_speak_for_it_from_then_on() -> None:
    business = Business()
    keys = tuple(f"desk-{number}" for number in range(8))
    admitted(business, replace(BANK, keys=keys))
    for key in keys:
        address = applicant(key).address
        assert business.ask(STRANGER, "parties", "acting_as", address, "consumer") == "citybank"


def test_only_an_admission_enters_and_engages() -> None:
    business = Business()
    new: list[Value] = ["lab", "Lab", ["developer"], ["ab" * 20]]
    assert business.refused("bureau", "parties", "admit", *new, "", "", "") == "parties.admit"
    for role in ("developer", "tech_provider"):
        words = changed(new, 2, ["consumer", role])
        assert business.refused("bureau", "parties", "register", *words) == "parties.selected"
    engaged: list[Value] = ["e1", "opco", "devhouse", "bureau", 0, ""]
    for who in ("bureau", "opco"):
        assert business.refused(who, "oversight", "engage", *engaged) == "oversight.engage"


# --- who reads ----------------------------------------------------------------------------------


def rows(business: Business, who: str) -> list[dict[str, Value]]:
    found = business.ask(who, "admission", "list", 0, 100)
    assert isinstance(found, list)
    return [{str(k): v for k, v in row.items()} for row in found if isinstance(row, dict)]


def test_managers_read_all_applications_and_sponsors_their_own() -> None:
    business = Business()
    applied(business)
    applied(business, BANK)
    told = {who: [row["id"] for row in rows(business, who)] for who in ("board", "opco", "health")}
    assert told == {"board": ["a1", "b1"], "opco": ["a1"], "health": ["b1"]}
    assert rows(business, "bank") == []
    for method in ("show", "standing"):
        assert business.denied("rival", "admission", method, "a1") == "admission.reader"
        assert business.denied("bureau", "admission", method, "a9") == "admission.unknown"
    assert business.denied(STRANGER, "admission", "list", 0, 1) == "admission.reader"
    for page in ((-1, 1), (0, 0), (0, 101)):
        assert business.denied("bureau", "admission", "list", *page) == "admission.page"


def test_a_refused_application_leaves_nothing_behind() -> None:
    business = Business()
    receipt = business.act("rival", "admission", "apply", *signed(business))
    assert receipt.status == Code.refused
    assert rows(business, "bureau") == []
    admitted(business)
