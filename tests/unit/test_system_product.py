"""Products: passed while their grant stands, and with the word of who passed them."""

from __future__ import annotations

from tests.business import Business


def test_no_product_is_passed_whose_grant_ended_but_it_can_be_refused() -> None:
    business = Business()
    business.registered()
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.refused("bureau", "product", "approve", "p1", True, "") == "grant.revoked"
    business.do("bureau", "product", "approve", "p1", False, "its grant is revoked")


def test_the_word_on_a_product_stays_with_it() -> None:
    business = Business()
    business.registered()
    business.do("board", "product", "approve", "p1", True, "fit for pricing")
    shown = business.ask_record("insurer", "product", "show", "p1")
    assert (shown["status"], shown["manager"], shown["note"]) == (
        "approved",
        "board",
        "fit for pricing",
    )
