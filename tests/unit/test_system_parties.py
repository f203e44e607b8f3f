"""The register of parties: who may be in it, under what name, and who cannot be locked out."""

from __future__ import annotations

import pytest

from contracts.bundle import system_sources
from contracts.vm.testing import account
from ledger.values import Value
from tests.applications import entered
from tests.business import PARTIES, ROLES, STRANGER, Business, changed, code_of

NEW: list[Value] = ["new", "New Office", ["supplier"], [account("new")]]


def test_the_parties_of_the_genesis_hold_their_roles() -> None:
    business = Business()
    for party, role in PARTIES.items():
        assert business.ask(STRANGER, "parties", "party_of", account(party)) == party
        for other in ROLES:
            held = business.ask(STRANGER, "parties", "has_role", account(party), other)
            assert held is (other == role)


def test_a_registered_party_speaks_through_all_its_accounts() -> None:
    business = Business()
    addresses: list[Value] = [account("new"), account("new-2")]
    business.do("bureau", "parties", "register", "new", "New", ["supplier", "consumer"], addresses)
    for address in addresses:
        for role in ("supplier", "consumer"):
            assert business.ask(STRANGER, "parties", "acting_as", address, role) == "new"
        assert business.ask(STRANGER, "parties", "acting_as", address, "operator") == ""
    shown = business.ask_record(STRANGER, "parties", "show", "new")
    assert shown["accounts"] == addresses
    assert shown["status"] == "active"


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "parties.id"),
        (0, "N", "parties.id"),
        (0, "a" * 65, "parties.id"),
        (0, "a b", "parties.id"),
        (0, "bank", "parties.exists"),
        (1, "", "parties.name"),
        (1, "n" * 129, "parties.name"),
        (2, [], "parties.roles"),
        (2, ["supplier"] * 7, "parties.roles"),
        (2, ["king"], "parties.role_unknown"),
        (2, ["supplier", "supplier"], "parties.role_twice"),
        (3, [], "parties.accounts"),
        (3, [account(f"n{i}") for i in range(33)], "parties.accounts"),
        (3, [account("new")[:39]], "parties.address"),
        (3, [account("new").upper()[:-1] + "G"], "parties.address"),
        (3, [account("new"), account("new")], "parties.account_twice"),
        (3, [account("bank")], "parties.account_bound"),
        (3, ["contract:task"], "parties.address"),
    ],
)
def test_a_malformed_party_is_not_registered(position: int, value: Value, code: str) -> None:
    business = Business()
    assert business.refused("bureau", "parties", "register", *changed(NEW, position, value)) == code
    business.do("bureau", "parties", "register", *NEW)


def test_a_genesis_without_a_manager_is_refused() -> None:
    source = dict(system_sources())["parties"]
    for role, code in (("supplier", "parties.no_manager"), ("manager", "")):
        founders: list[Value] = [
            ["first", "First", [role], [account("first")]],
            ["last", "Last", ["supplier"], [account("last")]],
        ]
        receipt = Business().chain.deploy("parties-2", source, [founders])
        assert (code_of(receipt.detail) if receipt.detail else "") == code


def test_there_are_100_managers_at_most_and_one_that_is_revoked_makes_room() -> None:
    business = Business()
    for number in range(98):  # besides the bureau and the board
        entered(business, f"m-{number}", ["manager"], [account(f"m-{number}")])
    more: list[Value] = ["m-98", "More", ["consumer", "manager"], [account("m-98")]]
    assert business.denied(STRANGER, "parties", "check_new", *more) == "parties.managers"
    assert business.refused("bureau", "parties", "register", *more) == "parties.managers"
    assert business.ask(STRANGER, "parties", "check_new", *NEW) is True
    business.do("bureau", "parties", "register", *NEW)
    business.do("bureau", "parties", "revoke", "new", "mistaken")
    assert business.denied(STRANGER, "parties", "check_new", *more) == "parties.managers"
    business.do("bureau", "parties", "revoke", "m-5", "reform")
    assert business.ask(STRANGER, "parties", "has_other_manager", "bureau") is True
    business.do("bureau", "parties", "register", *more)


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("add_account", ["nobody", account("x")]),
        ("remove_account", ["nobody", account("x")]),
        ("suspend", ["nobody", "why"]),
        ("readmit", ["nobody", "why"]),
    ],
)
def test_an_unknown_party_is_named_as_such(method: str, args: list[Value]) -> None:
    assert Business().refused("bureau", "parties", method, *args) == "parties.unknown"


def test_an_address_never_changes_hands() -> None:
    business = Business()
    business.do("bureau", "parties", "add_account", "bank", account("desk"))
    assert (
        business.refused("bureau", "parties", "add_account", "bank", account("desk"))
        == "parties.account_exists"
    )
    business.do("bureau", "parties", "remove_account", "bank", account("desk"))
    assert business.ask(STRANGER, "parties", "party_of", account("desk")) == ""
    assert (
        business.refused("bureau", "parties", "add_account", "insurer", account("desk"))
        == "parties.account_bound"
    )
    business.do("bureau", "parties", "add_account", "bank", account("desk"))
    assert business.ask(STRANGER, "parties", "party_of", account("desk")) == "bank"


def test_accounts_of_a_party_are_bounded() -> None:
    business = Business()
    for number in range(31):
        business.do("bureau", "parties", "add_account", "bank", account(f"desk-{number}"))
    refused = business.refused("bureau", "parties", "add_account", "bank", account("desk-31"))
    assert refused == "parties.accounts"


def test_an_account_that_is_not_there_cannot_be_removed() -> None:
    refused = Business().refused("bureau", "parties", "remove_account", "bank", account("insurer"))
    assert refused == "parties.account_unknown"


def test_the_acting_manager_cannot_lock_itself_out() -> None:
    business = Business()
    assert (
        business.refused("bureau", "parties", "remove_account", "bureau", account("bureau"))
        == "parties.own_account"
    )
    assert (
        business.refused("bureau", "parties", "suspend", "bureau", "tired") == "parties.own_party"
    )
    business.do("bureau", "parties", "suspend", "board", "reform")
    assert business.ask(STRANGER, "parties", "has_role", account("bureau"), "manager") is True


def test_a_suspended_party_keeps_its_name_and_loses_its_roles() -> None:
    business = Business()
    business.suspend("bank")
    assert business.ask(STRANGER, "parties", "party_of", account("bank")) == "bank"
    assert business.ask(STRANGER, "parties", "active_party_of", account("bank")) == ""
    assert business.ask(STRANGER, "parties", "has_role", account("bank"), "consumer") is False
    assert business.ask(STRANGER, "parties", "party_has_role", "bank", "consumer") is False
    assert business.ask_record(STRANGER, "parties", "show", "bank")["status"] == "suspended"


def test_what_a_contract_is_told_of_a_sender_ends_with_its_account_and_its_party() -> None:
    """`standing` is what ctx.party and ctx.roles are made of."""
    business = Business()
    accounts: list[Value] = [account("new"), account("desk")]
    business.do("bureau", "parties", "register", "new", "New", ["consumer", "supplier"], accounts)
    for who, told in (
        ("desk", ["new", ["supplier", "consumer"]]),
        ("bureau", ["bureau", ["manager"]]),
        (STRANGER, ["", []]),
    ):
        assert business.ask(STRANGER, "parties", "standing", account(who)) == told
    business.do("bureau", "parties", "remove_account", "new", account("desk"))
    assert business.ask(STRANGER, "parties", "standing", account("desk")) == ["", []]
    business.suspend("new")
    assert business.ask(STRANGER, "parties", "standing", account("new")) == ["", []]


def test_who_serves_is_an_active_operator_and_who_is_served_is_not_revoked() -> None:
    business = Business()
    assert business.ask(STRANGER, "parties", "may_serve", "opco", "bank") is True
    assert business.ask(STRANGER, "parties", "may_serve", "health", "bank") is False
    business.suspend("bank")
    assert business.ask(STRANGER, "parties", "may_serve", "opco", "bank") is True
    business.do("bureau", "parties", "revoke", "bank", "misuse")
    assert business.ask(STRANGER, "parties", "may_serve", "opco", "bank") is False
    business.suspend("opco")
    assert business.ask(STRANGER, "parties", "may_serve", "opco", "insurer") is False


def test_each_suspension_has_a_number_while_it_lasts() -> None:
    business = Business()
    for number in (1, 2):
        assert business.ask(STRANGER, "parties", "suspension_of", "bank") == 0
        business.suspend("bank")
        assert business.ask(STRANGER, "parties", "suspension_of", "bank") == number
        business.do("bureau", "parties", "readmit", "bank", "audit passed")
    assert business.ask(STRANGER, "parties", "suspension_of", "bank") == 0


def test_suspension_and_readmission_take_turns() -> None:
    business = Business()
    assert business.refused("bureau", "parties", "readmit", "bank", "why") == "parties.status"
    business.suspend("bank")
    assert business.refused("bureau", "parties", "suspend", "bank", "why") == "parties.status"


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_suspension_needs_a_reason_of_bounded_length(reason: str) -> None:
    business = Business()
    assert business.refused("bureau", "parties", "suspend", "bank", reason) == "parties.reason"
    business.suspend("bank")
    assert business.refused("bureau", "parties", "readmit", "bank", reason) == "parties.reason"


def test_the_register_is_paged_in_order_of_registration() -> None:
    business = Business()
    page = business.ask(STRANGER, "parties", "list", 2, 3)
    assert isinstance(page, list)
    assert [row["id"] for row in page if isinstance(row, dict)] == list(PARTIES)[2:5]
    assert business.ask(STRANGER, "parties", "list", 500, 3) == []
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert business.denied(STRANGER, "parties", "list", offset, limit) == "parties.page"


def test_unknown_addresses_and_roles_give_nothing() -> None:
    business = Business()
    assert business.ask(STRANGER, "parties", "party_of", account(STRANGER)) == ""
    assert business.ask(STRANGER, "parties", "has_role", account("bank"), "") is False
    assert business.ask(STRANGER, "parties", "has_role", account("bank"), "king") is False
    denied = business.denied(STRANGER, "parties", "acting_as", account("bank"), "king")
    assert denied == "parties.role_unknown"
    assert business.denied(STRANGER, "parties", "show", "nobody") == "parties.unknown"


# --- keys that were lost --------------------------------------------------------------------

KEEPER = account("bank-keeper")


def kept() -> Business:
    """The bank has a keeper."""
    business = Business()
    business.do("bureau", "parties", "name_keeper", "bank", KEEPER, "agreement 7")
    return business


@pytest.mark.parametrize("by", ["bank-keeper", "bureau"])
def test_a_lost_key_is_replaced_and_speaks_for_nobody_any_more(by: str) -> None:
    business = kept()
    business.do(
        by, "parties", "replace_account", "bank", account("bank"), account("bank-2"), "stolen"
    )
    assert business.ask(STRANGER, "parties", "party_of", account("bank")) == ""
    assert business.ask(STRANGER, "parties", "has_role", account("bank"), "consumer") is False
    assert business.ask(STRANGER, "parties", "acting_as", account("bank-2"), "consumer") == "bank"
    refused = business.refused("bureau", "parties", "add_account", "bank", account("bank"))
    assert refused == "parties.account_lost"


def test_one_lost_key_is_replaced_and_the_others_stay() -> None:
    business = kept()
    business.do("bureau", "parties", "add_account", "bank", account("desk"))
    args: list[Value] = ["bank", account("desk"), account("d2"), "stolen"]
    business.do("bureau", "parties", "replace_account", *args)
    shown = business.ask_record(STRANGER, "parties", "show", "bank")
    assert shown["accounts"] == [account("bank"), account("d2")]
    for address, is_barred in ((account("bank"), False), (account("desk"), True)):
        assert business.ask(STRANGER, "parties", "is_barred", address) is is_barred
    business.do("bureau", "parties", "revoke", "bank", "misuse")
    assert business.ask(STRANGER, "parties", "is_barred", account("bank")) is True


def test_a_keeper_is_named_once_and_for_a_reason() -> None:
    business = kept()
    for address, reason, code in (
        (KEEPER, "again", "parties.keeper_same"),
        (account("other"), "", "parties.reason"),
        (account("other"), "r" * 513, "parties.reason"),
    ):
        refused = business.refused("bureau", "parties", "name_keeper", "bank", address, reason)
        assert refused == code


def test_the_history_of_accounts_names_every_change_who_made_it_and_why() -> None:
    business = kept()
    business.do("bureau", "parties", "add_account", "bank", account("desk"))
    business.do(
        "bank-keeper", "parties", "replace_account", "bank", account("desk"), account("d2"), "lost"
    )
    business.do("bureau", "parties", "remove_account", "bank", account("d2"))
    page = business.ask(STRANGER, "parties", "account_history", "bank", 0, 100)
    assert isinstance(page, list)
    told = [
        (row["kind"], row["address"], row["replacement"], row["by"], row["reason"])
        for row in page
        if isinstance(row, dict)
    ]
    bureau = account("bureau")
    assert told == [
        ("keeper", KEEPER, "", bureau, "agreement 7"),
        ("added", account("desk"), "", bureau, ""),
        ("replaced", account("desk"), account("d2"), KEEPER, "lost"),
        ("removed", account("d2"), "", bureau, ""),
    ]
    assert business.ask(STRANGER, "parties", "account_history", "bank", 3, 100) == page[3:]
    assert business.denied(STRANGER, "parties", "account_history", "x", 0, 1) == "parties.unknown"


@pytest.mark.parametrize("by", ["bank", "insurer", "insurer-keeper", STRANGER])
def test_an_everyday_key_cannot_turn_on_the_others_of_its_party(by: str) -> None:
    business = kept()
    business.do("bureau", "parties", "add_account", "bank", account("desk"))
    business.do("bureau", "parties", "name_keeper", "insurer", account("insurer-keeper"), "why")
    args: list[Value] = ["bank", account("desk"), account("mine"), "why"]
    assert business.refused(by, "parties", "replace_account", *args) == "parties.keeper"
    refused = business.refused(by, "parties", "name_keeper", "bank", account("mine"), "why")
    assert refused == "parties.role"


def test_a_keeper_does_nothing_else_and_is_no_account() -> None:
    business = kept()
    assert business.ask(STRANGER, "parties", "keeper_of", "bank") == KEEPER
    assert business.ask(STRANGER, "parties", "party_of", KEEPER) == ""
    for method, args in [
        ("add_account", ["bank", KEEPER]),
        ("replace_account", ["bank", account("bank"), KEEPER, "why"]),
        ("name_keeper", ["bank", account("bank"), "why"]),
    ]:
        assert business.refused("bureau", "parties", method, *args) == "parties.keeper_account"
    business.do("bureau", "parties", "name_keeper", "bank", "", "it was lost, too")
    args = ["bank", account("bank"), account("bank-2"), "why"]
    assert business.refused("bank-keeper", "parties", "replace_account", *args) == "parties.keeper"


def test_the_keeper_of_a_suspended_party_waits_until_it_is_readmitted() -> None:
    business = kept()
    business.suspend("bank")
    args: list[Value] = ["bank", account("bank"), account("bank-2"), "why"]
    assert business.refused("bank-keeper", "parties", "replace_account", *args) == "parties.keeper"
    business.do("bureau", "parties", "readmit", "bank", "sorted out")
    business.do("bank-keeper", "parties", "replace_account", *args)
    assert business.ask(STRANGER, "parties", "acting_as", account("bank-2"), "consumer") == "bank"


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "nobody", "parties.unknown"),
        (1, account("stranger"), "parties.account_unknown"),
        (2, account("bank"), "parties.account_exists"),
        (2, account("insurer"), "parties.account_bound"),
        (2, "contract:task", "parties.address"),
        (3, "", "parties.reason"),
        (3, "r" * 513, "parties.reason"),
    ],
)
def test_a_wrong_replacement_is_refused(position: int, value: Value, code: str) -> None:
    args: list[Value] = ["bank", account("bank"), account("bank-2"), "lost"]
    wrong = changed(args, position, value)
    assert kept().refused("bureau", "parties", "replace_account", *wrong) == code


def test_the_register_cannot_lose_its_last_manager_by_a_replacement() -> None:
    args: list[Value] = ["bureau", account("bureau"), account("typo"), "rotation"]
    assert Business().refused("bureau", "parties", "replace_account", *args) == (
        "parties.own_account"
    )
