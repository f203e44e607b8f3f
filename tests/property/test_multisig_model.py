"""Random acts on joint accounts, against a plain ledger of who said what.

Two joint accounts, of which one belongs to a party; members and strangers open, propose, approve
(also another call than the one that waits), reject and withdraw, and time passes. The model holds
every reason against an act (ADR 37): it must be refused if there is one, and with one of these.
What was carried out is seen where it was done: in the contract `evidence`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from contracts.vm.joint import address_of_definition
from contracts.vm.testing import account
from ledger.values import Value, encode_value
from tests.business import HOUR_MS, STRANGER, Business, code_of, digest
from tests.pinned import run_pinned

MEMBERS = ("health", "social", "civil", "bank")
PEOPLE = (*MEMBERS, "bureau", "insurer", STRANGER)
ACTS = tuple(f"a{number}" for number in range(8))
SUBJECTS = ("e0", "e1", "e2")  # of which each can be on record once
WEEK_MS = 7 * 24 * HOUR_MS


@dataclass(frozen=True)
class Joint:
    """A joint account: so many of these."""

    threshold: int
    members: tuple[str, ...]
    has_party: bool

    @property
    def addresses(self) -> list[str]:
        return sorted(account(member) for member in self.members)

    @property
    def address(self) -> str:
        words = bytes((self.threshold,)) + bytes.fromhex("".join(self.addresses))
        return address_of_definition(words)


JOINTS = (
    Joint(2, ("health", "social", "civil"), has_party=True),
    Joint(3, MEMBERS, has_party=False),
)


@dataclass
class Act:
    """What waits, and who said what of it."""

    joint: Joint
    subject: str
    proposer: str
    expires_ms: int
    approvals: set[str]
    rejections: set[str] = field(default_factory=set)
    closed: str = ""

    def status(self, now_ms: int) -> str:
        if self.closed:
            return self.closed
        return "expired" if now_ms >= self.expires_ms else "open"


class MultisigMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not; `done` counts them by method and outcome."""

    done: ClassVar[Counter[tuple[str, str]]] = Counter()

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.chance = Random(seed)
        self.business = Business()
        self.business.do("bureau", "parties", "add_account", "archive", JOINTS[0].address)
        self.opened: list[Joint] = []
        self.acts: dict[str, Act] = {}
        self.recorded: set[str] = set()
        self.suspended: set[str] = set()
        self.seen: dict[str, str] = {}
        if self.chance.random() < 0.6:
            for joint in JOINTS:
                self.open(joint)

    @property
    def next_ms(self) -> int:
        return self.business.now_ms + 1

    def take(self, who: str, method: str, reasons: dict[str, bool], *args: Value) -> bool:
        receipt = self.business.act(who, "multisig", method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        outcome = "ok" if receipt.status == Code.ok else code_of(receipt.detail)
        against = {
            code if "." in code else f"multisig.{code}" for code, on in reasons.items() if on
        }
        assert outcome in (against or {"ok"}), (who, method, args, outcome, against)
        self.done[method, outcome] += 1
        return outcome == "ok"

    def anybody(self, *likely: str) -> str:
        return self.chance.choice((*PEOPLE, *likely * 2))

    def some_act(self) -> str:
        """Mostly one that waits; now and then one that is over, or was never proposed."""
        waiting = [name for name, act in self.acts.items() if not act.closed]
        kind = self.chance.choice((ACTS, [*self.acts], waiting, waiting, waiting, waiting))
        return self.chance.choice(kind or ACTS)

    @rule()
    def open_account(self) -> None:
        who, joint = self.anybody(), self.chance.choice(JOINTS)
        members = joint.addresses
        wrong = self.chance.choice(("", "", "", "threshold", "members", "nested", "address"))
        if wrong == "nested" and self.opened:
            members = sorted([*members[:2], self.opened[0].address])
        elif wrong == "members":
            members = members[::-1] if self.chance.random() < 0.5 else [members[0], *members]
        elif wrong == "address":
            members = [*members[:-1], "x" * 40]
        reasons = {
            "party": who == STRANGER or who in self.suspended,
            "threshold": wrong == "threshold",
            "members": wrong == "members",
            "nested": wrong == "nested" and bool(self.opened),
            "address": wrong == "address",
            "exists": joint in self.opened,
        }
        threshold = joint.threshold
        if wrong == "threshold":
            threshold = self.chance.choice((1, len(members) + 1))
        words: list[Value] = [threshold, [*members], "joint"]
        if self.take(who, "open_account", reasons, *words):
            self.opened.append(joint)

    def open(self, joint: Joint) -> None:
        self.business.do(
            "insurer", "multisig", "open_account", joint.threshold, [*joint.addresses], "joint"
        )
        self.opened.append(joint)

    @rule()
    def propose(self) -> None:
        who, joint = self.anybody(*MEMBERS), self.chance.choice(JOINTS)
        name, subject = self.chance.choice(ACTS), self.chance.choice(SUBJECTS)
        contract = self.chance.choice(("evidence", "evidence", "evidence", "multisig"))
        reasons = {
            "unknown": joint not in self.opened,
            "member": who not in joint.members,
            "act_exists": name in self.acts,
            "contract": contract == "multisig",
        }
        words: list[Value] = [name, joint.address, contract, "record", call_of(subject), "why"]
        if self.take(who, "propose", reasons, *words):
            self.acts[name] = Act(joint, subject, who, self.next_ms - 1 + WEEK_MS, {who})

    def against_a_vote(self, who: str, name: str) -> dict[str, bool]:
        act = self.acts.get(name)
        if act is None:
            return {"act_unknown": True}
        return {
            "member": who not in act.joint.members,
            "status": act.status(self.next_ms) != "open",
            "voted": who in act.approvals | act.rejections,
        }

    @rule(times=st.integers(1, 3))
    def approve(self, times: int) -> None:
        for _ in range(times):
            name = self.some_act()
            act = self.acts.get(name)
            who = self.anybody(*(act.joint.members if act else ()))
            read = self.chance.choice(SUBJECTS) if self.chance.random() < 0.3 or act is None else ""
            signed = digest("no call") if read or act is None else self.digest_of(name)
            reasons = self.against_a_vote(who, name)
            is_last = act is not None and len(act.approvals) + 1 == act.joint.threshold
            if act is not None:
                reasons["digest"] = bool(read)
                # What it would carry out is refused, and the approval with it.
                reasons["evidence.role"] = is_last and not act.joint.has_party
                reasons["evidence.role"] |= is_last and "archive" in self.suspended
                reasons["evidence.exists"] = is_last and act.subject in self.recorded
            if self.take(who, "approve", reasons, name, signed) and act is not None:
                act.approvals.add(who)
                if is_last:
                    act.closed = "performed"
                    self.recorded.add(act.subject)

    def digest_of(self, name: str) -> Value:
        return self.business.ask_record("bureau", "multisig", "act", name)["digest"]

    @rule()
    def agree(self) -> None:
        """Members propose, and then say yes one after the other, if they may."""
        self.propose()
        for _ in range(3):
            self.approve(2)

    @rule()
    def reject(self) -> None:
        name = self.some_act()
        act = self.acts.get(name)
        who = self.anybody(*(act.joint.members if act else ()))
        if (
            self.take(who, "reject", self.against_a_vote(who, name), name, "why")
            and act is not None
        ):
            act.rejections.add(who)
            if len(act.joint.members) - len(act.rejections) < act.joint.threshold:
                act.closed = "rejected"

    @rule()
    def withdraw(self) -> None:
        name = self.some_act()
        act = self.acts.get(name)
        who = self.anybody(*([act.proposer] if act else ()))
        reasons = {"act_unknown": act is None}
        if act is not None:
            reasons["proposer"] = who != act.proposer
            reasons["status"] = act.status(self.next_ms) != "open"
        if self.take(who, "withdraw", reasons, name) and act is not None:
            act.closed = "withdrawn"

    # --- the world --------------------------------------------------------------------------------

    @rule(hours=st.integers(1, 60))
    def wait(self, hours: int) -> None:
        self.business.pass_time(hours * HOUR_MS)

    @rule()
    def wait_until_one_is_about_to_expire(self) -> None:
        """The last moment is still one; what is asked next is decided right at the end."""
        ends = [act.expires_ms for act in self.acts.values() if not act.closed]
        left = min(ends, default=0) - self.business.now_ms - self.chance.choice((1, 2))
        if left > 0:
            self.business.pass_time(left)

    @rule()
    def suspend_or_readmit(self) -> None:
        who = self.chance.choice(("archive", "insurer"))
        method = "readmit" if who in self.suspended else "suspend"
        self.business.do("bureau", "parties", method, who, "audit")
        self.suspended ^= {who}

    @invariant()
    def every_act_stands_as_the_model_says(self) -> None:
        for name, act in self.acts.items():
            told = self.business.ask_record("bureau", "multisig", "act", name)
            status = act.status(self.business.now_ms)
            assert told["status"] == status, (name, told["status"], status)
            assert told["approvals"] == sorted_as(told["approvals"], act.approvals)
            assert told["rejections"] == sorted_as(told["rejections"], act.rejections)
            before = self.seen.get(name, "open")
            assert before == status or before == "open", (name, before, status)
            self.seen[name] = status

    @invariant()
    def what_was_carried_out_is_on_record_and_nothing_else(self) -> None:
        listed = self.business.ask("bureau", "evidence", "list_by_subject", "s", 0, 100)
        assert isinstance(listed, list)
        told = {row["id"]: row["account"] for row in listed if isinstance(row, dict)}
        assert told == dict.fromkeys(self.recorded, JOINTS[0].address)

    @invariant()
    def accounts_are_listed_in_the_order_of_their_opening(self) -> None:
        listed = self.business.ask("bureau", "multisig", "list", 0, 100)
        assert isinstance(listed, list)
        told = [row["id"] for row in listed if isinstance(row, dict)]
        assert told == [joint.address for joint in self.opened]


def call_of(subject: str) -> bytes:
    """The arguments of evidence.record, encoded."""
    return encode_value([subject, "authorization.decision", "s", bytes(32), ""])


def sorted_as(told: Value, names: set[str]) -> list[str]:
    """The addresses of `names` in the order of `told`, as far as they are there."""
    assert isinstance(told, list)
    addresses = {account(name) for name in names}
    return sorted(addresses, key=lambda one: told.index(one) if one in told else len(told))


# What every method must have come to in this run.
MET = {
    "open_account": "address exists members nested ok party threshold",
    "propose": "act_exists contract member ok unknown",
    "approve": "act_unknown digest evidence.exists evidence.role member ok status voted",
    "reject": "act_unknown member ok status voted",
    "withdraw": "act_unknown ok proposer status",
}


@pytest.mark.slow
def test_joint_accounts_do_what_the_model_says() -> None:
    """Every refusal must have been met for this to mean anything, so the draws are the same."""
    MultisigMachine.done.clear()
    run_pinned(MultisigMachine, examples=120, steps=50)
    met: dict[str, set[str]] = {}
    for method, outcome in MultisigMachine.done:
        met.setdefault(method, set()).add(outcome.removeprefix("multisig."))
    assert met == {method: set(outcomes.split()) for method, outcomes in MET.items()}
