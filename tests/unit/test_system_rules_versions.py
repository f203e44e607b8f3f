"""Versions of rules and plans: heights at their bounds, drafts anew, and what a revocation ends."""

from __future__ import annotations

import pytest

from contracts.system.rules import LEAD_MAX
from ledger.values import Value
from tests.business import Business, digest
from tests.unit.test_system_rules import LIMITS, enacted, status, text


def limit(business: Business) -> Value:
    return business.ask_record("bank", "rules", "limit_of", "delivery_unanswered")["limit"]


def test_a_draft_that_was_withdrawn_is_written_anew_under_another_title() -> None:
    business = Business()
    business.do("opco", "rules", "draft", *text())
    business.do("opco", "rules", "withdraw", "r1")
    assert status(business) == "withdrawn"
    business.do("opco", "rules", "draft", *text(title="Deliveries"))
    shown = business.ask_record("health", "rules", "show", "r1")
    assert (shown["status"], shown["title"]) == ("draft", "Deliveries")


def test_a_draft_changes_neither_title_nor_standing_of_what_is_in_force() -> None:
    business = Business()
    enacted(business)
    business.chain.advance(height=1)
    business.do("opco", "rules", "draft", *text(title="Another"))
    for _ in range(2):
        shown = business.ask_record("health", "rules", "show", "r1")
        assert (shown["status"], shown["title"]) == ("effective", "Monitoring of deliveries")
        if shown["versions"] == 2 and status(business, 2) == "draft":
            business.do("opco", "rules", "withdraw", "r1")
    assert status(business, 2) == "withdrawn"


@pytest.mark.parametrize(
    ("ahead", "code"),
    [(0, "rules.from_height"), (1, ""), (LEAD_MAX, ""), (LEAD_MAX + 1, "rules.from_height")],
)
def test_a_version_begins_after_its_block_and_within_the_lead(ahead: int, code: str) -> None:
    business = Business()
    business.do("opco", "rules", "draft", *text())
    height = business.chain.height + 1 + ahead  # after the block of the act
    words: list[Value] = ["r1", 1, digest("text"), height]
    if code:
        assert business.refused("bureau", "rules", "enact", *words) == code
    else:
        business.do("bureau", "rules", "enact", *words)


def test_the_next_version_is_enacted_in_the_block_in_which_the_last_one_begins() -> None:
    business = Business()
    begins = enacted(business, ahead=3)
    business.do("opco", "rules", "draft", *text(content="second"))
    assert business.chain.height == begins - 2
    words: list[Value] = ["r1", 2, digest("second"), begins + 9]
    assert business.refused("bureau", "rules", "enact", *words) == "rules.announced"
    business.do("bureau", "rules", "enact", *words)
    assert business.chain.height == begins


@pytest.mark.parametrize("blocks", [1, 5])
def test_what_was_superseded_is_not_revoked_with_its_successor(blocks: int) -> None:
    business = Business()
    enacted(business)
    business.chain.advance(height=2)
    begins = enacted(business, ahead=9)
    business.chain.advance(height=begins - business.chain.height - 2 + blocks)
    business.do("bureau", "rules", "revoke", "r1", "flawed")
    assert business.chain.height == begins - 1 + blocks
    assert [status(business, number) for number in (1, 2)] == ["superseded", "revoked"]


def test_what_is_still_in_force_is_revoked_with_a_successor_that_is_only_announced() -> None:
    business = Business()
    enacted(business)
    business.chain.advance(height=2)
    enacted(business, ahead=9)
    business.do("bureau", "rules", "revoke", "r1", "flawed")
    assert [status(business, number) for number in (1, 2)] == ["revoked", "revoked"]


def test_who_revokes_a_rule_leaves_the_plan_of_its_stage() -> None:
    business = Business()
    enacted(business, limits=LIMITS)
    rule = text("r2", kind="rule")
    business.do("bureau", "rules", "draft", *rule)
    words: list[Value] = ["r2", 1, digest("text"), business.chain.height + 2]
    business.do("bureau", "rules", "enact", *words)
    business.chain.advance(height=2)
    assert limit(business) == 48
    business.do("bureau", "rules", "revoke", "r2", "flawed")
    assert limit(business) == 48
    business.do("opco", "rules", "draft", *text("r3"))
    late: list[Value] = ["r3", 1, digest("text"), business.chain.height + 2]
    assert business.refused("bureau", "rules", "enact", *late) == "rules.monitored"
