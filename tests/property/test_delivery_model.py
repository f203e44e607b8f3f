"""Random acts on products and deliveries, against a plain model: what was made, handed over, used.

Nothing is delivered that no manager passed, to nobody but the consumer, under no grant that ended;
no record skips a state; the checks of the contract `risk` find what the model finds.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import HOUR_MS, OFFER, SCENARIO, Business, digest

PEOPLE = ("opco", "opco", "rival", "bureau", "board", "insurer", "insurer", "bank", "health")
PRODUCTS, DELIVERIES = ("p0", "p1"), ("v0", "v1", "v2")
NEXT = {
    "registered": {"approved", "refused"},
    "approved": set(),
    "refused": set(),
    "offered": {"accepted", "rejected", "withdrawn"},
    "accepted": set(),
    "rejected": set(),
    "withdrawn": set(),
}
people, products, deliveries = map(st.sampled_from, (PEOPLE, PRODUCTS, DELIVERIES))
risks = st.sampled_from(["low", "medium", "high"])


@dataclass
class Product:
    status: str = "registered"


@dataclass
class Delivery:
    product: str
    risk: str
    is_diligent: bool
    status: str = "offered"
    used_ms: int = 0
    reports: int = 0
    strayed: int = 0


class DeliveryMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not; the product is of the task t1 under the grant g1."""

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.business.finished()
        self.is_granted = True
        self.products: dict[str, Product] = {}
        self.prepared: dict[str, tuple[str, str]] = {}  # delivery -> product, risk
        self.evidenced: set[str] = set()  # products and deliveries to be, by their operator
        self.records = 0
        self.deliveries: dict[str, Delivery] = {}
        self.seen: dict[str, str] = {}

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> bool:
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)
        return expected

    @rule(who=people, name=products, output=st.sampled_from(["statistics", "model"]))
    def register(self, who: str, name: str, output: str) -> None:
        expected = who == "opco" and name not in self.products and self.is_granted
        expected = expected and output == "statistics"  # as the grant says
        words: list[Value] = [name, "t1", "Table", "", digest("result"), output]
        if self.act(expected, who, "product", "register", *words):
            self.products[name] = Product()

    @rule(who=people, name=products, passed=st.booleans())
    def assess(self, who: str, name: str, passed: bool) -> None:
        known = self.products.get(name)
        expected = who in ("bureau", "board") and known is not None
        expected = expected and known is not None and known.status == "registered"
        expected = expected and (self.is_granted or not passed)
        if self.act(expected, who, "product", "approve", name, passed, "looked at") and known:
            known.status = "approved" if passed else "refused"

    @rule(who=people, name=deliveries, product=products, risk=risks)
    def prepare(self, who: str, name: str, product: str, risk: str) -> None:
        before = self.prepared.get(name, (product, ""))[0]
        expected = who == "opco" and product in self.products and name not in self.deliveries
        expected = expected and before == product
        words: list[Value] = [name, product, "file", risk, digest("looked"), ""]
        if self.act(expected, who, "delivery", "prepare", *words):
            self.prepared[name] = product, risk

    @rule(
        who=people,
        subject=st.sampled_from((*PRODUCTS, *DELIVERIES)),
        kind=st.sampled_from(["delivery.diligence", "delivery.diligence", "delivery.sent"]),
    )
    def keep_evidence(self, who: str, subject: str, kind: str) -> None:
        self.records += 1
        words: list[Value] = [f"e{self.records}", kind, subject, digest("looked"), ""]
        self.act(True, who, "evidence", "record", *words)
        if who == "opco" and kind == "delivery.diligence":
            self.evidenced.add(subject)

    @rule(who=people, name=deliveries, product=products, consumer=st.sampled_from(
        ["insurer", "insurer", "insurer", "bank"]))  # fmt: skip
    def offer(self, who: str, name: str, product: str, consumer: str) -> None:
        known = self.products.get(product)
        before, risk = self.prepared.get(name, (product, ""))
        expected = who == "opco" and name not in self.deliveries and self.is_granted
        expected = expected and known is not None and known.status == "approved"
        expected = expected and consumer == "insurer" and before == product
        words: list[Value] = [name, product, consumer, *OFFER[1:]]
        if self.act(expected, who, "delivery", "offer", *words):
            is_diligent = risk != "" or not self.evidenced.isdisjoint({name, product})
            self.deliveries[name] = Delivery(product, risk, is_diligent)

    @rule(who=people, name=deliveries, accepted=st.booleans(), is_whole=st.booleans())
    def answer(self, who: str, name: str, accepted: bool, is_whole: bool) -> None:
        known = self.deliveries.get(name)
        expected = who == "insurer" and known is not None and known.status == "offered"
        expected = expected and (not accepted or (is_whole and self.is_granted))
        received = digest("payload" if is_whole else "torn")
        done = self.act(expected, who, "delivery", "accept", name, received, accepted, "why")
        if done and known is not None:
            known.status = "accepted" if accepted else "rejected"
            known.used_ms = self.business.now_ms if accepted else 0

    @rule(who=people, name=deliveries, reason=st.sampled_from(["mistaken", "mistaken", ""]))
    def withdraw(self, who: str, name: str, reason: str) -> None:
        known = self.deliveries.get(name)
        expected = who == "opco" and known is not None and known.status == "offered"
        expected = expected and reason != ""
        if self.act(expected, who, "delivery", "withdraw", name, reason) and known is not None:
            known.status = "withdrawn"

    @rule(
        who=people,
        name=deliveries,
        begin=st.sampled_from([-1, 0, 0, 1, 86_400]),
        is_within=st.booleans(),
    )
    def report_use(self, who: str, name: str, begin: int, is_within: bool) -> None:
        """From the end of the last report on, or a second before or after it, or a day after it,
        until now."""
        known = self.deliveries.get(name)
        now_ms = self.business.now_ms
        from_ms = (known.used_ms if known else 0) + begin * 1000
        expected = who == "insurer" and known is not None and known.status == "accepted"
        expected = expected and begin in (0, 1) and from_ms < now_ms
        scenario = SCENARIO if is_within else "something else"
        words: list[Value] = [name, max(from_ms, 0), now_ms, 3, scenario, digest("log"), ""]
        if self.act(expected, who, "delivery", "report_use", *words) and known is not None:
            known.used_ms, known.reports = now_ms, known.reports + 1
            known.strayed += not is_within

    @rule(name=deliveries, product=products, accepted=st.sampled_from([True, True, False]),
          risk=risks, steps=st.integers(1, 5))  # fmt: skip
    def go_on(self, name: str, product: str, accepted: bool, risk: str, steps: int) -> None:
        """Random words rarely fit: the next steps of a delivery, by who may take them."""
        for _ in range(steps):
            self.step(name, product, accepted, risk)
            self.records_are_those_of_the_model()

    def step(self, name: str, product: str, accepted: bool, risk: str) -> None:
        if product not in self.products:
            self.register("opco", product, "statistics")
        elif self.products[product].status == "registered":
            self.assess("bureau", product, True)
        elif name not in self.deliveries:
            if accepted:
                self.prepare("opco", name, self.prepared.get(name, (product, ""))[0], risk)
            self.offer("opco", name, self.prepared.get(name, (product, ""))[0], "insurer")
        elif self.deliveries[name].status == "offered":
            self.answer("insurer", name, accepted, True)
        else:
            self.business.pass_time(1000)
            self.report_use("insurer", name, 0, accepted)

    @rule(chance=st.integers(0, 19))
    def revoke(self, chance: int) -> None:
        if chance == 0:
            self.act(self.is_granted, "bureau", "grant", "revoke", "g1", "misuse")
            self.is_granted = False

    @rule()
    def wait(self) -> None:
        if self.is_granted:
            grant = self.business.ask_record("bureau", "grant", "show", "g1")
            assert isinstance(grant["expires_ms"], int)
            if self.business.now_ms + 3 * HOUR_MS > grant["expires_ms"]:
                return
        self.business.pass_time(HOUR_MS // 4)

    def same(self, kind: str, name: str, told: Value, status: str) -> None:
        """The chain and the model agree, and the record came there by one step at a time."""
        assert told == status, name
        before = self.seen.get(name, "registered" if kind == "product" else "offered")
        assert status == before or status in NEXT[before], (name, before)
        self.seen[name] = status

    @invariant()
    def records_are_those_of_the_model(self) -> None:
        for name, product in self.products.items():
            shown = self.business.ask_record("board", "product", "show", name)
            self.same("product", name, shown["status"], product.status)
        for name, one in self.deliveries.items():
            shown = self.business.ask_record("board", "delivery", "show", name)
            self.same("delivery", name, shown["status"], one.status)
            told = [shown[field] for field in ("product_id", "risk", "reports", "strayed")]
            assert told == [one.product, one.risk, one.reports, one.strayed]

    @invariant()
    def checks_find_what_the_model_finds(self) -> None:
        for name in self.products:
            assert not self.is_found("purpose_mismatch", name)
        for name, one in self.deliveries.items():
            assert self.is_found("no_diligence", name) is not one.is_diligent
            assert self.is_found("high_risk", name) is (one.risk == "high")
            assert self.is_found("use_mismatch", name) is (one.strayed > 0)
            assert self.is_found("delivery_rejected", name) is (one.status == "rejected")

    def is_found(self, check: str, subject: str) -> bool:
        return self.business.ask_record("bureau", "risk", "look", check, subject)["is_due"] is True


TestDelivery = pytest.mark.slow(DeliveryMachine.TestCase)
TestDelivery.settings = settings(max_examples=30, stateful_step_count=40)
