"""Random pairs of signed messages, shown to the chain by anybody, against a plain judge.

Votes and statements of four validators and of one node that never was one: of equal and of
different subjects, for this chain and for another, signed by who is accused or by somebody else.
The judge knows them as what they mean, not as bytes: they convict if one validator said of one
matter two things. Every other pair must be refused, with one of the reasons against it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from crypto import sm2
from ledger.certificates import VoteKind
from tests.business import STRANGER, code_of, digest, node_private, node_public
from tests.council import CHAIN_ID, FOUNDERS, Council, account_of, statement, vote
from tests.pinned import run_pinned

OBSERVER = "node-bank"
SIGNERS = (*FOUNDERS, OBSERVER)
PEOPLE = ("bureau", "bank", "insurer", STRANGER, FOUNDERS[0], OBSERVER)
KINDS = ("prepare", "commit", "execution")
VALUES = (0, 1, 127, 128, 300, 2**40)
KEPT_MAX = 16
OTHER_CHAIN = digest("another chain")


@dataclass(frozen=True)
class Said:
    """A vote or a statement as its author means it; the view of a statement is 0."""

    kind: str
    view: int
    height: int
    what: str
    is_ours: bool = True

    @property
    def subject(self) -> tuple[str, int, int]:
        return (self.kind, self.view, self.height)

    def message(self) -> bytes:
        chain_id = CHAIN_ID if self.is_ours else OTHER_CHAIN
        if self.kind == "execution":
            return statement(chain_id=chain_id, height=self.height, root=self.what)
        kind = VoteKind.PREPARE if self.kind == "prepare" else VoteKind.COMMIT
        return vote(kind, chain_id=chain_id, view=self.view, height=self.height, proposal=self.what)


@cache
def signature(signer: str, said: Said) -> bytes:
    return sm2.sign(node_private(signer), said.message())


# What the accusations of this run must have come to.
MET = "chain first_signature full known ok role same second_signature subject validator"


class AccusationMachine(RuleBasedStateMachine):
    """Accusations by anybody, true or not; `done` counts their outcomes."""

    done: ClassVar[Counter[str]] = Counter()

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.chance = Random(seed)
        self.council = Council()
        self.council.admitted(OBSERVER)
        self.suspended: set[str] = set()
        self.kept: list[tuple[str, tuple[str, int, int]]] = []

    def speaks(self, who: str) -> bool:
        party = "bank" if who == OBSERVER else "bureau" if who in FOUNDERS else who
        return who != STRANGER and party not in self.suspended

    @rule(times=st.integers(1, 4))
    def accuse_by_chance(self, times: int) -> None:
        for _ in range(times):
            first = self.something()
            second = Said(*first.subject, self.chance.choice("ab"))
            if self.chance.random() < 0.4:
                second = self.something()
            accused = self.chance.choice((*FOUNDERS * 4, OBSERVER))
            signers = [accused, accused]
            if self.chance.random() < 0.3:
                signers[self.chance.randrange(2)] = self.chance.choice(SIGNERS)
            self.accuse(self.chance.choice(PEOPLE), accused, first, second, signers)

    @rule()
    def accuse_one_without_end(self) -> None:
        if self.chance.random() < 0.7:
            return  # it is long
        for height in range(KEPT_MAX + 2):
            first, second = (Said("prepare", 7, height, what) for what in "ab")
            self.accuse("bureau", FOUNDERS[3], first, second, [FOUNDERS[3]] * 2)

    def something(self) -> Said:
        kind = self.chance.choice(KINDS)
        view = 0 if kind == "execution" else self.chance.choice(VALUES)
        is_ours = self.chance.random() < 0.9
        return Said(kind, view, self.chance.choice(VALUES), self.chance.choice("ab"), is_ours)

    def accuse(self, who: str, accused: str, first: Said, second: Said, signers: list[str]) -> None:
        kept = [subject for name, subject in self.kept if name == accused]
        is_one_matter = first.subject == second.subject and first.is_ours == second.is_ours
        reasons = {
            "role": not self.speaks(who),
            "validator": accused == OBSERVER,
            "chain": not first.is_ours,
            "subject": not is_one_matter,
            "form": not is_one_matter,  # another kind of message is no second one of this kind
            "same": is_one_matter and first.what == second.what,
            "known": first.subject in kept,
            "full": len(kept) >= KEPT_MAX,
            "first_signature": signers[0] != accused,
            "second_signature": signers[1] != accused,
        }
        proof = (
            first.message(),
            signature(signers[0], first),
            second.message(),
            signature(signers[1], second),
        )
        sender = account_of(who) if who in SIGNERS else ""
        words = ("accusation", "accuse", node_public(accused), *proof)
        if sender:
            receipt = self.council.chain.call(sender, *words)
        else:
            receipt = self.council.act(who, *words)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        outcome = "ok" if receipt.status == Code.ok else code_of(receipt.detail)
        against = {f"accusation.{code}" for code, holds in reasons.items() if holds}
        assert outcome in (against or {"ok"}), (who, accused, first, second, signers, outcome)
        self.done[outcome.removeprefix("accusation.")] += 1
        if outcome == "ok":
            self.kept.append((accused, first.subject))

    @rule()
    def suspend_or_readmit(self) -> None:
        who = self.chance.choice(("bank", "insurer"))
        method = "readmit" if who in self.suspended else "suspend"
        self.council.do("board", "parties", method, who, "audit")
        self.suspended ^= {who}

    @invariant()
    def what_is_on_record_is_what_was_proven(self) -> None:
        listed = self.council.ask(STRANGER, "accusation", "list", 0, 100)
        assert isinstance(listed, list)
        told = [
            (row["validator"], (row["kind"], row["view"], row["height"]))
            for row in listed
            if isinstance(row, dict)
        ]
        assert told == self.kept[:100]

    @invariant()
    def nobody_lost_a_seat_by_it(self) -> None:
        assert self.council.members() == list(FOUNDERS)


@pytest.mark.slow
def test_what_convicts_is_what_the_judge_says() -> None:
    """Every refusal must have been met for this to mean anything, so the draws are the same."""
    AccusationMachine.done.clear()
    run_pinned(AccusationMachine, examples=40, steps=20)
    assert sorted(AccusationMachine.done) == MET.split()
