"""Products of jobs: made of what the consumer verified, or a manager decided on."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import Business, digest


@pytest.mark.parametrize("end", ["running", "result", "disputed"])
def test_no_product_is_made_of_a_job_whose_result_nobody_verified(end: str) -> None:
    business = Business()
    business.all_done()
    if end != "running":
        business.do("opco", "job", "finish", "j1", digest("result"))
    if end == "disputed":
        business.do("insurer", "job", "verify", "j1", digest("result"), False, "rows are missing")
    made: list[Value] = ["p1", "j1-third", "Table", "", digest("result"), "statistics"]
    assert business.refused("opco", "product", "register", *made) == "step.unverified"


@pytest.mark.parametrize("judge", ["insurer", "bureau"])
def test_a_product_is_made_of_a_job_that_was_verified_or_decided_on(judge: str) -> None:
    business = Business()
    business.with_result()
    if judge == "insurer":
        business.do("insurer", "job", "verify", "j1", digest("result"), True, "")
    else:
        business.do("bureau", "job", "close", "j1", "the consumer never answered")
    made: list[Value] = ["p1", "j1-third", "Table", "", digest("result"), "statistics"]
    business.do("opco", "product", "register", *made)
