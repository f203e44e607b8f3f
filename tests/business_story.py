"""A business told to its end, for tests that only read it."""

from __future__ import annotations

from contracts.vm.joint import address_of_definition
from contracts.vm.testing import account
from ledger import merkle
from ledger.values import Value, encode_value
from tests import platform as work
from tests.applications import applied
from tests.business import HOUR_MS, Business, agreed_terms, digest
from tests.business_steps import NEW_NODE
from tests.deident_world import ASSESSED

MEMBER_ACCOUNTS = sorted(account(who) for who in ("opco", "insurer"))
JOINT = address_of_definition(bytes((2,)) + bytes.fromhex("".join(MEMBER_ACCOUNTS)))


def told() -> Business:
    business = Business()
    business.offered()
    business.preapproved()
    business.planned()
    business.do("opco", "deidentification", "assess", "s1", "p1", *ASSESSED)
    business.do("opco", "proposal", "admit_observer", "c1", *NEW_NODE)
    business.do("opco", "agreement", "offer", "a1", *agreed_terms(business))
    height = business.chain.height + 2
    business.do("bureau", "tariff", "enact", 1, digest("tariff"), "", [["task", 5]], height)
    business.chain.advance(height=2, time_ms=1000)
    business.do("opco", "billing", "meter_task", "t1")
    business.chain.advance(height=1, time_ms=1000)
    business.do("opco", "billing", "issue", "s1", "insurer", business.now_ms)
    business.do("insurer", "billing", "accept", "s1", 5)
    business.do("insurer", "payment", "remit", "s1", digest("slip"))
    rule: list[Value] = ["r1", "rule", "delivery", "Rule", digest("rule"), "", []]
    business.do("bureau", "rules", "draft", *rule)
    business.do("opco", "oversight", "select", "x1", "chipworks", "")
    applied(business)
    said: list[Value] = ["late", "opco", "delivery", "notice", "nothing arrived", b""]
    business.do("bank", "alert", "report", *said)
    business.do("bureau", "incident", "open", "i1", "Leak", "delivery", "critical", "opco", [])
    later = business.now_ms + HOUR_MS
    business.do("bureau", "inquiry", "ask", "q1", "opco", "delivery", "logs", "which?", later)
    judged: list[Value] = ["opco", 0, 1, [["quality", 70]], "passed", digest("r"), "fine", later]
    business.do("bureau", "evaluation", "publish", "e1", *judged)
    signed: list[Value] = ["a2", *agreed_terms(business)]
    business.do("opco", "agreement", "offer", *signed)
    for side in ("opco", "insurer"):
        business.do(side, "agreement", "sign", "a2", digest("agreement"))
    batch: list[Value] = ["e1", "delivery.sent", "v1", merkle.root_of([digest("file")]), 1]
    business.do("opco", "evidence", "record_batch", *batch, "plain", "", "")
    business.do("opco", "evidence", "anchor_access", 1, 1, 9, digest("head"), 0)
    business.do("opco", "multisig", "open_account", 2, [*MEMBER_ACCOUNTS], "both")
    prepared: list[Value] = ["v2", "p1", "file", "low", digest("diligence"), ""]
    business.do("opco", "delivery", "prepare", *prepared)
    words: list[Value] = ["j1", JOINT, "billing", "meter_task", encode_value(["t1"]), "why"]
    business.do("opco", "multisig", "propose", *words)
    work.offered(business)
    work.registered(business)
    business.suspend("chipworks")
    return business
