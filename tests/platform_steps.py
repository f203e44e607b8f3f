"""The steps of commissions and assets, with the parties that may take them."""

from __future__ import annotations

from typing import Final

from ledger.values import Value
from tests.business import Business, digest
from tests.platform import (
    DAY_MS,
    TEXT,
    accepted,
    approved,
    described,
    engaged,
    handed_in,
    in_service,
    offered,
    registered,
    terms,
)
from tests.steps import Step, fixed, nothing

MANAGERS = ("bureau", "board")
OPERATORS = ("opco", "rival")
BOX: list[Value] = ["a1", "server", "", "Maker", "M1", "Box", "", digest("papers")]


def an_operated_day(business: Business) -> None:
    accepted(business, "operate")
    business.pass_time(DAY_MS)


PLATFORM_STEPS: Final = (
    Step("commission", "offer", engaged, lambda b: ["k1", *terms(b)], ("opco",),
         "commission.role", "commission.engagement"),
    Step("commission", "accept", offered, fixed("k1", TEXT), ("devhouse",), "commission.party"),
    Step("commission", "decline", offered, fixed("k1", "no time"), ("devhouse", "opco"),
         "commission.side"),
    Step("commission", "prolong", accepted,
         lambda b: ["k1", b.now_ms + 60 * DAY_MS, "more to do"], ("opco",),
         "commission.operator"),
    Step("commission", "report", an_operated_day,
         lambda b: ["k1", b.now_ms, digest("day"), 0, ""], ("devhouse",), "commission.party"),
    Step("commission", "hand_in", accepted, fixed("k1", [digest("work")], [], ""), ("devhouse",),
         "commission.party"),
    Step("commission", "judge", handed_in, fixed("k1", 1, True, ""), ("opco",),
         "commission.operator"),
    Step("commission", "close", approved, fixed("k1", ""), ("opco",), "commission.operator"),
    Step("commission", "end", accepted, fixed("k1", "over"), ("opco", "devhouse", *MANAGERS),
         "commission.side"),
    Step("asset", "register", nothing, fixed(*BOX, 0, "", 0, "", ""), OPERATORS, "asset.role"),
    Step("asset", "describe", registered, lambda b: ["hsm-1", *described(b), "upgraded"],
         ("opco",), "asset.owner"),
    Step("asset", "put_in_service", registered, fixed("hsm-1", "installed"), ("opco",),
         "asset.owner"),
    Step("asset", "maintain", in_service, fixed("hsm-1", "a fan is loud"), ("opco",),
         "asset.owner"),
    Step("asset", "retire", in_service, fixed("hsm-1", "too loud"), ("opco",), "asset.owner"),
)  # fmt: skip
