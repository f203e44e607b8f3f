"""Assessments of the product p1, for tests of the system contracts."""

from __future__ import annotations

from ledger.values import Value
from tests.business import Business, dataset_of, digest
from tests.steps import Step, fixed

MANAGERS = ("bureau", "board")
# The arguments of `deidentification.assess` after the product: groups of 30 persons and more.
ASSESSED: list[Value] = [digest("result"), ["statistics"], 4, 30, 9, 50_000, digest("r"), ""]


def an_assessment(business: Business) -> None:
    """The operator has assessed the product, which waits for the manager."""
    business.registered()
    business.do("opco", "deidentification", "assess", "s1", "p1", *ASSESSED)


DEIDENTIFICATION_STEPS = (
    Step("deidentification", "classify", Business.catalogued, fixed(dataset_of("health"), True, ""),
         ("health", *MANAGERS), "deidentification.classify"),
    Step("deidentification", "ask", Business.registered, fixed("p1"), ("opco", *MANAGERS),
         "deidentification.ask"),
    Step("deidentification", "assess", Business.registered, fixed("s1", "p1", *ASSESSED),
         ("opco", "insurer", "health", "social", "civil", "chipworks", "devhouse", *MANAGERS),
         "deidentification.assessor"),
    Step("deidentification", "dismiss", an_assessment, fixed("s1", "wrong file"), MANAGERS,
         "deidentification.role"),
)  # fmt: skip
