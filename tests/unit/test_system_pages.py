"""Lists are read page by page: from where one says, as many as one says, up to what is bounded."""

from __future__ import annotations

from typing import TypeAlias

import pytest

from contracts.bundle import system_sources
from contracts.parameters import PARAMETERS
from contracts.system import policy
from contracts.vm.codes import ViewRefused
from contracts.vm.compile import compile_source
from contracts.vm.testing import account
from ledger.values import Value, encode_value
from tests.business import DEMAND, HOUR_MS, OFFER, PARTIES, SCENARIO, Business, dataset_of, digest
from tests.business_steps import NEW_NODE, carried
from tests.business_story import JOINT, told
from tests.deident_world import ASSESSED

View: TypeAlias = tuple[str, str]

LIMIT_OF = {("multisig", "list_acts"): 20}
WHOSE: dict[tuple[str, str], list[Value]] = {
    ("parties", "account_history"): ["bank"],
    ("quality", "history"): [dataset_of("health")],
    ("job", "queue"): ["opco"],
    ("task", "open_for"): ["health"],
    ("evidence", "list_by_subject"): ["v1"],
    ("delivery", "uses_of"): ["v1"],
    ("billing", "entries_of"): ["s1"],
    ("multisig", "list_acts"): [JOINT],
    ("rules", "list_by_stage"): ["delivery"],
    ("alert", "list_of"): ["rival"],
    ("asset", "history"): ["hsm-1"],
    ("commission", "work_of"): ["k1"],
    ("commission", "reports_of"): ["k1"],
}


ALL = " ".join(PARTIES)
# What the story shows whom: readers with the names of their rows; nobody else is shown any.
LISTED: dict[View, dict[str, str]] = {
    ("accusation", "list"): {ALL: ""},
    ("admission", "list"): {"bureau board opco": "a1"},
    ("agreement", "list"): {"bureau board opco insurer": "a1 a2"},
    ("alert", "list"): {
        "bureau board opco": "alert-1 alert-2",
        "rival": "alert-2",
        "bank": "alert-1",
    },
    ("alert", "list_of"): {"bureau board rival": "alert-2"},
    ("algorithm", "list"): {ALL: "statistics/1"},
    ("asset", "history"): {"bureau board opco chipworks": "registered"},
    ("asset", "list"): {"bureau board opco chipworks": "hsm-1"},
    ("commission", "list"): {"bureau board opco devhouse": "k1"},
    ("commission", "reports_of"): {"bureau board opco devhouse": ""},
    ("commission", "work_of"): {"bureau board opco devhouse": ""},
    ("billing", "entries"): {
        "bureau board insurer": "1 2 3 4 5",
        "opco": "1 5",
        "health": "2",
        "social": "3",
        "civil": "4",
    },
    ("billing", "entries_of"): {"bureau board opco insurer": "1"},
    ("billing", "list"): {"bureau board opco insurer": "s1 s2"},
    ("catalog", "list"): {ALL: "health-claims social-claims civil-claims"},
    ("deidentification", "list"): {ALL: "s1 s2"},
    ("delivery", "list"): {"bureau board opco insurer": "v1 v3"},
    ("delivery", "uses_of"): {"bureau board opco insurer": "1 2"},
    ("demand", "list"): {"bureau board opco rival": "d1 d2 d3", "insurer": "d1", "bank": "d2 d3"},
    ("evaluation", "list"): {"bureau board": "e1 e2", "opco": "e1", "rival": "e2"},
    ("evidence", "list_by_subject"): {ALL: "e1 e2"},
    ("feature", "list"): {ALL: "member_applications grant_channels sealed_evidence"},
    ("grant", "list"): {ALL: "g1 g2"},
    ("identity", "list"): {ALL: ""},
    ("identity", "organizations"): {ALL: ""},
    ("identity", "revocations"): {ALL: ""},
    ("incident", "list"): {"bureau board": "i1 i2 i3", "opco": "i1", "rival": "i2 i3"},
    ("inquiry", "list"): {"bureau board": "q1 q2", "opco": "q1", "rival": "q2"},
    ("job", "list"): {"bureau board opco health social civil insurer": "j1 j2 j3"},
    ("job", "queue"): {"bureau board opco": "j2 j3"},
    ("multisig", "list"): {
        ALL: "a1d7f3ca15abef40b743cbad6fa283d441c8b4ba 7638ac804665c438af69b816f7238e187baf0581"
    },
    ("multisig", "list_acts"): {"bureau board opco insurer": "j1 j2"},
    ("oversight", "list"): {ALL: "x1 x-opco-devhouse x2"},
    ("parties", "account_history"): {ALL: "added removed added removed"},
    ("parties", "list"): {ALL: ALL},
    ("parameter", "history"): {ALL: "0 1"},
    ("parameter", "list"): {ALL: " ".join(PARAMETERS)},
    ("policy", "list"): {ALL: " ".join(kind for kind, _ in policy.KINDS)},
    ("preapproval", "list"): {ALL: "c1 c2"},
    ("product", "list"): {ALL: "p1"},
    ("proposal", "list"): {ALL: "c1 c2 c3 c4"},
    ("quality", "history"): {ALL: "1 2 3"},
    ("rules", "list"): {ALL: "r1 r2"},
    ("rules", "list_by_stage"): {ALL: "r1 r2"},
    ("tariff", "list"): {ALL: "1 2"},
    ("task", "list"): {"bureau board opco rival": "t1 t2 t3"},
    ("task", "open_for"): {"bureau board health": "t2 t3"},
}


def continued() -> Business:
    """The story told on, until there are two of what can be had twice without much ado."""
    business = told()
    business.do("bureau", "parties", "readmit", "chipworks", "audit passed")
    for number, address in enumerate(("bank-1", "bank-2"), 1):
        business.do("bureau", "parties", "add_account", "bank", account(address))
        business.do("bureau", "parties", "remove_account", "bank", account(address))
        business.do("bank", "demand", "file", f"d{number + 1}", *DEMAND)
    business.do("opco", "proposal", "admit_observer", "c2", "m", *NEW_NODE[1:3], "pier", "", "why")
    for name, skew_ms in (("c3", 6000), ("c4", 7000)):
        values: list[Value] = [["time_skew_ms_max", skew_ms]]
        carried(business, name, "change_parameters", values, business.chain.height + 100)
    for who in ("opco", "bureau"):
        business.do(who, "quality", "measure", dataset_of("health"), [["accuracy", 1]], b"")
    business.do("opco", "grant", "request", "g2", *business.grant_terms())
    business.preapproved("c2")
    for name in ("j2", "j3"):
        business.queued(name)
    for name in ("t2", "t3"):
        business.do("opco", "task", "create", *business.order(name))
    business.do("insurer", "deidentification", "assess", "s2", "p1", *ASSESSED)
    business.do("bank", "evidence", "record", "e2", "delivery.sent", "v1", digest("x"), "")
    business.do("opco", "delivery", "offer", "v3", "p1", *OFFER)
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    for number in (1, 2):
        begin_ms = business.now_ms
        business.pass_time(HOUR_MS)
        used: list[Value] = [begin_ms, begin_ms + HOUR_MS, number, SCENARIO, digest("log"), ""]
        business.do("insurer", "delivery", "report_use", "v1", *used)
    business.do("opco", "billing", "meter_delivery", "v1")
    business.pass_time(HOUR_MS)
    business.do("opco", "billing", "issue", "s2", "insurer", business.now_ms)
    height = business.chain.height + 2
    business.do("bureau", "tariff", "enact", 2, digest("tariff"), "", [["task", 6]], height)
    rule: list[Value] = ["r2", "rule", "delivery", "Rule", digest("rule"), "", []]
    business.do("bureau", "rules", "draft", *rule)
    words: list[Value] = [JOINT, "billing", "meter_task", encode_value(["t1"]), "why"]
    business.do("opco", "multisig", "propose", "j2", *words)
    accounts = sorted(account(who) for who in ("opco", "health"))
    business.do("opco", "multisig", "open_account", 2, [*accounts], "others")
    business.do("rival", "oversight", "select", "x2", "devhouse", "")
    said: list[Value] = ["late", "rival", "delivery", "notice", "nothing arrived", b""]
    business.do("opco", "alert", "report", *said)
    business.do("bureau", "incident", "open", "i2", "Leak", "delivery", "critical", "rival", [])
    business.do("rival", "incident", "open", "i3", "Leak", "delivery", "critical", "rival", [])
    due_ms = business.now_ms + HOUR_MS
    asked: list[Value] = ["rival", "delivery", "logs", "which?", due_ms]
    business.do("board", "inquiry", "ask", "q2", *asked)
    judged: list[Value] = ["rival", 0, 1, [["quality", 70]], "passed", digest("r"), "fine", due_ms]
    business.do("board", "evaluation", "publish", "e2", *judged)
    return business


@pytest.fixture(scope="module")
def story() -> Business:
    return continued()


@pytest.mark.parametrize("view", sorted(LISTED), ids=".".join)
def test_a_list_shows_each_reader_what_concerns_it_page_by_page(
    story: Business, view: View
) -> None:
    expected = {who: names for readers, names in LISTED[view].items() for who in readers.split()}
    for who in PARTIES:
        try:
            rows = page(story, who, view, 0, LIMIT_OF.get(view, 100))
        except ViewRefused:
            assert who not in expected, who
            continue
        assert " ".join(label(row) for row in rows) == expected.get(who, ""), who
        for at in range(len(rows) + 1):
            assert page(story, who, view, at, 1) == rows[at : at + 1]
            assert page(story, who, view, at, 2) == rows[at : at + 2]


@pytest.mark.parametrize("view", sorted(LISTED), ids=".".join)
def test_a_page_is_bounded(story: Business, view: View) -> None:
    reader = next(iter(LISTED[view])).split()[0]
    most = LIMIT_OF.get(view, 100)
    for offset, limit in ((-1, 1), (0, 0), (0, -1), (0, most + 1)):
        code = story.denied(reader, *view, *WHOSE.get(view, []), offset, limit)
        assert code == f"{view[0]}.page"


def test_every_list_is_tried_or_empty_here() -> None:
    views = {
        (contract, method.name)
        for contract, source in system_sources()
        for method in compile_source(source).methods.values()
        if [name for name, _ in method.parameters][-2:] == ["offset", "limit"]
    }
    assert views == LISTED.keys()


def page(business: Business, who: str, view: View, offset: int, limit: int) -> list[Value]:
    rows = business.ask(who, *view, *WHOSE.get(view, []), offset, limit)
    assert isinstance(rows, list)
    return rows


def label(row: Value) -> str:
    """What tells a row from the others of its list."""
    if not isinstance(row, dict):
        return str(row)
    name = next(name for name in ("id", "number", "kind", "address", "name") if name in row)
    return str(row[name])
