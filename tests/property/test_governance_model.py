"""Random acts on the contracts of governance, against a plain model of what they must do.

The model knows the rules and nothing of the VM: who may act, when a vote is complete, who has to
confirm, which committee follows. After every act the chain must say what the model says, and the
invariants of any committee must hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.registry import committee_of, confirmations_awaited, nodes_of
from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import ORGANIZATIONS, node_public, peer_of
from tests.council import CONFIRM_MS, FOUNDERS, WEEK_MS, WINDOW, Council, account_of

MANAGERS = ("bureau", "board")
PARTIES = (*ORGANIZATIONS, "board", "bank", "civil", "rival")
OTHERS = {"node-bank": "bank", "node-civil": "civil", "node-rival": "rival", "node-opco-2": "opco"}
NODES = (*FOUNDERS, *OTHERS)
KINDS = ("dismiss_observer", "add_validator", "remove_validator", "expel_validator",
         "replace_validator")  # fmt: skip

parties = st.sampled_from(PARTIES)
nodes = st.sampled_from(NODES)
numbers = st.integers(0, 11)


def quorum(size: int) -> int:
    return (size + (size - 1) // 3 + 2) // 2


@dataclass
class Wish:
    """A proposal as the model sees it."""

    kind: str
    node: str
    successor: str
    proposer: str
    expires_ms: int
    approvals: list[str]
    rejections: list[str] = field(default_factory=list)
    status: str = "open"


@dataclass
class Awaited:
    number: int
    members: list[str]
    entering: set[str]
    expires_ms: int
    confirmed: set[str] = field(default_factory=set)


class Model:
    """The rules, as a person would write them down."""

    def __init__(self) -> None:
        self.members = list(FOUNDERS)
        self.before = list(FOUNDERS)
        self.first_height = 1
        self.status = dict.fromkeys(FOUNDERS, "validator")
        self.party = {node: node.removeprefix("node-") for node in FOUNDERS} | OTHERS
        self.wishes: list[Wish] = []
        self.awaited: Awaited | None = None
        self.suspended: set[str] = set()

    def organizations(self, height: int) -> list[str]:
        serving = self.members if height >= self.first_height else self.before
        return list(dict.fromkeys(self.party[node] for node in serving))

    def may_vote(self, party: str, height: int) -> bool:
        if party in self.suspended:
            return False
        return party in MANAGERS or party in self.organizations(height)

    def expire(self, now_ms: int) -> None:
        for wish in self.wishes:
            if wish.status == "open" and now_ms >= wish.expires_ms:
                wish.status = "expired"
        if self.awaited and now_ms >= self.awaited.expires_ms:
            self.wishes[self.awaited.number].status = "lapsed"
            self.awaited = None

    def after(self, wish: Wish, height: int) -> list[str] | None:
        """The committee that the change leads to; None if there is none."""
        if height < self.first_height or (wish.successor != "") != (
            wish.kind == "replace_validator"
        ):
            return None
        entering = wish.successor if wish.kind == "replace_validator" else wish.node
        if wish.kind in ("add_validator", "replace_validator") and (
            self.status.get(entering) != "observer" or self.party[entering] in self.suspended
        ):
            return None
        members = list(self.members)
        if wish.kind == "add_validator":
            members.append(entering)
        elif wish.node not in members:
            return None
        elif wish.kind == "replace_validator":
            members[members.index(wish.node)] = entering
        else:
            members.remove(wish.node)
        return members if len(members) >= 4 else None

    def can_be_carried(self, wish: Wish, height: int) -> bool:
        if wish.kind == "admit_observer":
            return wish.node not in self.status and self.party[wish.node] not in self.suspended
        if wish.kind == "dismiss_observer":
            return self.status.get(wish.node) == "observer" and wish.successor == ""
        return self.after(wish, height) is not None

    def is_complete(self, wish: Wish, height: int) -> bool:
        voters = self.organizations(height)
        good = [party for party in voters if party in wish.approvals]
        good = [party for party in good if party not in self.suspended]
        manager = any(m in wish.approvals and m not in self.suspended for m in MANAGERS)
        return manager and len(good) >= quorum(len(voters))

    def settle(self, number: int, height: int, now_ms: int) -> bool:
        """Carry the proposal out if its vote is complete; False if that cannot be."""
        wish = self.wishes[number]
        if not self.is_complete(wish, height):
            return True
        is_change = wish.kind not in ("admit_observer", "dismiss_observer")
        if not self.can_be_carried(wish, height) or (is_change and self.awaited):
            return False
        if wish.kind == "admit_observer":
            self.status[wish.node] = "observer"
        elif wish.kind == "dismiss_observer":
            self.status[wish.node] = "dismissed"
            if self.awaited and wish.node in self.awaited.entering:
                self.wishes[self.awaited.number].status = "lapsed"
                self.awaited = None
        else:
            members = self.after(wish, height)
            assert members is not None
            entering = set(members) - set(self.members)
            self.awaited = Awaited(number, members, entering, now_ms + CONFIRM_MS)
        wish.status = "approved" if is_change else "decided"
        return True

    def confirm(self, node: str, number: int, height: int) -> bool:
        awaited = self.awaited
        if awaited is None or awaited.number != number or node not in awaited.members:
            return False
        if node in awaited.confirmed:
            return False
        awaited.confirmed.add(node)
        if len(awaited.confirmed) >= quorum(len(awaited.members)) and (
            awaited.entering <= awaited.confirmed
            and not any(self.party[node] in self.suspended for node in awaited.entering)
        ):
            self.decide(awaited, height)
        return True

    def decide(self, awaited: Awaited, height: int) -> None:
        wish = self.wishes[awaited.number]
        for node in awaited.entering:
            self.status[node] = "validator"
        for node in set(self.members) - set(awaited.members):
            self.status[node] = "dismissed" if wish.kind == "expel_validator" else "observer"
        self.before, self.members = self.members, awaited.members
        self.first_height = height + WINDOW + 1
        wish.status = "decided"
        self.awaited = None


class Reader:
    def __init__(self, council: Council) -> None:
        self.state = council.chain.state

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self.state.get((namespace, key))


class GovernanceMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    @initialize(grown=st.integers(0, 2))
    def begin(self, grown: int) -> None:
        """A committee of four, five or six: below five nobody can leave."""
        self.council = Council()
        self.model = Model()
        for node in sorted(OTHERS) if grown else ():
            self.admit("bureau", node, set())
        for _ in range(grown):
            self.change("add_validator", 0, 0, set(), set())

    # --- the next block, in which an act is made --------------------------------------------------

    @property
    def height(self) -> int:
        return self.council.chain.height + 1

    @property
    def now_ms(self) -> int:
        return self.council.chain.time_ms + 1

    def act(self, who: str, contract: str, method: str, *args: Value) -> bool:
        receipt = self.council.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        return receipt.status == Code.ok

    # --- proposals --------------------------------------------------------------------------------

    def enter(self, wish: Wish, method: str, *args: Value) -> None:
        model, height, now_ms = self.model, self.height, self.now_ms
        model.expire(now_ms)
        number = len(model.wishes)
        expected = model.may_vote(wish.proposer, height) and model.can_be_carried(wish, height)
        if expected:
            model.wishes.append(wish)
            if not model.settle(number, height, now_ms):
                model.wishes.pop()
                expected = False
        assert self.act(wish.proposer, "proposal", method, f"p{number}", *args, "why") is expected

    @rule(who=parties, node=nodes)
    def propose_observer(self, who: str, node: str) -> None:
        wish = Wish("admit_observer", node, "", who, self.now_ms + WEEK_MS, [who])
        party = self.model.party[node]
        self.enter(wish, "admit_observer", node, party, node_public(node), peer_of(node), "")

    @rule(who=parties, kind=st.sampled_from(KINDS), node=nodes, other=nodes, named=st.booleans())
    def propose(self, who: str, kind: str, node: str, other: str, named: bool) -> None:
        successor = other if named or kind == "replace_validator" else ""
        wish = Wish(kind, node, successor, who, self.now_ms + WEEK_MS, [who])
        self.enter(wish, "propose", kind, node, successor)

    @rule(who=parties, node=st.sampled_from(sorted(OTHERS)), absent=st.sets(parties, max_size=3))
    def admit(self, who: str, node: str, absent: set[str]) -> None:
        """Random votes rarely carry anything: here all who may and are not absent are for it."""
        self.propose_observer(who, node)
        self.approve_by_all(absent)

    @rule(
        kind=st.sampled_from(KINDS),
        seat=numbers,
        other=numbers,
        absent=st.sets(parties, max_size=3),
        away=st.none() | st.sets(nodes, max_size=3),
    )
    def change(
        self, kind: str, seat: int, other: int, absent: set[str], away: set[str] | None
    ) -> None:
        """A change of nodes that are what the kind needs, often to its end."""
        model = self.model
        observers = [name for name in NODES if model.status.get(name) == "observer"]
        member = model.members[seat % len(model.members)]
        observer = observers[other % len(observers)] if observers else member
        node = observer if kind in ("dismiss_observer", "add_validator") else member
        self.propose("bureau", kind, node, observer, named=False)
        self.approve_by_all(absent)
        if away is not None:
            self.confirm_by_all(away)
            self.order(WINDOW + 1)

    def approve_by_all(self, absent: set[str]) -> None:
        for party in PARTIES:
            if party not in absent:
                self.approve(party, len(self.model.wishes) - 1)

    @rule(who=parties, number=numbers)
    def approve(self, who: str, number: int) -> None:
        model, height, now_ms = self.model, self.height, self.now_ms
        model.expire(now_ms)
        expected = self.can_vote(who, number)
        if expected:
            wish = model.wishes[number]
            wish.approvals.append(who)
            if not model.settle(number, height, now_ms):
                wish.approvals.pop()
                expected = False
        assert self.act(who, "proposal", "approve", f"p{number}") is expected

    @rule(who=parties, number=numbers)
    def reject(self, who: str, number: int) -> None:
        model, height = self.model, self.height
        model.expire(self.now_ms)
        expected = self.can_vote(who, number)
        if expected:
            wish = model.wishes[number]
            wish.rejections.append(who)
            voters = model.organizations(height)
            left = [party for party in voters if party not in wish.rejections]
            if who in MANAGERS or len(left) < quorum(len(voters)):
                wish.status = "rejected"
        assert self.act(who, "proposal", "reject", f"p{number}", "no") is expected

    def can_vote(self, who: str, number: int) -> bool:
        if not 0 <= number < len(self.model.wishes):
            return False
        wish = self.model.wishes[number]
        voted = who in wish.approvals or who in wish.rejections
        return self.model.may_vote(who, self.height) and wish.status == "open" and not voted

    @rule(who=parties, number=numbers)
    def withdraw(self, who: str, number: int) -> None:
        model = self.model
        model.expire(self.now_ms)
        expected = model.may_vote(who, self.height) and number < len(model.wishes)
        if expected:
            wish = model.wishes[number]
            expected = wish.proposer == who and wish.status in ("open", "approved")
            if expected and model.awaited and model.awaited.number == number:
                model.awaited = None
            wish.status = "withdrawn" if expected else wish.status
        assert self.act(who, "proposal", "withdraw", f"p{number}") is expected

    # --- confirmations, time, suspensions ---------------------------------------------------------

    @rule(node=nodes, number=numbers)
    def confirm(self, node: str, number: int) -> None:
        height = self.height
        self.model.expire(self.now_ms)
        expected = self.model.confirm(node, number, height)
        receipt = self.council.node_act(node, "governance", "confirm", f"p{number}")
        assert (receipt.status == Code.ok) is expected, receipt.detail

    @rule(away=st.sets(nodes, max_size=3))
    def confirm_by_all(self, away: set[str]) -> None:
        if self.model.awaited:
            number = self.model.awaited.number
            for node in reversed(NODES):
                if node not in away:
                    self.confirm(node, number)

    @rule(time_ms=st.sampled_from([1000, CONFIRM_MS, WEEK_MS]))
    def wait(self, time_ms: int) -> None:
        self.council.chain.advance(time_ms=time_ms)

    @rule(blocks=st.sampled_from([1, WINDOW - 2, WINDOW + 1]))
    def order(self, blocks: int) -> None:
        self.council.chain.advance(height=blocks)

    @rule(party=st.sampled_from(["opco", "health", "board", "bank"]))
    def suspend_or_readmit(self, party: str) -> None:
        is_suspended = party in self.model.suspended
        method = "readmit" if is_suspended else "suspend"
        assert self.act("bureau", "parties", method, party, "audit")
        self.model.suspended ^= {party}

    # --- what must hold ---------------------------------------------------------------------------

    @invariant()
    def the_chain_says_what_the_model_says(self) -> None:
        model, council = self.model, self.council
        model.expire(council.now_ms)
        for number, wish in enumerate(model.wishes):
            assert council.status(f"p{number}") == wish.status, number
        shown = council.committee()
        assert shown["first_height"] == model.first_height
        assert council.members() == model.members
        serving = model.members if council.chain.height >= model.first_height else model.before
        assert council.members("serving") == serving

    @invariant()
    def a_node_reads_the_same_from_state(self) -> None:
        model, reader = self.model, Reader(self.council)
        model.expire(self.council.now_ms)
        decided = committee_of(reader)
        assert decided is not None
        assert decided.first_height == model.first_height
        assert [member.name for member in decided.validators.validators] == model.members
        known = {name: status for name, status in model.status.items() if status != "dismissed"}
        assert {node.name: node.status for node in nodes_of(reader)} == known
        for name in NODES:
            wanted: tuple[str, ...] = ()
            awaited = model.awaited
            if awaited and name in awaited.members and name not in awaited.confirmed:
                wanted = (f"p{awaited.number}",)
            key, now_ms = node_public(name), self.council.now_ms
            assert confirmations_awaited(reader, key, now_ms=now_ms) == wanted
            view = self.council.ask("bureau", "governance", "awaiting", account_of(name))
            assert view == list(wanted)

    @invariant()
    def a_committee_is_a_committee(self) -> None:
        decided = committee_of(Reader(self.council))
        assert decided is not None
        members = decided.validators.validators
        assert 4 <= len(members) <= 64
        for part in ("name", "public_key", "peer_id"):
            assert len({getattr(member, part) for member in members}) == len(members)


TestGovernance = pytest.mark.slow(GovernanceMachine.TestCase)
TestGovernance.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
