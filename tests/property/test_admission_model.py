"""Random acts over the whole life of parties, against a plain model: applied, admitted, suspended,
revoked.

The model is written from docs/parties.md. Whoever acts, in whatever order: nobody is entered
whose key did not sign, no role does what it may not, no state is skipped, and who is revoked never
speaks again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from client.applications import apply_args, sign
from contracts.vm.codes import Code
from contracts.vm.testing import account
from ledger.model import Receipt
from ledger.values import Value
from tests.applications import Wish, applicant, written
from tests.business import HOUR_MS, PARTIES, ROLES, STRANGER, Business
from tests.pinned import run_pinned

FOUNDERS = ("bureau", "board", "opco", "rival", "health", "bank", "devhouse")
NODES = ("rival", "archive", "civil", "social")  # whose parties run nodes
IDS = ("lab", "clinic", "agency", "harbor", "shop", "works")  # that applicants want
KEYS = ("k0", "k1", "k2", "k3", "k4", "k5", "k6")
SELECTED = ("tech_provider", "developer")
NEXT = {
    "application": {"applied": {"admitted", "refused", "withdrawn", "expired"}},
    "party": {"active": {"suspended", "revoked"}, "suspended": {"active", "revoked"}},
}


@dataclass
class Paper:
    """An application as a clerk would file it."""

    party: str
    role: str
    key: str
    sponsor: str
    expires_ms: int
    status: str = "applied"


@dataclass
class Card:
    role: str
    keys: list[str]
    status: str = "active"
    selected_by: str = ""
    approved_by: str = ""


@dataclass
class Model:
    papers: list[Paper] = field(default_factory=list)
    cards: dict[str, Card] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)  # key -> the party it is of for ever

    def speaks_for(self, who: str) -> str:
        party = self.bound.get(who, "")
        return party if party and self.cards[party].status == "active" else ""

    def role_of(self, who: str) -> str:
        party = self.speaks_for(who)
        return self.cards[party].role if party else ""

    def has_other_manager(self, party: str) -> bool:
        return any(
            card.role == "manager" and card.status == "active" and name != party
            for name, card in self.cards.items()
        )

    def may_sponsor(self, who: str, role: str) -> bool:
        own = self.role_of(who)
        if role in SELECTED:
            return own == "operator"
        return own == "manager" if role in ("manager", "operator") else own != ""

    def is_reserved(self, party: str, now_ms: int) -> bool:
        return any(
            paper.party == party and paper.status == "applied" and now_ms < paper.expires_ms
            for paper in self.papers
        )

    def is_free(self, party: str, key: str) -> bool:
        return party not in self.cards and self.bound.get(key, party) == party


class AdmissionMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not. `done` counts what was allowed and what was refused."""

    done: ClassVar[Counter[tuple[str, bool]]] = Counter()

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        """Hypothesis chooses what is done, and the seed by which who and on what is drawn."""
        self.chance = Random(seed)
        self.business = Business(NODES)
        self.model = Model()
        self.seen: dict[tuple[str, str], str] = {}
        for party, role in PARTIES.items():
            self.model.cards[party] = Card(role, [party])
            self.model.bound[party] = party

    @property
    def now_ms(self) -> int:
        """Of the block in which the next act is made."""
        return self.business.now_ms + 1

    def address(self, who: str) -> str:
        return applicant(who).address if who in KEYS else account(who)

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> bool:
        receipt: Receipt = self.business.chain.call(self.address(who), contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        found = (method, who, args, receipt.detail)
        assert (receipt.status == Code.ok) is expected, found
        self.done[f"{contract}.{method}", expected] += 1
        return expected

    def actor(self, may: Callable[[str], bool]) -> str:
        """Mostly one that may, if there is one: so right people come at the wrong time, too."""
        everybody = (*FOUNDERS, *KEYS, STRANGER)
        good = [who for who in everybody if may(who)]
        return self.chance.choice(good if good and self.chance.random() < 0.7 else everybody)

    def a_paper(self) -> tuple[str, Paper] | None:
        """Mostly one that waits."""
        papers = list(enumerate(self.model.papers))
        waits = [pair for pair in papers if pair[1].status == "applied"]
        chosen = waits if waits and self.chance.random() < 0.8 else papers
        if not chosen:
            return None
        number, paper = self.chance.choice(chosen)
        return f"a{number}", paper

    # --- applications -----------------------------------------------------------------------------

    @rule()
    def apply(self) -> None:
        model, chance = self.model, self.chance
        role, party, key = chance.choice(ROLES), chance.choice(IDS), chance.choice(KEYS)
        if chance.random() < 0.2:
            party = chance.choice(FOUNDERS)
        who = self.actor(lambda who: model.may_sponsor(who, role))
        sponsor, hours = model.speaks_for(who) or "nobody", chance.choice((1, 2, 9))
        named = sponsor if chance.random() < 0.9 else chance.choice(FOUNDERS)
        name = f"a{len(model.papers)}" if chance.random() < 0.9 else "a0"
        wish = Wish(name, party, roles=(role,), keys=(key,), sponsor=named, hours=hours)
        paper = written(self.business, wish)
        words = apply_args(sign(paper, applicant(key)))
        is_forged = chance.random() < 0.1
        if is_forged:
            thief = applicant("thief").sign(b"anything")
            words = [*words[:-1], [thief]]
        expires_ms = paper.application.expires_ms
        expected = (
            model.may_sponsor(who, role)
            and named == sponsor
            and not is_forged
            and not (name == "a0" and model.papers)
            and not model.is_reserved(party, self.now_ms)
            and model.is_free(party, key)
        )
        if self.act(expected, who, "admission", "apply", *words):
            model.papers.append(Paper(party, role, key, sponsor, expires_ms))

    @rule()
    def admit(self) -> None:
        model = self.model
        if (found := self.a_paper()) is None:
            return
        name, paper = found
        who = self.actor(lambda who: model.role_of(who) == "manager")
        manager = model.speaks_for(who)
        digest = self.digests()[name]
        expected = (
            model.role_of(who) == "manager"
            and self.is_open(paper)
            and model.cards[paper.sponsor].status == "active"
            and (manager != paper.sponsor or not model.has_other_manager(manager))
            and model.is_free(paper.party, paper.key)
        )
        if not self.act(expected, who, "admission", "admit", name, digest, "", "sound"):
            return
        paper.status = "admitted"
        card = Card(paper.role, [paper.key], "active", paper.sponsor, manager)
        model.cards[paper.party] = card
        model.bound[paper.key] = paper.party

    @rule()
    def refuse(self) -> None:
        if (found := self.a_paper()) is None:
            return
        name, paper = found
        who = self.actor(lambda who: self.model.role_of(who) == "manager")
        expected = self.model.role_of(who) == "manager" and self.is_open(paper)
        if self.act(expected, who, "admission", "refuse", name, "incomplete"):
            paper.status = "refused"

    @rule()
    def withdraw(self) -> None:
        if (found := self.a_paper()) is None:
            return
        name, paper = found
        who = self.actor(lambda who: self.model.speaks_for(who) == paper.sponsor)
        expected = self.model.speaks_for(who) == paper.sponsor and self.is_open(paper)
        if self.act(expected, who, "admission", "withdraw", name, "mistaken"):
            paper.status = "withdrawn"

    def is_open(self, paper: Paper) -> bool:
        return paper.status == "applied" and self.now_ms < paper.expires_ms

    def digests(self) -> dict[str, Value]:
        manager = next(who for who in (*FOUNDERS, *KEYS) if self.model.role_of(who) == "manager")
        rows = self.business.chain.view(self.address(manager), "admission", "list", 0, 100)
        assert isinstance(rows, list)
        return {str(row["id"]): row["digest"] for row in rows if isinstance(row, dict)}

    # --- parties ----------------------------------------------------------------------------------

    def supervise(
        self, method: str, is_fit: Callable[[Card], bool], *, is_own_refused: bool
    ) -> bool:
        model = self.model
        fit = [name for name, card in model.cards.items() if is_fit(card)]
        names = [*FOUNDERS, *IDS]
        party = self.chance.choice(fit if fit and self.chance.random() < 0.7 else names)
        who = self.actor(lambda who: model.role_of(who) == "manager")
        card = model.cards.get(party)
        expected = model.role_of(who) == "manager" and card is not None and is_fit(card)
        if is_own_refused and model.bound.get(who) == party:
            expected = False
        if method == "revoke" and party in NODES:
            expected = False
        if self.act(expected, who, "parties", method, party, "why") and card is not None:
            status = {"suspend": "suspended", "readmit": "active", "revoke": "revoked"}[method]
            card.status = status
            return True
        return False

    @rule()
    def suspend(self) -> None:
        if self.chance.random() < 0.6:
            self.supervise("suspend", lambda card: card.status == "active", is_own_refused=True)

    @rule()
    def readmit(self) -> None:
        self.supervise("readmit", lambda card: card.status == "suspended", is_own_refused=False)

    @rule()
    def revoke(self) -> None:
        if self.chance.random() < 0.3:
            self.supervise("revoke", lambda card: card.status != "revoked", is_own_refused=True)

    @rule()
    def register(self) -> None:
        """A manager's own choice, past any application, but for who works for an operator."""
        if self.chance.random() < 0.7:
            return
        model, chance = self.model, self.chance
        party, key, role = chance.choice(IDS), chance.choice(KEYS), chance.choice(ROLES)
        who = self.actor(lambda who: model.role_of(who) == "manager")
        expected = model.role_of(who) == "manager" and role not in SELECTED
        expected = expected and model.is_free(party, key)
        words: list[Value] = [party, "Party", [role], [applicant(key).address]]
        manager = model.speaks_for(who)
        if self.act(expected, who, "parties", "register", *words):
            model.cards[party] = Card(role, [key], approved_by=manager)
            model.bound[key] = party

    @rule()
    def wait(self) -> None:
        if self.chance.random() < 0.3:
            self.business.pass_time(HOUR_MS)

    @rule()
    def go_on(self) -> None:
        """Hypothesis leaves out most rules in most runs; stories need all of them."""
        acts = (self.apply, self.apply, self.apply, self.admit, self.admit, self.refuse,
                self.withdraw, self.suspend, self.readmit, self.revoke, self.register,
                self.wait)  # fmt: skip
        for _ in range(8):
            self.chance.choice(acts)()
            self.applications_stand_as_the_model_says()
            self.parties_stand_as_the_model_says()

    # --- what must hold ---------------------------------------------------------------------------

    def same(self, kind: str, name: str, told: Value, expected: str) -> None:
        """The chain and the model agree, and the record came there by one step at a time."""
        assert told == expected, (kind, name)
        steps = NEXT[kind]
        before = self.seen.get((kind, name), next(iter(steps)))
        assert expected == before or expected in steps.get(before, ()), (kind, name, before)
        self.seen[kind, name] = expected

    @invariant()
    def applications_stand_as_the_model_says(self) -> None:
        manager = next(who for who in (*FOUNDERS, *KEYS) if self.model.role_of(who) == "manager")
        rows = self.business.chain.view(self.address(manager), "admission", "list", 0, 100)
        assert isinstance(rows, list) and len(rows) == len(self.model.papers)
        for number, (row, paper) in enumerate(zip(rows, self.model.papers, strict=True)):
            assert isinstance(row, dict)
            is_over = paper.status == "applied" and self.business.now_ms >= paper.expires_ms
            self.same("application", f"a{number}", row["status"],
                      "expired" if is_over else paper.status)  # fmt: skip

    @invariant()
    def parties_stand_as_the_model_says(self) -> None:
        for party, card in self.model.cards.items():
            shown = self.business.ask_record(STRANGER, "parties", "show", party)
            self.same("party", party, shown["status"], card.status)
            made = (shown["selected_by"], shown["approved_by"], shown["roles"])
            assert made == (card.selected_by, card.approved_by, [card.role])
            if card.role in SELECTED and card.selected_by:
                operator = self.model.cards[card.selected_by]
                is_over = self.business.ask(
                    STRANGER, "oversight", "supervises", card.selected_by, party, "delivery"
                )
                assert is_over is (operator.status == "active")

    @invariant()
    def every_key_speaks_for_whom_the_model_says(self) -> None:
        for who in (*FOUNDERS, *KEYS, STRANGER):
            party = self.model.speaks_for(who)
            told = self.business.ask(STRANGER, "parties", "standing", self.address(who))
            assert told == [party, [self.model.role_of(who)] if party else []], who


@pytest.mark.slow
def test_parties_come_stay_and_go_as_the_model_says() -> None:
    """Every step must have been allowed and refused often enough for this to mean anything; so the
    draws are the same each time."""
    AdmissionMachine.done.clear()
    run_pinned(AdmissionMachine, examples=90, steps=20)
    done = AdmissionMachine.done
    methods = {method for method, _ in done}
    assert len(methods) == 8
    for method in methods:
        assert done[method, True] > 9 and done[method, False] > 9, (method, done)
