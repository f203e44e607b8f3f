"""Versions of the tariff: which one holds at a height, to the block."""

from __future__ import annotations

import pytest

from contracts.system.tariff import LEAD_MAX
from ledger.values import Value
from tests.business import STRANGER, Business, digest


def enacted(business: Business, number: int, price_fen: int, *, ahead: int = 1) -> int:
    """A version that begins so many heights after the block of this act; its first height."""
    height = business.chain.height + 1 + ahead
    words: list[Value] = [number, digest("tariff"), "", [["task", price_fen]], height]
    business.do("bureau", "tariff", "enact", *words)
    return height


def at_height(business: Business, height: int) -> None:
    business.chain.advance(height=height - business.chain.height)


def price(business: Business) -> tuple[Value, Value]:
    found = business.ask_record(STRANGER, "tariff", "price_of", "task")
    return found["price_fen"], found["tariff"]


def statuses(business: Business) -> list[Value]:
    page = business.ask("bank", "tariff", "list", 0, 10)
    assert isinstance(page, list)
    return [row["status"] for row in page if isinstance(row, dict)]


@pytest.mark.parametrize(
    ("ahead", "code"),
    [(0, "tariff.from_height"), (1, ""), (LEAD_MAX, ""), (LEAD_MAX + 1, "tariff.from_height")],
)
def test_a_version_begins_after_its_block_and_within_the_lead(ahead: int, code: str) -> None:
    business = Business()
    height = business.chain.height + 1 + ahead
    words: list[Value] = [1, digest("tariff"), "", [["task", 5]], height]
    if code:
        assert business.refused("bureau", "tariff", "enact", *words) == code
    else:
        business.do("bureau", "tariff", "enact", *words)


def test_each_version_holds_from_its_height_to_that_of_the_next_one() -> None:
    business = Business()
    assert price(business) == (0, 0)
    begins = enacted(business, 1, 500, ahead=5)
    at_height(business, begins - 1)
    assert (price(business), statuses(business)) == ((0, 0), ["announced"])
    at_height(business, begins)
    assert (price(business), statuses(business)) == ((500, 1), ["effective"])
    follows = enacted(business, 2, 700, ahead=5)
    at_height(business, follows - 1)
    assert (price(business), statuses(business)) == ((500, 1), ["effective", "announced"])
    at_height(business, follows)
    assert (price(business), statuses(business)) == ((700, 2), ["superseded", "effective"])


def test_the_next_version_is_enacted_in_the_block_in_which_the_last_one_begins() -> None:
    business = Business()
    begins = enacted(business, 1, 500, ahead=5)
    at_height(business, begins - 2)  # the block of an act is one higher
    words: list[Value] = [2, digest("tariff"), "", [["task", 700]], begins + 9]
    assert business.refused("bureau", "tariff", "enact", *words) == "tariff.announced"
    business.do("bureau", "tariff", "enact", *words)
    assert business.chain.height == begins


def test_a_version_is_withdrawn_up_to_the_block_before_it_begins() -> None:
    for early, code in ((1, ""), (0, "tariff.in_force")):
        business = Business()
        begins = enacted(business, 1, 500, ahead=5)
        at_height(business, begins - 1 - early)
        if code:
            assert business.refused("bureau", "tariff", "withdraw", 1) == code
        else:
            business.do("bureau", "tariff", "withdraw", 1)
            at_height(business, begins + 1)
            assert (price(business), statuses(business)) == ((0, 0), ["withdrawn"])


def test_the_version_before_goes_on_for_good_where_the_next_one_is_withdrawn() -> None:
    business = Business()
    at_height(business, enacted(business, 1, 500))
    never = enacted(business, 2, 700, ahead=9)
    assert business.ask_record("bank", "tariff", "show", 1)["until_height"] == never
    business.do("bureau", "tariff", "withdraw", 2)
    at_height(business, never + 1)
    assert (price(business), statuses(business)) == ((500, 1), ["effective", "withdrawn"])
    assert business.ask_record("bank", "tariff", "show", 1)["until_height"] == 0
