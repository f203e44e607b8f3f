"""Every step of the business with who may take it, for tests that try them all."""

from __future__ import annotations

from contracts.vm.testing import account
from ledger.values import Value
from tests.applications import applied, decision, signed
from tests.business import (
    ALGORITHM,
    DEMAND,
    HOUR_MS,
    OFFER,
    PARTIES,
    SCENARIO,
    SUPPLIERS,
    Business,
    acceptance,
    agreed_terms,
    all_datasets,
    changed,
    dataset_of,
    dataset_rows,
    dataset_text,
    digest,
    result,
)
from tests.deident_world import DEIDENTIFICATION_STEPS
from tests.platform_steps import PLATFORM_STEPS
from tests.steps import Step, fixed, nothing

MANAGERS = ("bureau", "board")
OPERATORS = ("opco", "rival")
SUPPLIERS_ALL = ("health", "social", "civil", "archive")
CONSUMERS = ("insurer", "bank")
VOTERS = ("bureau", "board", "opco", "health", "insurer")  # managers, and who runs a validator
SLOWER: tuple[Value, ...] = ([["time_skew_ms_max", 6000]],)  # of proposal.change_parameters
CHANNELS_OFF: tuple[Value, ...] = ("grant_channels", False)  # of switch_feature
NEW_NODE: list[Value] = ["n", "bank", bytes(64), "peer", "", "grow"]


def a_suspended_bank(business: Business) -> None:
    business.suspend("bank")


def a_forwarded_demand(business: Business) -> None:
    business.catalogued()
    business.forwarded()


def a_channel(business: Business) -> None:
    business.catalogued()
    business.preapproved()


def a_collection(business: Business) -> None:
    business.collecting()
    business.enter("health", "x", "d1")


def a_draft(business: Business) -> None:
    business.drafted("health")


def a_collected_draft(business: Business) -> None:
    business.drafted("health")
    business.do("health", "catalog", "collect", "x", *dataset_rows("health"))


def an_observer(business: Business) -> None:
    business.do("bureau", "proposal", "admit_observer", "c1", *NEW_NODE)
    for who in ("opco", "health"):
        business.do(who, "proposal", "approve", "c1")


def carried(business: Business, proposal_id: str, method: str, *args: Value) -> None:
    """A proposal that enough are for."""
    business.do("bureau", "proposal", method, proposal_id, *args, "why")
    for who in ("opco", "health"):
        business.do(who, "proposal", "approve", proposal_id)


def a_coming_change(business: Business) -> None:
    carried(business, "c0", "change_parameters", *SLOWER, business.chain.height + 500)


def an_announced_feature(business: Business) -> None:
    carried(business, "c0", "switch_feature", *CHANNELS_OFF, business.chain.height + 500)


def coming_height(business: Business) -> list[Value]:
    terms = business.ask("bureau", "parameter", "terms")
    assert isinstance(terms, list) and isinstance(terms[-1], dict)
    return ["c1", terms[-1]["from_height"], "why"]


def an_agreement(business: Business) -> None:
    business.assessed()
    business.do("opco", "agreement", "offer", "a1", *agreed_terms(business))


def an_announced_tariff(business: Business) -> None:
    height = business.chain.height + 99
    business.do("bureau", "tariff", "enact", 1, digest("tariff"), "", [["task", 500]], height)


def a_priced_delivery(business: Business) -> None:
    prices: list[Value] = [["task", 500]]
    height = business.chain.height + 2
    business.do("bureau", "tariff", "enact", 1, digest("tariff"), "", prices, height)
    business.agreed()
    business.do("opco", "delivery", "offer_under", "v1", "p1", *OFFER, "a1")
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")


def an_agreement_on_use(business: Business) -> None:
    business.assessed()
    terms = changed(agreed_terms(business), 7, "use")
    business.do("opco", "agreement", "offer", "a1", *terms)
    for side in ("opco", "insurer"):
        business.do(side, "agreement", "sign", "a1", digest("agreement"))


def a_used_delivery(business: Business) -> None:
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    business.pass_time(HOUR_MS)


def a_statement(business: Business) -> None:
    a_priced_delivery(business)
    business.do("opco", "billing", "meter_task", "t1")
    business.pass_time(HOUR_MS)
    business.do("opco", "billing", "issue", "s1", "insurer", business.now_ms)


def a_contested_statement(business: Business) -> None:
    a_statement(business)
    business.do("insurer", "billing", "contest", "s1", "wrong")


def a_settled_statement(business: Business) -> None:
    a_contested_statement(business)
    business.do("bureau", "billing", "settle", "s1", 400, "late")


def a_remitted_statement(business: Business) -> None:
    a_settled_statement(business)
    business.do("insurer", "payment", "remit", "s1", digest("slip"))


def a_denied_payment(business: Business) -> None:
    a_remitted_statement(business)
    business.do("opco", "payment", "deny", "s1", "nothing came")


def a_drafted_plan(business: Business) -> None:
    plan: list[Value] = ["r1", "monitoring", "delivery", "Plan", digest("r"), "", []]
    business.do("opco", "rules", "draft", *plan)


def an_enacted_plan(business: Business) -> None:
    a_drafted_plan(business)
    business.do("bureau", "rules", "enact", "r1", 1, digest("r"), business.chain.height + 99)


def a_selection(business: Business) -> None:
    business.do("opco", "oversight", "select", "x1", "chipworks", "chips")


def a_report(business: Business) -> None:
    said: list[Value] = ["disk", "opco", "development", "warning", "the disk is full", b""]
    business.do("opco", "alert", "report", *said)


def an_incident(business: Business) -> None:
    about: list[Value] = ["Leak", "development", "critical", "opco", []]
    business.do("bureau", "incident", "open", "i1", *about)


def a_granted_incident(business: Business) -> None:
    business.granted()
    an_incident(business)


def a_measure(business: Business) -> None:
    a_granted_incident(business)
    business.do("opco", "incident", "suspend_grant", "i1", "g1", "leak")


def question(business: Business) -> list[Value]:
    """The arguments of inquiry.ask after its id."""
    return ["opco", "delivery", "permissions", "who may?", business.now_ms + 9 * HOUR_MS]


def a_question(business: Business) -> None:
    business.do("bureau", "inquiry", "ask", "q1", *question(business))


def an_answer(business: Business) -> None:
    a_question(business)
    business.do("opco", "inquiry", "answer", "q1", "see the report", digest("answer"))


def judgement(business: Business) -> list[Value]:
    """The arguments of evaluation.publish after its id."""
    now = business.now_ms
    scores: list[Value] = [["quality", 70]]
    digest_of, note = digest("report"), "by the records of the year"
    return ["opco", 0, now, scores, "conditional", digest_of, note, now + 99 * HOUR_MS]


def a_judgement(business: Business) -> None:
    business.do("bureau", "evaluation", "publish", "e1", *judgement(business))


def a_contested_judgement(business: Business) -> None:
    a_judgement(business)
    business.do("opco", "evaluation", "answer", "e1", False, "the records are wrong")


def an_overdue_task(business: Business) -> None:
    business.created(hours=1)
    business.pass_time(HOUR_MS)


def an_overdue_job(business: Business) -> None:
    business.planned()
    business.pass_time(9 * HOUR_MS)


STEPS = [
    Step("parties", "register", nothing, fixed("new", "New", ["supplier"], [account("new")]),
         MANAGERS, "parties.role"),
    Step("parties", "add_account", nothing, fixed("bank", account("bank-2")),
         MANAGERS, "parties.role"),
    Step("parties", "remove_account", nothing, fixed("bank", account("bank")),
         MANAGERS, "parties.role"),
    Step("parties", "replace_account", nothing,
         fixed("bank", account("bank"), account("bank-2"), "lost"), MANAGERS, "parties.keeper"),
    Step("parties", "name_keeper", nothing, fixed("bank", account("keeper"), "agreement"),
         MANAGERS, "parties.role"),
    Step("parties", "suspend", nothing, fixed("bank", "audit"), MANAGERS, "parties.role"),
    Step("parties", "readmit", a_suspended_bank, fixed("bank", "passed"),
         MANAGERS, "parties.role"),
    Step("parties", "revoke", nothing, fixed("bank", "misuse"), MANAGERS, "parties.role"),
    Step("admission", "apply", nothing, signed, ("opco",), "admission.role",
         "admission.signature"),
    Step("admission", "admit", applied, decision, MANAGERS, "admission.role"),
    Step("admission", "refuse", applied, fixed("a1", "incomplete"), MANAGERS, "admission.role"),
    Step("admission", "withdraw", applied, fixed("a1", "mistaken"), ("opco",),
         "admission.owner"),
    Step("proposal", "admit_observer", nothing, fixed("c1", *NEW_NODE), VOTERS, "proposal.role"),
    Step("proposal", "propose", an_observer,
         fixed("c2", "dismiss_observer", "n", "", "why"), VOTERS, "proposal.role"),
    Step("proposal", "change_parameters", nothing, fixed("c1", *SLOWER, 0, "why"),
         VOTERS, "proposal.role"),
    Step("proposal", "cancel_parameters", a_coming_change, coming_height, VOTERS, "proposal.role"),
    Step("proposal", "switch_feature", nothing, fixed("c1", *CHANNELS_OFF, 0, "why"),
         VOTERS, "proposal.role"),
    Step("proposal", "cancel_feature", an_announced_feature, fixed("c1", CHANNELS_OFF[0], "why"),
         VOTERS, "proposal.role"),
    Step("proposal", "change_policy", nothing,
         fixed("c1", "admit_observer", 1, 50, True, 24 * HOUR_MS, "why"), VOTERS, "proposal.role"),
    Step("governance", "set_address", nothing, fixed("node-health", "/ip4/10.0.0.1/tcp/1"),
         ("health",), "governance.owner"),
    Step("catalog", "draft", nothing, fixed("x", "", *dataset_text("archive")),
         SUPPLIERS_ALL, "catalog.role"),
    Step("catalog", "draft", Business.collecting, fixed("x", "d1", *dataset_text("health")),
         SUPPLIERS, "catalog.role", "catalog.demand"),
    Step("catalog", "describe", Business.catalogued,
         fixed(dataset_of("health"), *dataset_text("archive")),
         ("health",), "catalog.role", "catalog.owner"),
    Step("catalog", "collect", a_draft, fixed("x", *dataset_rows("health")),
         ("health",), "catalog.role", "catalog.owner"),
    Step("catalog", "register", a_collected_draft, fixed("x"),
         ("health",), "catalog.role", "catalog.owner"),
    Step("catalog", "update", Business.catalogued,
         fixed(dataset_of("health"), *dataset_rows("health", rows="newer")),
         ("health",), "catalog.role", "catalog.owner"),
    Step("catalog", "retire", Business.catalogued, fixed(dataset_of("health"), "outdated"),
         ("health",), "catalog.role", "catalog.owner"),
    Step("quality", "measure", Business.catalogued,
         fixed(dataset_of("health"), [["accuracy", 1]], b""),
         ("health", *OPERATORS, *MANAGERS), "quality.role"),
    Step("demand", "file", nothing, fixed("d1", *DEMAND), CONSUMERS, "demand.role"),
    Step("demand", "collect", Business.forwarded,
         lambda b: ["d1", "missing", ["health"], "claims", b.now_ms + HOUR_MS],
         MANAGERS, "demand.role"),
    Step("demand", "match", a_collection, fixed("d1", "", ["x"]), MANAGERS, "demand.role"),
    Step("demand", "abandon", Business.collecting, fixed("d1", "nobody has it"),
         MANAGERS, "demand.role"),
    Step("demand", "prescreen", Business.filed, fixed("d1", True, ""),
         OPERATORS, "demand.role"),
    Step("demand", "review", a_forwarded_demand,
         fixed("d1", True, "", all_datasets()), MANAGERS, "demand.role"),
    Step("algorithm", "propose", Business.publisher, lambda b: b.description(),
         ("chipworks",), "algorithm.role"),
    Step("algorithm", "rebuild", Business.vetting,
         lambda b: ["scores/1", *b.image(text="two")], ("chipworks",), "algorithm.role"),
    Step("algorithm", "review", Business.vetting, fixed("scores/1", digest("image"), True, ""),
         MANAGERS, "algorithm.role"),
    Step("algorithm", "disable", nothing, fixed(ALGORITHM, "unsafe"), MANAGERS, "algorithm.role"),
    Step("preapproval", "preapprove", Business.catalogued, lambda b: ["c1", *b.channel()],
         MANAGERS, "preapproval.role"),
    Step("preapproval", "close_channel", a_channel, fixed("c1", "over"), MANAGERS,
         "preapproval.role"),
    Step("grant", "request", Business.approved, lambda b: ["g1", *b.grant_terms()],
         ("opco",), "grant.role", "grant.operator"),
    Step("grant", "review", Business.requested, fixed("g1"), MANAGERS, "grant.role"),
    Step("grant", "decide", Business.in_review, lambda b: ["g1", True, "", b.terms_digest("g1")],
         MANAGERS, "grant.role"),
    Step("grant", "accept", Business.signed, lambda b: ["g1", b.terms_digest("g1")],
         ("opco",), "grant.role", "grant.operator"),
    Step("grant", "withdraw", Business.requested, fixed("g1", "mistaken"),
         ("opco",), "grant.role", "grant.operator"),
    Step("grant", "revoke", Business.granted, fixed("g1", "misuse"), MANAGERS, "grant.role"),
    Step("task", "create", Business.granted, lambda b: b.order(),
         ("opco",), "task.role", "grant.operator"),
    Step("task", "accept", Business.created, fixed(*acceptance("health")),
         ("health", "social", "civil"), "task.participant"),
    Step("task", "report", Business.running, fixed(*result("health")),
         ("health", "social", "civil"), "task.participant"),
    Step("task", "fail", Business.running, fixed("t1", "out of memory"),
         ("opco", "health", "social", "civil"), "task.participant"),
    Step("task", "cancel", Business.running, fixed("t1"),
         ("opco", *MANAGERS), "task.role"),
    Step("task", "expire", an_overdue_task, fixed("t1"), tuple(PARTIES), "task.role"),
    Step("job", "create", Business.granted, lambda b: b.plan(), ("opco",), "job.role",
         "job.operator"),
    Step("job", "confirm", Business.planned, lambda b: ["j1", b.job()["digest"]],
         ("health", "social", "civil", "insurer"), "job.party"),
    Step("job", "dispatch", Business.queued, fixed("j1"), ("opco",), "job.owner"),
    Step("task", "create", Business.dispatched, lambda b: b.step_order("first", "t1"),
         ("opco",), "task.role", "grant.operator"),
    Step("job", "finish", Business.all_done, fixed("j1", digest("r")), ("opco",), "job.owner"),
    Step("job", "verify", Business.with_result, fixed("j1", digest("result"), True, ""),
         ("insurer",), "job.consumer"),
    Step("job", "close", Business.verified, fixed("j1", ""), ("opco", *MANAGERS), "job.close"),
    Step("job", "abandon", Business.dispatched, fixed("j1", "no room"),
         ("opco", "health", "social", "civil", "insurer"), "job.party"),
    Step("job", "cancel", Business.queued, fixed("j1", "late"), ("opco", *MANAGERS),
         "job.cancel"),
    Step("job", "expire", an_overdue_job, fixed("j1"), tuple(PARTIES), "job.member"),
    Step("rules", "draft", nothing,
         fixed("r1", "rule", "delivery", "T", digest("r"), "", []), MANAGERS, "rules.role"),
    Step("rules", "draft", nothing,
         fixed("r1", "warning", "delivery", "T", digest("r"), "", []), OPERATORS, "rules.role"),
    Step("rules", "withdraw", a_drafted_plan, fixed("r1"), ("opco",), "rules.owner"),
    Step("rules", "enact", a_drafted_plan, lambda b: ["r1", 1, digest("r"), b.chain.height + 99],
         MANAGERS, "rules.role"),
    Step("rules", "revoke", an_enacted_plan, fixed("r1", "flawed"), MANAGERS, "rules.role"),
    Step("oversight", "select", nothing, fixed("x1", "chipworks", ""), OPERATORS,
         "oversight.role"),
    Step("oversight", "review", a_selection, fixed("x1", True, ""), MANAGERS, "oversight.role"),
    Step("oversight", "end", a_selection, fixed("x1", "done"), ("opco", *MANAGERS),
         "oversight.role"),
    *DEIDENTIFICATION_STEPS,
    *PLATFORM_STEPS,
    Step("alert", "check", Business.offered, fixed("no_diligence", "v1"), tuple(PARTIES),
         "alert.role"),
    Step("alert", "report", nothing,
         fixed("topic", "opco", "development", "warning", "disk full", b""), tuple(PARTIES),
         "alert.role"),
    Step("alert", "acknowledge", a_report, fixed("alert-1", ""), MANAGERS, "alert.supervisor"),
    Step("alert", "close", a_report, fixed("alert-1", "mended"), MANAGERS, "alert.supervisor"),
    Step("incident", "open", nothing,
         fixed("i1", "Leak", "development", "critical", "opco", []), ("opco", *MANAGERS),
         "incident.role"),
    Step("incident", "suspend_grant", a_granted_incident, fixed("i1", "g1", "leak"),
         ("opco", *MANAGERS), "incident.role"),
    Step("incident", "cut_party", an_incident, fixed("i1", "leak"), MANAGERS, "incident.cut"),
    Step("incident", "note_freeze", an_incident,
         fixed("i1", "delivery", digest("freeze"), "leak"), MANAGERS,
         "incident.manager"),
    Step("incident", "lift", a_measure, fixed("i1", 1, "mended"), ("opco", *MANAGERS),
         "incident.lift"),
    Step("incident", "keep", a_measure, fixed("i1", 1, "for good"), MANAGERS,
         "incident.manager"),
    Step("incident", "close", an_incident, fixed("i1", "mended", digest("report")), MANAGERS,
         "incident.close"),
    Step("inquiry", "ask", nothing, lambda b: ["q1", *question(b)], MANAGERS, "inquiry.role"),
    Step("inquiry", "answer", a_question, fixed("q1", "see", digest("a")), ("opco",),
         "inquiry.party"),
    Step("inquiry", "send_back", an_answer, lambda b: ["q1", "more", b.now_ms + HOUR_MS],
         MANAGERS, "inquiry.asker"),
    Step("inquiry", "conclude", an_answer, fixed("q1", True, ""), MANAGERS, "inquiry.asker"),
    Step("inquiry", "withdraw", a_question, fixed("q1", "mistaken"), MANAGERS, "inquiry.asker"),
    Step("evaluation", "publish", nothing, lambda b: ["e1", *judgement(b)], MANAGERS,
         "evaluation.role"),
    Step("evaluation", "answer", a_judgement, fixed("e1", False, "no"), ("opco",),
         "evaluation.party"),
    Step("evaluation", "settle", a_contested_judgement, fixed("e1", "passed", "right"), MANAGERS,
         "evaluation.settler"),
    Step("evidence", "record", nothing,
         fixed("e1", "aggregation.collected", "x", digest("x"), ""),
         tuple(PARTIES), "evidence.role"),
    Step("evidence", "record_batch", nothing,
         fixed("e1", "delivery.sent", "x", digest("root"), 9, "plain", "", ""),
         tuple(PARTIES), "evidence.role"),
    Step("evidence", "record_sealed", nothing,
         fixed("e1", "delivery.sent", "x", digest("x"), "", "", b"sealed", [["opco", bytes(113)]]),
         tuple(PARTIES), "evidence.role"),
    Step("product", "register", Business.finished,
         fixed("p1", "t1", "T", "", digest("r"), "statistics"),
         ("opco",), "product.role", "product.owner"),
    Step("product", "approve", Business.registered, fixed("p1", True, ""),
         MANAGERS, "product.role"),
    Step("delivery", "prepare", Business.registered,
         fixed("v1", "p1", "file", "low", digest("diligence"), ""),
         ("opco",), "delivery.role", "delivery.owner"),
    Step("delivery", "report_use", a_used_delivery,
         lambda b: ["v1", b.now_ms - HOUR_MS, b.now_ms, 7, SCENARIO, digest("log"), ""],
         ("insurer",), "delivery.role", "delivery.consumer"),
    Step("delivery", "offer", Business.assessed, fixed("v1", "p1", *OFFER),
         ("opco",), "delivery.role", "delivery.owner"),
    Step("delivery", "offer_under", Business.agreed, fixed("v1", "p1", *OFFER, "a1"),
         ("opco",), "delivery.role", "delivery.owner"),
    Step("agreement", "offer", Business.assessed,
         lambda business: ["a1", *agreed_terms(business)],
         ("opco",), "agreement.role", "agreement.owner"),
    Step("agreement", "sign", an_agreement, fixed("a1", digest("agreement")),
         ("opco", "insurer"), "agreement.side"),
    Step("agreement", "decline", an_agreement, fixed("a1", "too dear"),
         ("opco", "insurer"), "agreement.side"),
    Step("agreement", "terminate", Business.agreed, fixed("a1", "breach"),
         ("opco", "insurer", *MANAGERS), "agreement.side"),
    Step("tariff", "enact", nothing,
         lambda business: [1, digest("tariff"), "", [["task", 5]], business.chain.height + 99],
         MANAGERS, "tariff.role"),
    Step("tariff", "withdraw", an_announced_tariff, fixed(1), MANAGERS, "tariff.role"),
    Step("billing", "meter_task", a_priced_delivery, fixed("t1"),
         ("opco", "insurer", "health", "social", "civil", *MANAGERS), "billing.concerned"),
    Step("billing", "meter_delivery", a_priced_delivery, fixed("v1"),
         ("opco", "insurer", *MANAGERS), "billing.concerned"),
    Step("billing", "report_use", an_agreement_on_use, fixed("a1", 3, digest("log")),
         ("opco",), "billing.payee"),
    Step("billing", "accept", a_statement, fixed("s1", 500), ("insurer",), "billing.payer"),
    Step("billing", "contest", a_statement, fixed("s1", "wrong"), ("insurer",), "billing.payer"),
    Step("billing", "settle", a_contested_statement, fixed("s1", 400, "late"), MANAGERS,
         "billing.role"),
    Step("payment", "remit", a_settled_statement, fixed("s1", digest("slip")), ("insurer",),
         "payment.payer"),
    Step("payment", "confirm", a_settled_statement, fixed("s1", digest("slip")), ("opco",),
         "payment.payee"),
    Step("payment", "deny", a_remitted_statement, fixed("s1", "nothing came"), ("opco",),
         "payment.payee"),
    Step("payment", "conclude", a_denied_payment, fixed("s1", True, "the bank says so"),
         MANAGERS, "payment.role"),
    Step("delivery", "withdraw", Business.offered, fixed("v1", "mistaken"),
         ("opco",), "delivery.role", "delivery.owner"),
    Step("delivery", "accept", Business.offered, fixed("v1", digest("payload"), True, ""),
         ("insurer",), "delivery.role", "delivery.consumer"),
]  # fmt: skip
