"""Random acts on roots and certificates, against a register as a clerk would keep it on paper.

Two organizations with two authorities each, of which one runs a validator; certificates of all
roles, some of them for one key, some short, some not yet valid; and everybody tries everything.
The clerk writes down every reason against an act (docs/certificates.md, ADR 32): it must be
refused if there is one, and with one of these. Who has which role is derived from the papers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from crypto.x509.profile import Role, Subject
from crypto.x509.read import Certificate
from ledger.model import Receipt, address_of
from ledger.values import Value
from tests.business import STRANGER, code_of
from tests.council import FOUNDERS, Council, account_of
from tests.pinned import run_pinned
from tests.x509_world import PEER, Org, keys, organization

BEGINNING = datetime(2023, 11, 1, tzinfo=UTC)  # before the time of the chains in tests
DAY_MS = 24 * 3_600_000
ORDERING = "insurer"  # it runs a validator, and "bank" does not
HOLDER = "holder"  # signs with the key of the certificate itself
ORGANIZATIONS = (ORDERING, "bank")
PEOPLE = ("bureau", "board", "opco", "insurer", "bank", STRANGER, HOLDER, FOUNDERS[1])
MANAGERS = ("bureau", "board")
SHOWN_ROLES = ("node", "user", "executor", "publisher", "auditor")  # in the order of an answer


@dataclass(frozen=True)
class Leaf:
    """A certificate, and the authority that signed it."""

    organization: str
    authority: int
    made: Certificate

    @property
    def role(self) -> Role:
        assert self.made.subject.role is not None
        return self.made.subject.role

    @property
    def serial(self) -> str:
        return f"{self.made.serial:x}"

    @property
    def address(self) -> str:
        return address_of(self.made.public_key)

    @property
    def begin_ms(self) -> int:
        return int(self.made.not_before.timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        return int(self.made.not_after.timestamp() * 1000)


@cache
def authorities() -> dict[str, tuple[Org, Org]]:
    """Two of each organization; the second one is over after 90 days."""
    return {
        name: (
            organization(name, now=BEGINNING),
            organization(name, now=BEGINNING, days=90, root=f"{name}-next"),
        )
        for name in ORGANIZATIONS
    }


@cache
def leaves() -> tuple[Leaf, ...]:
    shared = keys().public_key  # of people of both organizations: only one of them may have it
    found = []
    for name in ORGANIZATIONS:
        for authority, org in enumerate(authorities()[name]):
            for role, days, begin, public in (
                (Role.USER, 365 if authority == 0 else 60, BEGINNING, shared),
                (Role.PUBLISHER, 60, BEGINNING, shared),
                (Role.EXECUTOR, 60, BEGINNING + timedelta(days=25), b""),
                (Role.AUDITOR, 60, BEGINNING, b""),
                (Role.NODE, 60, BEGINNING, b""),
            ):
                peer = PEER if role is Role.NODE else ""
                subject = Subject(name, role.value, role, peer)
                made = org.leaf(subject, now=begin, days=days, public=public)
                found.append(Leaf(name, authority, made))
    return tuple(found)


@dataclass
class Papers:
    """What the clerk filed. A root is told by its organization and its number there."""

    admitted: list[tuple[str, int]] = field(default_factory=list)  # in order, also retired ones
    retired: set[tuple[str, int]] = field(default_factory=set)
    registered: dict[tuple[str, str], Leaf] = field(default_factory=dict)
    revoked: list[tuple[str, str]] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)  # address -> organization
    suspended: set[str] = field(default_factory=set)

    def believes(self, organization: str, authority: int) -> bool:
        root = (organization, authority)
        return root in self.admitted and root not in self.retired

    def active(self) -> list[tuple[str, int]]:
        return [root for root in self.admitted if root not in self.retired]

    def was_revoked_before(self, leaf: Leaf) -> bool:
        """Before anybody registered it, if anybody did."""
        place = (leaf.organization, leaf.serial)
        return place in self.revoked and place not in self.registered

    def reasons_against_root(self, name: str, authority: int, now_ms: int) -> set[str]:
        root = authorities()[name][authority].root
        return {
            code
            for code, holds in {
                "organization": name in self.suspended,
                "root_exists": (name, authority) in self.admitted,
                "expired": now_ms >= root.not_after.timestamp() * 1000,
            }.items()
            if holds
        }

    def reasons_against_retiring(self, name: str, authority: int) -> set[str]:
        others = [root for root in self.active() if root[0] == name and root[1] != authority]
        return {
            code
            for code, holds in {
                "root_unknown": (name, authority) not in self.admitted,
                "root_status": (name, authority) in self.retired,
                "last_root": name == ORDERING and not others,
            }.items()
            if holds
        }

    def reasons_against_registering(self, who: str, leaf: Leaf, now_ms: int) -> set[str]:
        place = (leaf.organization, leaf.serial)
        is_auditor = leaf.role is Role.AUDITOR
        known = self.registered.get(place)
        speaks = who == leaf.organization or who == HOLDER
        return {
            code
            for code, holds in {
                "organization": leaf.organization in self.suspended,
                "signature": not self.believes(leaf.organization, leaf.authority),
                "expired": now_ms >= leaf.end_ms,
                "auditor": is_auditor and (who not in MANAGERS or who in self.suspended),
                "registrar": not is_auditor and (not speaks or who in self.suspended),
                "exists": known is not None and self.believes(known.organization, known.authority),
                "revoked": place in self.revoked,
                "bound": self.owners.get(leaf.address, leaf.organization) != leaf.organization,
            }.items()
            if holds
        }

    def reasons_against_revoking(self, who: str, organization: str, serial: str) -> set[str]:
        known = self.registered.get((organization, serial))
        is_own = who == organization and who not in self.suspended
        is_manager = who in MANAGERS and who not in self.suspended
        is_node = known is None or known.role is Role.NODE
        roots = [root for root in self.admitted if root[0] == organization]
        return {
            code
            for code, holds in {
                "revoked": (organization, serial) in self.revoked,
                "owner": not is_own and not is_manager,
                "node": not is_own and is_node,
                "revocations": not roots,  # room for them comes with roots
            }.items()
            if holds
        }

    def roles(self, address: str, now_ms: int) -> tuple[str, list[str]]:
        """As the chain must tell them: whose key it is, and what it may."""
        good = {
            leaf.role.value
            for place, leaf in self.registered.items()
            if leaf.address == address
            and place not in self.revoked
            and self.believes(leaf.organization, leaf.authority)
            and leaf.begin_ms <= now_ms < leaf.end_ms
        }
        owner = self.owners.get(address, "")
        if not good or owner in self.suspended:
            return "", []
        return owner, [role for role in SHOWN_ROLES if role in good]


# What every method must have come to in this run.
MET = {
    "admit": "expired organization root_exists ok",
    "admit_root": "caller",
    "register": "auditor bound exists expired organization registrar revoked signature ok",
    "retire": "last_root root_status root_unknown ok",
    "retire_root": "caller",
    "revoke": "node owner revocations revoked ok",
}


class IdentityMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not; `done` counts them by method and outcome."""

    done: ClassVar[Counter[tuple[str, str]]] = Counter()

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.chance = Random(seed)
        self.council = Council()
        self.papers = Papers()
        self.proposals = 0
        self.admit(ORDERING, 0)
        if self.chance.random() < 0.5:
            self.revoke_as("bank", leaves()[-1])  # there is no root yet, and so no room
            self.admit("bank", 0)

    @property
    def next_ms(self) -> int:
        """The time of the block in which the next act is made."""
        return self.council.now_ms + 1

    def check(self, receipt: Receipt, method: str, reasons: set[str]) -> bool:
        """Was it taken, as it must be without a reason against it?"""
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        outcome = "ok" if receipt.status == Code.ok else code_of(receipt.detail)
        wanted = {f"identity.{reason}" for reason in reasons} or {"ok"}
        assert outcome in wanted, (method, outcome, wanted)
        self.done[method, outcome] += 1
        return outcome == "ok"

    def proposed(self, kind: str, *args: Value) -> Receipt:
        """Managers and organizations are all for it, as long as the chain takes it."""
        self.proposals += 1
        name = f"p{self.proposals}"
        receipt = self.council.act("bureau", "proposal", kind, name, *args, "why")
        if receipt.status == Code.ok:
            self.council.carry(name)
            assert self.council.status(name) == "decided"
        return receipt

    # --- roots ----------------------------------------------------------------------------------

    def admit(self, name: str, authority: int) -> None:
        reasons = self.papers.reasons_against_root(name, authority, self.next_ms)
        root = authorities()[name][authority].root
        if self.check(self.proposed("admit_root", name, root.der), "admit", reasons):
            self.papers.admitted.append((name, authority))

    @rule()
    def admit_any(self) -> None:
        self.admit(self.chance.choice(ORGANIZATIONS), self.chance.randrange(2))

    @rule()
    def retire(self) -> None:
        name, authority = self.chance.choice(ORGANIZATIONS), self.chance.randrange(2)
        fingerprint = authorities()[name][authority].root.fingerprint
        reasons = self.papers.reasons_against_retiring(name, authority)
        if self.check(self.proposed("retire_root", name, fingerprint), "retire", reasons):
            self.papers.retired.add((name, authority))

    @rule()
    def pass_the_proposals_by(self) -> None:
        """Nobody writes roots but what was voted on."""
        name = self.chance.choice(ORGANIZATIONS)
        who = self.chance.choice(PEOPLE)
        root = authorities()[name][self.chance.randrange(2)].root
        for method, what in (("admit_root", root.der), ("retire_root", root.fingerprint)):
            receipt = self.act(who, leaves()[0], method, name, what)
            self.check(receipt, method, {"caller"})

    # --- certificates -----------------------------------------------------------------------------

    def act(self, who: str, leaf: Leaf, method: str, *args: Value) -> Receipt:
        if who == HOLDER:
            return self.council.chain.call(leaf.address, "identity", method, *args)
        if who in FOUNDERS:
            return self.council.chain.call(account_of(who), "identity", method, *args)
        return self.council.act(who, "identity", method, *args)

    @rule(times=st.integers(2, 8))
    def register(self, times: int) -> None:
        for _ in range(times):
            too_late = [leaf for leaf in leaves() if self.papers.was_revoked_before(leaf)]
            leaf = self.chance.choice([*leaves(), *too_late * 3])
            likely = ("bureau",) if leaf.role is Role.AUDITOR else (HOLDER,)
            who = self.chance.choice((*PEOPLE, *likely * 4, leaf.organization))
            reasons = self.papers.reasons_against_registering(who, leaf, self.next_ms)
            receipt = self.act(who, leaf, "register", leaf.organization, leaf.made.der)
            if self.check(receipt, "register", reasons):
                self.papers.registered[leaf.organization, leaf.serial] = leaf
                self.papers.owners[leaf.address] = leaf.organization

    @rule()
    def revoke(self) -> None:
        leaf = self.chance.choice([*leaves(), *self.papers.registered.values()])
        self.revoke_as(self.chance.choice((*PEOPLE, leaf.organization, leaf.organization)), leaf)

    def revoke_as(self, who: str, leaf: Leaf) -> None:
        reasons = self.papers.reasons_against_revoking(who, leaf.organization, leaf.serial)
        receipt = self.act(who, leaf, "revoke", leaf.organization, leaf.serial, "lost")
        if self.check(receipt, "revoke", reasons):
            self.papers.revoked.append((leaf.organization, leaf.serial))

    # --- the world --------------------------------------------------------------------------------

    @rule()
    def suspend_or_readmit(self) -> None:
        who = self.chance.choice(("insurer", "bank", "board"))
        method = "readmit" if who in self.papers.suspended else "suspend"
        self.council.do("bureau", "parties", method, who, "audit")
        self.papers.suspended ^= {who}

    @rule(days=st.integers(3, 30))
    def wait(self, days: int) -> None:
        self.council.pass_time(days * DAY_MS)

    @invariant()
    def everybody_has_the_roles_of_the_papers(self) -> None:
        for address in {leaf.address for leaf in leaves()}:
            told = self.council.ask(STRANGER, "identity", "standing", address)
            assert told == list(self.papers.roles(address, self.council.now_ms))

    @invariant()
    def roots_and_revocations_are_those_of_the_papers(self) -> None:
        listed = self.council.ask(STRANGER, "identity", "organizations", 0, 100)
        assert isinstance(listed, list)
        assert [row["fingerprint"] for row in listed if isinstance(row, dict)] == [
            authorities()[name][authority].root.fingerprint
            for name, authority in self.papers.active()
        ]
        listed = self.council.ask(STRANGER, "identity", "revocations", 0, 100)
        assert isinstance(listed, list)
        assert [
            (row["organization"], row["serial"]) for row in listed if isinstance(row, dict)
        ] == self.papers.revoked

    @invariant()
    def certificates_are_listed_as_they_stand(self) -> None:
        listed = self.council.ask("opco", "identity", "list", 0, 100)
        assert isinstance(listed, list)
        told = {
            (row["organization"], row["serial"]): row["status"]
            for row in listed
            if isinstance(row, dict)
        }
        assert len(told) == len(listed)
        assert told == {
            place: "revoked" if place in self.papers.revoked else "registered"
            for place in self.papers.registered
        }


@pytest.mark.slow
def test_roots_and_certificates_do_what_the_model_says() -> None:
    """Every refusal must have been met for this to mean anything, so the draws are the same."""
    IdentityMachine.done.clear()
    run_pinned(IdentityMachine, examples=150, steps=50)
    met: dict[str, set[str]] = {}
    for method, outcome in IdentityMachine.done:
        met.setdefault(method, set()).add(outcome.removeprefix("identity."))
    assert met == {method: set(outcomes.split()) for method, outcomes in MET.items()}
