"""Assets: each version and change stays on record, and no certificate that ended enters service."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.applications import entered
from tests.business import STRANGER, Business, changed, digest
from tests.platform import DAY_MS, asset, described, in_service, registered


def entry(business: Business) -> list[Value]:
    """The arguments of asset.register."""
    return ["a1", "crypto_module", "chipworks", "Chipworks", "SJJ1012", *described(business)]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "asset.id"),
        (0, "A1", "asset.id"),
        (1, "car", "asset.kind"),
        (2, "devhouse", "asset.provider"),
        (2, "nobody", "asset.provider"),
        (3, "", "asset.maker"),
        (3, "m" * 129, "asset.maker"),
        (4, "", "asset.model"),
        (4, "m" * 65, "asset.model"),
        (5, "", "asset.title"),
        (5, "t" * 129, "asset.title"),
        (6, "r" * 65, "asset.release"),
        (7, bytes(31), "asset.digest"),
        (7, bytes(33), "asset.digest"),
        (8, -1, "asset.level"),
        (8, 6, "asset.level"),
        (9, "c" * 65, "asset.certificate"),
        (9, "", "asset.certificate_until"),
        (10, -1, "asset.certificate_until"),
        (10, 1 << 47, "asset.certificate_until"),
        (11, "p" * 129, "asset.place"),
        (12, "p" * 513, "asset.purpose"),
    ],
)
def test_a_malformed_asset_is_not_registered(position: int, value: Value, code: str) -> None:
    business = Business()
    bad = changed(entry(business), position, value)
    assert business.refused("opco", "asset", "register", *bad) == code


def test_an_asset_id_is_given_once_and_by_operators() -> None:
    business = Business()
    words = entry(business)
    for who in ("bureau", "chipworks", "devhouse", "health", "bank", STRANGER):
        assert business.refused(who, "asset", "register", *words) == "asset.role"
    business.do("opco", "asset", "register", *words)
    assert business.refused("opco", "asset", "register", *words) == "asset.exists"
    assert business.refused("rival", "asset", "register", *words) == "asset.exists"


def test_what_has_no_certificate_and_no_provider_is_registered_too() -> None:
    business = Business()
    words: list[Value] = ["a1", "server", "", "Maker", "M1", "Box", "", digest("papers")]
    business.do("opco", "asset", "register", *words, 0, "", 0, "", "")
    business.do("opco", "asset", "put_in_service", "a1", "installed")
    business.do("opco", "asset", "register", *changed(words, 0, "a2"), 2, "GM-1", 0, "", "")
    assert asset(business, "a1")["certificate_until_ms"] == 0
    for check in ("asset_expiring", "asset_expired"):
        assert business.ask_record("bank", "risk", "look", check, "a1")["is_due"] is False


def test_a_suspended_provider_supplies_nothing_new() -> None:
    business = Business()
    business.suspend("chipworks")
    assert business.refused("opco", "asset", "register", *entry(business)) == "asset.provider"


# --- its life ---------------------------------------------------------------------------------

# What each status lets happen; the rest is refused.
FOLLOWS = {
    "registered": {"put_in_service": "in_service", "retire": "retired"},
    "in_service": {"maintain": "maintenance", "retire": "retired"},
    "maintenance": {"put_in_service": "in_service", "retire": "retired"},
    "retired": {},
}
WAYS = {"registered": [], "in_service": ["put_in_service"],
        "maintenance": ["put_in_service", "maintain"], "retired": ["retire"]}  # fmt: skip


@pytest.mark.parametrize("status", FOLLOWS)
@pytest.mark.parametrize("method", ["put_in_service", "maintain", "retire", "describe"])
def test_an_asset_goes_from_state_to_state_as_drawn(status: str, method: str) -> None:
    business = Business()
    registered(business)
    for step in WAYS[status]:
        business.do("opco", "asset", step, "hsm-1", "why")
    assert asset(business)["status"] == status
    words = [*described(business), "why"] if method == "describe" else ["why"]
    follows = {**FOLLOWS[status], **({} if status == "retired" else {"describe": status})}
    if method not in follows:
        assert business.refused("opco", "asset", method, "hsm-1", *words) == "asset.status"
        return
    assert business.refused("opco", "asset", method, "hsm-1", *changed(words, -1, "")) == (
        "asset.reason"
    )
    business.do("opco", "asset", method, "hsm-1", *words)
    assert asset(business)["status"] == follows[method]


@pytest.mark.parametrize("method", ["put_in_service", "retire", "describe"])
def test_nobody_but_its_operator_touches_it(method: str) -> None:
    business = Business()
    registered(business)
    words = [*described(business), "why"] if method == "describe" else ["why"]
    for who in ("rival", "bureau", "chipworks", STRANGER):
        assert business.refused(who, "asset", method, "hsm-1", *words) == "asset.owner"
    assert business.refused("opco", "asset", method, "none", *words) == "asset.unknown"


def test_a_manager_retires_what_a_revoked_operator_left_and_nothing_else() -> None:
    business = Business()
    in_service(business, operator="rival")
    business.do("bureau", "parties", "suspend", "rival", "audit")
    assert business.refused("bureau", "asset", "retire", "hsm-1", "why") == "asset.owner"
    business.do("bureau", "parties", "revoke", "rival", "fraud")
    for who in ("opco", "rival", "chipworks", STRANGER):
        assert business.refused(who, "asset", "retire", "hsm-1", "why") == "asset.owner"
    assert business.refused("bureau", "asset", "maintain", "hsm-1", "why") == "asset.owner"
    business.do("board", "asset", "retire", "hsm-1", "its operator is revoked")
    told = business.ask("bureau", "asset", "history", "hsm-1", 2, 1)
    assert isinstance(told, list) and isinstance(told[0], dict)
    assert (told[0]["kind"], told[0]["party"]) == ("retired", "board")


def test_nothing_whose_certificate_ended_enters_service_until_it_has_a_new_one() -> None:
    business = Business()
    registered(business, days=1)
    business.pass_time(DAY_MS)
    refused = business.refused("opco", "asset", "put_in_service", "hsm-1", "installed")
    assert refused == "asset.certificate"
    business.do("opco", "asset", "describe", "hsm-1", *described(business), "renewed")
    business.do("opco", "asset", "put_in_service", "hsm-1", "installed")


def test_a_certificate_has_ended_in_the_millisecond_in_which_it_ends() -> None:
    business = Business()
    registered(business, days=1)
    end_ms = asset(business)["certificate_until_ms"]
    assert isinstance(end_ms, int)
    business.pass_time(end_ms - 1 - business.now_ms)  # the block of an act is a millisecond later
    refused = business.refused("opco", "asset", "put_in_service", "hsm-1", "installed")
    assert (refused, business.now_ms) == ("asset.certificate", end_ms)


def test_a_new_version_says_all_anew() -> None:
    business = Business()
    registered(business)
    until_ms = business.now_ms + 9 * DAY_MS
    anew: dict[str, Value] = {
        "title": "Keys of all",
        "release": "6.0",
        "digest": digest("other papers"),
        "level": 3,
        "certificate": "GM-2",
        "certificate_until_ms": until_ms,
        "place": "room 5",
        "purpose": "signs for all",
    }
    business.do("opco", "asset", "describe", "hsm-1", *anew.values(), "moved")
    for shown in (
        asset(business),
        business.ask_record("opco", "asset", "version", "hsm-1", 2),
    ):
        assert {name: shown[name] for name in anew} == anew
        assert (shown["version"], shown["reason"]) == (2, "moved")


def test_every_version_and_every_change_stays_on_record() -> None:
    business = Business()
    in_service(business)
    upgraded = changed(described(business), 1, "5.3")
    business.do("opco", "asset", "describe", "hsm-1", *upgraded, "upgraded")
    business.do("opco", "asset", "maintain", "hsm-1", "a fan is loud")
    business.do("opco", "asset", "retire", "hsm-1", "too loud")
    first = business.ask_record("chipworks", "asset", "version", "hsm-1", 1)
    second = business.ask_record("opco", "asset", "version", "hsm-1", 2)
    assert (first["release"], second["release"]) == ("5.2", "5.3")
    for number in (0, 3):
        assert business.denied("opco", "asset", "version", "hsm-1", number) == "asset.version"
    told = business.ask("chipworks", "asset", "history", "hsm-1", 0, 10)
    assert isinstance(told, list)
    changes = [(c["kind"], c["version"], c["reason"]) for c in told if isinstance(c, dict)]
    assert changes == [
        ("registered", 1, ""),
        ("in_service", 1, "installed"),
        ("described", 2, "upgraded"),
        ("maintenance", 2, "a fan is loud"),
        ("retired", 2, "too loud"),
    ]
    assert business.denied("opco", "asset", "history", "hsm-1", 0, 101) == "asset.page"


def test_operator_provider_and_managers_read_it_and_nobody_else() -> None:
    business = Business()
    registered(business)
    for who, count in (("bureau", 1), ("opco", 1), ("chipworks", 1), ("rival", 0), ("bank", 0)):
        seen = business.ask(who, "asset", "list", 0, 10)
        assert isinstance(seen, list) and len(seen) == count
    for who in ("rival", "bank", "devhouse", STRANGER):
        assert business.denied(who, "asset", "show", "hsm-1") == "asset.reader"
    assert business.ask("bank", "asset", "operator_of", "hsm-1") == "opco"


def test_an_operator_that_supplied_itself_has_it_once_in_its_list() -> None:
    business = Business()
    entered(business, "all", ["operator", "tech_provider"], [account("all")])
    business.do("all", "asset", "register", *changed(entry(business), 2, "all"))
    seen = business.ask("all", "asset", "list", 0, 10)
    assert isinstance(seen, list) and len(seen) == 1


# --- what the checks see ----------------------------------------------------------------------


def looked(business: Business, check: str) -> tuple[Value, Value]:
    seen = business.ask_record("bank", "risk", "look", check, "hsm-1")
    return seen["measured"], seen["is_due"]


def test_a_certificate_that_ends_soon_is_found_and_one_that_ended_in_service_is_grave() -> None:
    business = Business()
    registered(business, days=40)
    business.pass_time(11 * DAY_MS)
    assert looked(business, "asset_expiring") == (28, False), "nobody uses it"
    business.do("opco", "asset", "put_in_service", "hsm-1", "installed")
    assert looked(business, "asset_expiring") == (28, True)
    assert looked(business, "asset_expired") == (1, False)
    ((_name, raised),) = business.do("bank", "alert", "check", "asset_expiring", "hsm-1")
    assert (raised["party_id"], raised["severity"]) == ("opco", "notice")
    business.pass_time(29 * DAY_MS)
    assert looked(business, "asset_expiring") == (0, False)
    assert looked(business, "asset_expired") == (1, True)
    ((_name, raised),) = business.do("bank", "alert", "check", "asset_expired", "hsm-1")
    assert (raised["party_id"], raised["severity"]) == ("opco", "critical")
    business.do("opco", "asset", "maintain", "hsm-1", "until it is renewed")
    assert looked(business, "asset_expired") == (1, False)
    business.do("opco", "asset", "describe", "hsm-1", *described(business), "renewed")
    business.do("opco", "asset", "put_in_service", "hsm-1", "renewed")
    assert looked(business, "asset_expired") == (1, False)
    assert looked(business, "asset_expiring") == (89, False)


def test_a_plan_sets_how_early_the_operator_is_warned() -> None:
    business = Business()
    in_service(business, days=60)
    assert looked(business, "asset_expiring") == (59, False)
    limits: list[Value] = [["asset_expiring", 60, "warning"]]
    plan: list[Value] = ["p", "monitoring", "development", "Plan", digest("plan"), "", limits]
    business.do("opco", "rules", "draft", *plan)
    business.do("bureau", "rules", "enact", "p", 1, digest("plan"), business.chain.height + 2)
    business.chain.advance(height=2)
    assert looked(business, "asset_expiring")[1] is True
