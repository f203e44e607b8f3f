"""The chain of custody (保管链) of a product: back to computation, authorization, data, parties.

A graph: nodes are what the chain knows by an id, and the programs that ran, by hash; every edge has
the transaction that proves it. `links` says which of the expected ones hold, and which are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ledger.values import Value
from node.audit.acts.accounts import Accounts, charged
from node.audit.acts.act import Act, id_of
from node.audit.acts.forms import (
    AGREEMENT,
    CHANNEL,
    DATASET,
    DELIVERY,
    DEMAND,
    EVIDENCE,
    GRANT,
    PARTY,
    PRODUCT,
    STATEMENT,
    TASK,
    Subject,
)
from node.audit.acts.graph import Custody, Edge, Node, Proof
from node.audit.acts.lineage import ENDS, Lineage
from node.audit.acts.register import Register
from node.audit.acts.values import octets, shown, text, texts, time_of

PROGRAM: Final = "program"  # kind of a node: what ran, by its SM3
EVIDENCE_MAX: Final = 1_000  # records in one graph: any party may add more about any id
# Contracts whose acts about an id are the story of that id.
_OWN = {
    "product": PRODUCT,
    "delivery": DELIVERY,
    "task": TASK,
    "preapproval": CHANNEL,
    "grant": GRANT,
    "demand": DEMAND,
    "catalog": DATASET,
    "agreement": AGREEMENT,
    "quality": DATASET,
}
# Their acts are part of the story of whatever they name.
_ABOUT_ANY = ("evidence", "billing", "payment", "deidentification")


def chain_of(product: str, lineage: Lineage) -> frozenset[Subject]:
    """Whose acts make the custody of a product; `lineage` is that of the last act."""
    root = PRODUCT, product
    deliveries = (name for name, line in lineage.deliveries.items() if line.product == product)
    made = frozenset(
        {root, *lineage.through(root), *((DELIVERY, delivery) for delivery in deliveries)}
    )
    agreed = made.union(lineage.contracts_over(made))
    return agreed.union(lineage.bills_for(agreed))


def belongs(act: Act, chain: frozenset[Subject]) -> bool:
    """Is the act part of the story of something in the chain? Refused ones are not."""
    if act.status:
        return False
    if act.contract in _ABOUT_ANY:
        return not chain.isdisjoint(act.direct)
    kind = _OWN.get(act.contract)
    return any(subject in chain for subject in act.direct if subject[0] == kind)


class Builder:
    """Puts the acts of a chain, given in their order, into a graph."""

    def __init__(self, product: str, chain: frozenset[Subject], accounts: Accounts) -> None:
        self.custody = Custody(product)
        self._chain = chain
        self._accounts = accounts  # as of the last act
        self._versions: dict[str, list[tuple[int, str]]] = {}  # data set: version, commitment
        self._act: Act
        self._register: Register
        self._tell: Mapping[tuple[str, str], Callable[[Mapping[str, Value]], None]] = {
            ("catalog", "draft"): self._described,
            ("catalog", "describe"): self._described,
            ("catalog", "collect"): self._collected,
            ("catalog", "register"): self._listed,
            ("catalog", "update"): self._collected,
            ("catalog", "retire"): self._retired,
            ("quality", "measure"): self._measured,
            ("demand", "file"): self._filed,
            ("demand", "prescreen"): self._prescreened,
            ("demand", "review"): self._reviewed,
            ("demand", "collect"): self._asked,
            ("demand", "match"): self._matched,
            ("demand", "abandon"): self._reviewed,
            ("preapproval", "preapprove"): self._preapproved,
            ("grant", "request"): self._requested,
            ("grant", "review"): self._taken_up,
            ("grant", "decide"): self._decided,
            ("grant", "accept"): self._countersigned,
            ("grant", "revoke"): self._revoked,
            ("task", "create"): self._ordered,
            ("task", "accept"): self._accepted,
            ("task", "report"): self._reported,
            ("product", "register"): self._registered,
            ("product", "approve"): self._assessed,
            ("deidentification", "classify"): self._classified,
            ("deidentification", "ask"): self._assessment_asked,
            ("deidentification", "assess"): self._deidentified,
            ("deidentification", "dismiss"): self._set_aside,
            ("delivery", "prepare"): self._prepared,
            ("delivery", "report_use"): self._used,
            ("delivery", "offer"): self._offered,
            ("delivery", "offer_under"): self._offered,
            ("delivery", "accept"): self._answered,
            ("delivery", "withdraw"): self._withdrawn,
            ("agreement", "offer"): self._put_up,
            ("agreement", "sign"): self._signed,
            ("agreement", "decline"): self._unmade,
            ("agreement", "terminate"): self._unmade,
            ("billing", "meter_task"): self._metered,
            ("billing", "meter_delivery"): self._metered,
            ("billing", "report_use"): self._metered,
            ("billing", "issue"): self._stated,
            ("billing", "accept"): self._bill_answered,
            ("billing", "contest"): self._bill_answered,
            ("billing", "settle"): self._bill_settled,
            ("payment", "remit"): self._remitted,
            ("payment", "confirm"): self._bill_paid,
            ("payment", "deny"): self._payment_denied,
            ("payment", "conclude"): self._payment_concluded,
            ("evidence", "record"): self._evidence,
            ("evidence", "record_batch"): self._evidence,
            ("evidence", "record_sealed"): self._evidence,
        }

    def add(self, act: Act, register: Register) -> None:
        """The next act that belongs to the chain."""
        self._act, self._register = act, register
        tell = self._tell.get((act.contract, act.method))
        if tell is not None:
            tell(act.given)
        self._ended()

    # --- what each act says ---------------------------------------------------------------------

    def _described(self, given: Mapping[str, Value]) -> None:
        dataset = DATASET, text(given.get("dataset_id"))
        self._fact(dataset, title=text(given.get("title")), category=given.get("category"))
        self._fact(dataset, grade=given.get("grade"), update_days=given.get("update_days"))
        self._edge(dataset, "described by", self._actor(), f"grade {shown(given.get('grade'))}")
        if given.get("demand_id"):
            self._edge(dataset, "collected for", (DEMAND, text(given.get("demand_id"))))

    def _collected(self, given: Mapping[str, Value]) -> None:
        dataset = DATASET, text(given.get("dataset_id"))
        is_new = self._act.method == "collect"  # until it is registered, rows may be replaced
        versions = [] if is_new else self._versions.get(dataset[1], [])
        version, commitment = len(versions) + 1, octets(given.get("commitment")).hex()
        self._versions[dataset[1]] = [*versions, (version, commitment)]
        self._fact(dataset, rows=given.get("row_count"), commitment=commitment, version=version)
        relation = "collected by" if is_new else "updated by"
        self._edge(dataset, relation, self._actor(), f"version {version}")

    def _listed(self, given: Mapping[str, Value]) -> None:
        dataset = DATASET, text(given.get("dataset_id"))
        self._edge(dataset, "registered by", self._actor())

    def _retired(self, given: Mapping[str, Value]) -> None:
        dataset = DATASET, text(given.get("dataset_id"))
        self._edge(dataset, "retired by", self._actor(), text(given.get("reason")))

    def _measured(self, given: Mapping[str, Value]) -> None:
        event = self._event("quality", "QualityMeasured")
        note = f"version {shown(event.get('version'))}: {shown(given.get('figures'))}"
        self._edge((DATASET, text(given.get("dataset_id"))), "measured by", self._actor(), note)

    def _filed(self, given: Mapping[str, Value]) -> None:
        demand = DEMAND, text(given.get("demand_id"))
        self._fact(demand, title=text(given.get("title")), purpose=given.get("purpose"))
        self._fact(demand, kind=given.get("kind"), scenario=given.get("scenario"))
        self._edge(demand, "filed by", self._actor())
        if operator := text(given.get("operator_party")):
            self._edge(demand, "filed with", self._party(operator))

    def _prescreened(self, given: Mapping[str, Value]) -> None:
        relation = "forwarded by" if given.get("passed") else "returned by"
        demand = DEMAND, text(given.get("demand_id"))
        self._edge(demand, relation, self._actor(), text(given.get("note")))

    def _reviewed(self, given: Mapping[str, Value]) -> None:
        relation = "approved by" if given.get("approved") else "rejected by"
        demand = DEMAND, text(given.get("demand_id"))
        self._edge(demand, relation, self._actor(), text(given.get("note")))

    def _asked(self, given: Mapping[str, Value]) -> None:
        demand = DEMAND, text(given.get("demand_id"))
        self._edge(demand, "collection ordered by", self._actor(), text(given.get("order")))
        for supplier in texts(given.get("suppliers")):
            self._edge(demand, "asked of", self._party(supplier))

    def _matched(self, given: Mapping[str, Value]) -> None:
        demand = DEMAND, text(given.get("demand_id"))
        self._edge(demand, "matched by", self._actor(), text(given.get("note")))

    def _preapproved(self, given: Mapping[str, Value]) -> None:
        channel = CHANNEL, text(given.get("channel_id"))
        self._fact(channel, scenario=given.get("scenario"), uses_max=given.get("uses_max"))
        self._fact(channel, until=time_of(given.get("until_ms")))
        self._edge(channel, "opened by", self._actor())

    def _requested(self, given: Mapping[str, Value]) -> None:
        grant = GRANT, text(given.get("grant_id"))
        algorithms = ", ".join(texts(given.get("algorithms")))
        self._fact(grant, scenario=given.get("scenario"), algorithms=algorithms)
        self._fact(grant, uses_max=given.get("uses_max"), expires=time_of(given.get("expires_ms")))
        self._edge(grant, "answers", (DEMAND, text(given.get("demand_id"))))
        self._edge(grant, "requested by", self._actor())
        for dataset in texts(given.get("datasets")):
            self._edge(grant, "covers", (DATASET, dataset))
        if begun := self._event("grant", "Granted"):  # a manager had approved it before
            self._edge(grant, "drawn from", (CHANNEL, text(given.get("channel_id"))))
            self._edge(grant, "granted by", self._party(text(begun.get("manager"))), "beforehand")
            self._countersigned(given)

    def _taken_up(self, given: Mapping[str, Value]) -> None:
        self._edge((GRANT, text(given.get("grant_id"))), "taken up by", self._actor())

    def _decided(self, given: Mapping[str, Value]) -> None:
        relation = "granted by" if given.get("approved") else "refused by"
        grant = GRANT, text(given.get("grant_id"))
        self._edge(grant, relation, self._actor(), text(given.get("note")))

    def _countersigned(self, given: Mapping[str, Value]) -> None:
        grant = GRANT, text(given.get("grant_id"))
        digest = octets(self._event("grant", "Granted").get("digest")).hex()
        self._edge(grant, "countersigned by", self._actor(), f"terms {digest}")

    def _revoked(self, given: Mapping[str, Value]) -> None:
        grant = GRANT, text(given.get("grant_id"))
        self._edge(grant, "revoked by", self._actor(), text(given.get("reason")))

    def _ordered(self, given: Mapping[str, Value]) -> None:
        task, event = (TASK, text(given.get("task_id"))), self._event("task", "TaskCreated")
        digest = octets(event.get("program_hash")).hex()
        program = PROGRAM, digest
        self._fact(task, algorithm=given.get("algorithm"), program_hash=digest)
        size = len(octets(given.get("program")))
        self._fact(program, algorithm=given.get("algorithm"), bytes=size)
        self._edge(task, "runs", program)
        self._edge(task, "runs under", (GRANT, text(given.get("grant_id"))))
        self._edge(task, "ordered by", self._actor())
        pairs = given.get("participants")
        for pair in pairs if isinstance(pairs, list) else ():
            if isinstance(pair, list) and len(pair) == 2:
                dataset = DATASET, text(pair[1])
                self._edge(task, "computes on", dataset, f"brought by {text(pair[0])}")

    def _accepted(self, given: Mapping[str, Value]) -> None:
        event = self._event("task", "TaskAccepted")
        task, dataset = (TASK, text(given.get("task_id"))), text(event.get("dataset_id"))
        commitment = octets(given.get("data_commitment")).hex()
        self._edge(task, "accepted by", self._actor(), f"commits to {commitment}")
        for version, known in self._versions.get(dataset, [])[::-1]:
            if known == commitment:
                self._edge(task, "used rows of", (DATASET, dataset), f"version {version}")
                break

    def _reported(self, given: Mapping[str, Value]) -> None:
        task, event = (TASK, text(given.get("task_id"))), self._event("task", "TaskReported")
        self._fact(task, protection=given.get("protection"))
        note = (
            f"ran {octets(given.get('program_hash')).hex()}, share with SM3 "
            f"{octets(event.get('share_digest')).hex()}"
        )
        self._edge(task, "reported by", self._actor(), note)

    def _registered(self, given: Mapping[str, Value]) -> None:
        product = PRODUCT, text(given.get("product_id"))
        digest = octets(given.get("result_digest")).hex()
        self._fact(product, title=text(given.get("title")), result_digest=digest)
        self._edge(product, "made from", (TASK, text(given.get("task_id"))))
        self._edge(product, "registered by", self._actor())

    def _assessed(self, given: Mapping[str, Value]) -> None:
        relation = "approved by" if given.get("passed") else "refused by"
        product = PRODUCT, text(given.get("product_id"))
        self._edge(product, relation, self._actor(), text(given.get("note")))

    def _offered(self, given: Mapping[str, Value]) -> None:
        delivery = DELIVERY, text(given.get("delivery_id"))
        payload = octets(given.get("sealed_payload_digest")).hex()
        agreement = octets(given.get("agreement_digest")).hex()
        self._fact(delivery, payload_digest=payload, agreement_digest=agreement)
        if given.get("agreement_id"):  # of delivery.offer_under, which asks that it is in force
            self._fact(delivery, agreement=text(given.get("agreement_id")))
        self._edge(delivery, "delivers", (PRODUCT, text(given.get("product_id"))))
        self._edge(delivery, "offered by", self._actor())
        self._edge(delivery, "offered to", self._party(text(given.get("consumer_party"))))

    def _classified(self, given: Mapping[str, Value]) -> None:
        dataset = DATASET, text(given.get("dataset_id"))
        relation = "about persons by" if given.get("is_personal") else "not about persons by"
        self._edge(dataset, relation, self._actor(), text(given.get("note")))

    def _assessment_asked(self, given: Mapping[str, Value]) -> None:
        product = PRODUCT, text(given.get("product_id"))
        self._edge(product, "assessment asked by", self._actor())

    def _deidentified(self, given: Mapping[str, Value]) -> None:
        product = PRODUCT, text(given.get("product_id"))
        event = self._event("deidentification", "DeidentificationAssessed")
        note = (
            f"{text(given.get('assessment_id'))}: level {shown(given.get('level'))}, "
            f"k {shown(given.get('k'))}, risk {shown(event.get('risk_ppm'))} millionths"
        )
        self._edge(product, "de-identification assessed by", self._actor(), note)

    def _set_aside(self, given: Mapping[str, Value]) -> None:
        event = self._event("deidentification", "AssessmentDismissed")
        note = f"{text(given.get('assessment_id'))}: {text(given.get('reason'))}"
        product = PRODUCT, text(event.get("product_id"))
        self._edge(product, "assessment set aside by", self._actor(), note)

    def _prepared(self, given: Mapping[str, Value]) -> None:
        delivery = DELIVERY, text(given.get("delivery_id"))
        self._fact(delivery, channel=given.get("channel"), risk=given.get("risk"))
        self._edge(delivery, "prepared by", self._actor(), text(given.get("note")))

    def _used(self, given: Mapping[str, Value]) -> None:
        delivery = DELIVERY, text(given.get("delivery_id"))
        note = f"{shown(given.get('uses'))} times: {text(given.get('scenario'))}"
        self._edge(delivery, "use reported by", self._actor(), note)

    def _answered(self, given: Mapping[str, Value]) -> None:
        relation = "accepted by" if given.get("accepted") else "rejected by"
        delivery = DELIVERY, text(given.get("delivery_id"))
        self._fact(delivery, received_digest=octets(given.get("received_digest")).hex())
        self._edge(delivery, relation, self._actor(), text(given.get("note")))

    def _withdrawn(self, given: Mapping[str, Value]) -> None:
        delivery = DELIVERY, text(given.get("delivery_id"))
        self._edge(delivery, "withdrawn by", self._actor(), text(given.get("reason")))

    def _evidence(self, given: Mapping[str, Value]) -> None:
        about = [s for s in sorted(self._chain) if s[1] == text(given.get("subject"))]
        if len(self.custody.kinds(EVIDENCE)) >= EVIDENCE_MAX:
            self.custody.evidence_left_out += 1
            return
        evidence = EVIDENCE, text(given.get("evidence_id"))
        self._fact(evidence, kind=given.get("kind"), digest=octets(given.get("digest")).hex())
        for subject in about:
            self._edge(evidence, "is about", subject, text(given.get("note")))
        self._edge(evidence, "recorded by", self._actor())

    def _put_up(self, given: Mapping[str, Value]) -> None:
        agreement = AGREEMENT, text(given.get("agreement_id"))
        event = self._event("agreement", "AgreementOffered")
        self._fact(agreement, title=text(given.get("title")))
        self._fact(agreement, digest=octets(given.get("digest")).hex())
        self._fact(agreement, price_fen=given.get("price_fen"), service=given.get("service"))
        self._fact(agreement, per=text(given.get("per")))
        self._fact(agreement, until=time_of(given.get("until_ms")))
        over = text(given.get("kind")), text(given.get("subject"))
        self._edge(agreement, "is over", over)
        self._edge(agreement, "put up by", self._actor())
        self._edge(agreement, "put up to", self._party(text(event.get("consumer"))))

    def _signed(self, given: Mapping[str, Value]) -> None:
        agreement = AGREEMENT, text(given.get("agreement_id"))
        digest = octets(given.get("digest")).hex()
        self._edge(agreement, "signed by", self._actor(), f"the text with SM3 {digest}")

    def _unmade(self, given: Mapping[str, Value]) -> None:
        relation = "declined by" if self._act.method == "decline" else "terminated by"
        agreement = AGREEMENT, text(given.get("agreement_id"))
        self._edge(agreement, relation, self._actor(), text(given.get("reason")))

    def _metered(self, given: Mapping[str, Value]) -> None:
        """Every entry that the act made: who owes whom for what."""
        for told in self._act.events:
            if (told.contract, told.name) != ("billing", "Metered"):
                continue
            subject, fields = charged(told.fields), told.fields
            if subject is None or subject not in self._chain:
                continue
            units, price = shown(fields.get("units")), shown(fields.get("price_fen"))
            note = f"{text(fields.get('kind'))}: {units} at {price} fen"
            self._edge(subject, "charged to", self._party(text(fields.get("payer"))), note)
            self._edge(subject, "owed to", self._party(text(fields.get("payee"))), note)

    def _stated(self, given: Mapping[str, Value]) -> None:
        statement = STATEMENT, text(given.get("statement_id"))
        event = self._event("billing", "StatementIssued")
        self._fact(statement, entries=event.get("count"), total_fen=event.get("total_fen"))
        self._fact(statement, due_fen=event.get("total_fen"))
        self._edge(statement, "stated by", self._actor())
        self._edge(statement, "stated to", self._party(text(given.get("payer"))))
        for subject in self._accounts.statements.get(statement[1], ()):
            if subject in self._chain:
                self._edge(statement, "bills", subject)

    def _bill_answered(self, given: Mapping[str, Value]) -> None:
        relation = "accepted by" if self._act.method == "accept" else "contested by"
        statement = STATEMENT, text(given.get("statement_id"))
        self._edge(statement, relation, self._actor(), text(given.get("reason")))

    def _bill_settled(self, given: Mapping[str, Value]) -> None:
        statement = STATEMENT, text(given.get("statement_id"))
        self._fact(statement, due_fen=given.get("due_fen"))
        self._edge(statement, "settled by", self._actor(), text(given.get("text")))

    def _remitted(self, given: Mapping[str, Value]) -> None:
        statement = STATEMENT, text(given.get("statement_id"))
        digest = octets(given.get("receipt_digest")).hex()
        self._edge(statement, "remitted by", self._actor(), f"receipt with SM3 {digest}")

    def _payment_denied(self, given: Mapping[str, Value]) -> None:
        statement = STATEMENT, text(given.get("statement_id"))
        self._edge(statement, "payment denied by", self._actor(), text(given.get("reason")))

    def _payment_concluded(self, given: Mapping[str, Value]) -> None:
        relation = "found paid by" if given.get("is_paid") else "found unpaid by"
        statement = STATEMENT, text(given.get("statement_id"))
        self._edge(statement, relation, self._actor(), text(given.get("text")))

    def _bill_paid(self, given: Mapping[str, Value]) -> None:
        statement = STATEMENT, text(given.get("statement_id"))
        digest = octets(given.get("receipt_digest")).hex()
        self._edge(statement, "payment confirmed by", self._actor(), f"receipt with SM3 {digest}")

    def _ended(self) -> None:
        """How a task ended, whichever act ended it."""
        for told in self._act.events:
            task = TASK, text(told.fields.get("task_id"))
            status = ENDS.get(told.name) if told.contract == "task" else None
            if status is not None and task in self._chain:
                self._fact(task, status=status)

    # --- parts of the graph -----------------------------------------------------------------------

    def _event(self, contract: str, name: str) -> Mapping[str, Value]:
        return self._act.event(contract, name) or {}

    def _actor(self) -> Subject:
        return self._party(self._act.by.party or self._act.sender)

    def _party(self, name: str) -> Subject:
        subject = PARTY, name
        known = self._register.parties.get(name)
        if known is not None:
            self._fact(subject, title=known.name, roles=", ".join(known.roles))
        return subject

    def _fact(self, subject: Subject, *, title: str = "", **facts: Value) -> None:
        node = self.custody.nodes.setdefault(subject, Node(subject))
        node.title = title or node.title
        node.facts.update({name: str(shown(value)) for name, value in facts.items()})

    def _edge(self, source: Subject, relation: str, target: Subject, note: str = "") -> None:
        act = self._act
        for subject in (source, target):
            self.custody.nodes.setdefault(subject, Node(subject))
        proof = Proof(act.transaction, act.height, act.index, act.time_ms)
        self.custody.edges.append(Edge(source, relation, target, proof, note))


def fields_of(custody: Custody) -> dict[str, object]:
    """The graph for JSON."""
    return {
        "product": custody.product,
        "nodes": [
            {"id": id_of(node.subject), "title": node.title, "facts": node.facts}
            for node in custody.nodes.values()
        ],
        "edges": [
            {
                "from": id_of(edge.source),
                "relation": edge.relation,
                "to": id_of(edge.target),
                "note": edge.note,
                "transaction": edge.proof.transaction,
                "height": edge.proof.height,
                "index": edge.proof.index,
            }
            for edge in custody.edges
        ],
        "evidence_left_out": custody.evidence_left_out,
    }
