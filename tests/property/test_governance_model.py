"""Random acts on the contracts of governance, against a plain model of what they must do.

After every act the chain must say what the model (tests/governance_model.py) says, and the
invariants must hold: of any committee, of votes on what is guarded, and that whoever keeps the
chain alive can always change what votes need.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.parameters import term_at, terms_of
from contracts.registry import committee_of, confirmations_awaited, nodes_of
from contracts.vm.codes import Code
from contracts.vm.engine_schedule import schedule_of
from contracts.vm.features import LATEST
from ledger.genesis import Limits
from ledger.values import Value
from tests.business import HOUR_MS, ORGANIZATIONS, STRANGER, node_public, peer_of
from tests.council import CONFIRM_MS, WEEK_MS, WINDOW, Council, Reader, account_of
from tests.governance_model import (
    FIXED,
    GUARDED,
    KINDS,
    MANAGERS,
    NODES,
    OTHERS,
    Model,
    Policy,
    Wish,
    quorum,
)
from tests.pinned import run_pinned

PARTIES = (*ORGANIZATIONS, "board", "bank", "civil", "rival")
OF_NODES = ("dismiss_observer", "add_validator", "remove_validator", "expel_validator",
            "replace_validator")  # fmt: skip
FIGURES = [("time_skew_ms_max", 4000), ("time_skew_ms_max", 9000), ("time_skew_ms_max", 30_001),
           ("heartbeat_ms", 1000), ("heartbeat_ms", 60_001), ("transaction_gas_max", 80_000_000),
           ("block_gas_max", 60_000_000), ("block_gas_max", 800_000_000), ("valid_window", 60),
           ]  # fmt: skip
ENGINES = [
    (language, f"shuxin-vm/{language}+cpython-3.11+{number:016x}")
    for language, number in ((LATEST - 1, 1), (LATEST, 1), (LATEST, 2), (LATEST + 1, 1))
]

parties = st.sampled_from(PARTIES)
nodes = st.sampled_from(NODES)
back = st.integers(0, 4)  # 0 is the last proposal
leads = st.sampled_from([0, WINDOW, WINDOW + 1, 3 * WINDOW, 500])  # heights from now; 0: as is
# Who does not vote on a proposal at once; None: nobody votes yet.
absences = st.none() | st.sets(parties, max_size=2)
policies = st.builds(
    Policy,
    managers=st.integers(0, 3),
    share=st.sampled_from([0, 0, 1, 34, 50, 76, 100]),
    has_veto=st.booleans(),
    term_ms=st.sampled_from([HOUR_MS - 1, HOUR_MS, WEEK_MS, WEEK_MS]),
)


class GovernanceMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    decided: ClassVar[Counter[str]] = Counter()  # proposals that came true, by kind
    done: ClassVar[Counter[tuple[str, bool]]] = Counter()  # method, did it succeed?

    @initialize(grown=st.integers(0, 3))
    def begin(self, grown: int) -> None:
        """A committee of four to seven: below five nobody can leave."""
        self.council = Council()
        self.model = Model((LATEST, schedule_of(Reader(self.council)).terms[0].vm_version))
        for node in sorted(OTHERS) if grown else ():
            self.admit("bureau", node, set())
        for _ in range(grown):
            self.change("add_validator", 0, 0, set(), set())

    def teardown(self) -> None:
        if hasattr(self, "model"):
            GovernanceMachine.decided += self.model.decided

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
        is_done = receipt.status == Code.ok
        GovernanceMachine.done[method, is_done] += 1
        return is_done

    # --- proposals --------------------------------------------------------------------------------

    def enter(self, wish: Wish, method: str, *args: Value) -> None:
        model, height, now_ms = self.model, self.height, self.now_ms
        model.expire(now_ms)
        number = len(model.wishes)
        wish.expires_ms = now_ms + model.policy(wish.kind).term_ms
        wish.approvals.append(wish.proposer)
        expected = model.may_vote(wish.proposer, height) and model.can_be(wish, height)
        if expected:
            wish.about = model.about(wish)
            model.wishes.append(wish)
            if not model.settle(number, height, now_ms):
                model.wishes.pop()
                expected = False
        assert self.act(wish.proposer, "proposal", method, f"p{number}", *args, "why") is expected
        if expected:
            self.is_as_guarded(number)

    def is_as_guarded(self, number: int) -> None:
        """What no policy hands to fewer was decided by a manager and a quorum in good standing."""
        shown = self.council.proposal(f"p{number}")
        if shown["status"] not in ("approved", "decided") or shown["kind"] not in GUARDED:
            return
        approvals, voters = shown["approvals"], self.council.ask("bank", "governance",
                                                                 "organizations")  # fmt: skip
        assert isinstance(approvals, list) and isinstance(voters, list)
        good = [party for party in approvals if party not in self.model.suspended]
        assert any(party in MANAGERS for party in good)
        assert sum(1 for party in voters if party in good) >= quorum(len(voters))

    @rule(who=parties, node=nodes)
    def propose_observer(self, who: str, node: str) -> None:
        party = self.model.party[node]
        words: list[Value] = [node, party, node_public(node), peer_of(node), ""]
        self.enter(Wish("admit_observer", who, node=node), "admit_observer", *words)

    @rule(who=parties, kind=st.sampled_from(OF_NODES), node=nodes, other=nodes, named=st.booleans())
    def propose(self, who: str, kind: str, node: str, other: str, named: bool) -> None:
        successor = other if named or kind == "replace_validator" else ""
        wish = Wish(kind, who, node=node, successor=successor)
        self.enter(wish, "propose", kind, node, successor)

    @rule(who=parties, node=st.sampled_from(sorted(OTHERS)), absent=st.sets(parties, max_size=3))
    def admit(self, who: str, node: str, absent: set[str]) -> None:
        """Random votes rarely carry anything: here all who may and are not absent are for it."""
        self.propose_observer(who, node)
        self.approve_by_all(absent)

    @rule(
        kind=st.sampled_from((*OF_NODES, "add_validator", "remove_validator")),
        seat=st.integers(0, 11),
        other=st.integers(0, 11),
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

    @rule(
        who=parties,
        values=st.lists(st.sampled_from(FIGURES), min_size=1, max_size=2),
        lead=leads,
        absent=absences,
    )
    def change_parameters(
        self, who: str, values: list[tuple[str, int]], lead: int, absent: set[str] | None
    ) -> None:
        height = self.height + lead if lead else 0
        wish = Wish("change_parameters", who, values=tuple(values), height=height)
        words: list[Value] = [[name, value] for name, value in values]
        self.enter(wish, "change_parameters", words, height)
        self.approve_by_all(absent)

    @rule(who=parties, first=st.booleans(), off=st.sampled_from([0, 0, 0, 1]), absent=absences)
    def cancel_parameters(self, who: str, first: bool, off: int, absent: set[str] | None) -> None:
        if first:
            self.change_parameters("bureau", [FIGURES[0]], 500, set())
        height = self.model.parameters.terms[-1][0] + off
        self.enter(Wish("cancel_parameters", who, height=height), "cancel_parameters", height)
        self.approve_by_all(absent)

    @rule(who=parties, engine=st.sampled_from(ENGINES), lead=leads, absent=absences)
    def change_engine(
        self, who: str, engine: tuple[int, str], lead: int, absent: set[str] | None
    ) -> None:
        height = self.height + lead
        wish = Wish("change_engine", who, engine=engine, height=height)
        self.enter(wish, "change_engine", engine[1], height)
        self.approve_by_all(absent)

    @rule(who=parties, first=st.booleans(), off=st.sampled_from([0, 0, 0, 1]), absent=absences)
    def cancel_engine(self, who: str, first: bool, off: int, absent: set[str] | None) -> None:
        if first:
            self.change_engine("bureau", ENGINES[-1], 500, set())
        height = self.model.engines[-1][0] + off
        self.enter(Wish("cancel_engine", who, height=height), "cancel_engine", height)
        self.approve_by_all(absent)

    @rule(
        who=parties,
        name=st.sampled_from(["grant_channels", "loyalty"]),
        on=st.booleans(),
        lead=leads,
        absent=absences,
    )
    def switch_feature(
        self, who: str, name: str, on: bool, lead: int, absent: set[str] | None
    ) -> None:
        height = self.height + lead if lead else 0
        wish = Wish("switch_feature", who, subject=name, on=on, height=height)
        self.enter(wish, "switch_feature", name, on, height)
        self.approve_by_all(absent)

    @rule(
        who=parties,
        name=st.sampled_from(["grant_channels", "loyalty"]),
        first=st.booleans(),
        absent=absences,
    )
    def cancel_feature(self, who: str, name: str, first: bool, absent: set[str] | None) -> None:
        if first:
            is_on = self.model.features.is_on(name, self.height)
            self.switch_feature("bureau", name, not is_on, 500, set())
        self.enter(Wish("cancel_feature", who, subject=name), "cancel_feature", name)
        self.approve_by_all(absent)

    @rule(who=parties, kind=st.sampled_from(KINDS), policy=policies, absent=absences)
    def change_policy(self, who: str, kind: str, policy: Policy, absent: set[str] | None) -> None:
        wish = Wish("change_policy", who, subject=kind, policy=policy)
        words: list[Value] = [policy.managers, policy.share, policy.has_veto, policy.term_ms]
        self.enter(wish, "change_policy", kind, *words)
        self.approve_by_all(absent)

    @rule(kind=st.sampled_from([kind for kind in KINDS if kind != FIXED]))
    def nobody_is_locked_out(self, kind: str) -> None:
        """Whatever the policies ask: a manager and a quorum of who orders change any of them."""
        voters = self.model.organizations(self.height)
        self.change_policy("bureau", kind, Policy(), set())
        willing = [party for party in voters if party not in self.model.suspended]
        if len(willing) >= quorum(len(voters)):
            assert self.model.wishes[-1].status == "decided"
            shown = self.council.ask_record(STRANGER, "policy", "show", kind)
            assert (shown["managers"], shown["share"]) == (1, 0)

    def approve_by_all(self, absent: set[str] | None) -> None:
        for party in PARTIES:
            if absent is not None and party not in absent:
                self.approve(party, 0)

    @rule(who=parties, past=back)
    def approve(self, who: str, past: int) -> None:
        model, height, now_ms = self.model, self.height, self.now_ms
        model.expire(now_ms)
        number = self.number(past)
        expected = self.can_vote(who, number)
        if expected:
            wish = model.wishes[number]
            wish.approvals.append(who)
            if not model.settle(number, height, now_ms):
                wish.approvals.pop()
                expected = False
        assert self.act(who, "proposal", "approve", f"p{number}") is expected
        if expected:
            self.is_as_guarded(number)

    @rule(who=parties, past=back)
    def reject(self, who: str, past: int) -> None:
        model, height = self.model, self.height
        model.expire(self.now_ms)
        number = self.number(past)
        expected = self.can_vote(who, number)
        if expected:
            model.reject(model.wishes[number], who, height)
        assert self.act(who, "proposal", "reject", f"p{number}", "no") is expected

    def number(self, past: int) -> int:
        """Of the proposal so many before the last one; there may be none such."""
        return len(self.model.wishes) - 1 - past

    def can_vote(self, who: str, number: int) -> bool:
        if number < 0:
            return False
        wish = self.model.wishes[number]
        voted = who in wish.approvals or who in wish.rejections
        return self.model.may_vote(who, self.height) and wish.status == "open" and not voted

    @rule(who=parties, past=back, is_own=st.booleans())
    def withdraw(self, who: str, past: int, is_own: bool) -> None:
        """By anybody, or by the party that proposed it."""
        model, number = self.model, self.number(past)
        model.expire(self.now_ms)
        wish = model.wishes[number] if number >= 0 else None
        if wish is not None and is_own:
            who = wish.proposer
        expected = model.may_vote(who, self.height)
        if wish is None or wish.proposer != who or wish.status not in ("open", "approved"):
            expected = False
        elif expected:
            if model.awaited and model.awaited.number == number:
                model.awaited = None
            wish.status = "withdrawn"
        assert self.act(who, "proposal", "withdraw", f"p{number}") is expected

    # --- confirmations, addresses, time, suspensions ----------------------------------------------

    @rule(node=nodes, past=back)
    def confirm(self, node: str, past: int) -> None:
        height, number = self.height, self.number(past)
        self.model.expire(self.now_ms)
        expected = self.model.confirm(node, number, height)
        receipt = self.council.node_act(node, "governance", "confirm", f"p{number}")
        assert (receipt.status == Code.ok) is expected, receipt.detail

    @rule(away=st.sets(nodes, max_size=3))
    def confirm_by_all(self, away: set[str]) -> None:
        if self.model.awaited:
            past = len(self.model.wishes) - 1 - self.model.awaited.number
            for node in reversed(NODES):
                if node not in away:
                    self.confirm(node, past)

    @rule(
        who=parties, node=nodes, address=st.sampled_from(["", "/ip4/10.0.0.1/tcp/1", "10.0.0.1:1"])
    )
    def set_address(self, who: str, node: str, address: str) -> None:
        """By its party; nobody else says where a node listens."""
        model = self.model
        owner = model.party[node]
        for party in (who, owner):
            expected = party == owner and party not in model.suspended
            expected = expected and model.status.get(node, "dismissed") != "dismissed"
            expected = expected and address[:1] in ("", "/")
            if expected:
                model.address[node] = address
            assert self.act(party, "governance", "set_address", node, address) is expected

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
        page = council.ask("bureau", "proposal", "list", 0, 100)
        assert isinstance(page, list)
        told = [(row["kind"], row["status"]) for row in page if isinstance(row, dict)]
        assert told == [(wish.kind, wish.status) for wish in model.wishes][:100]
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
        known = {
            name: (status, model.address[name])
            for name, status in model.status.items()
            if status != "dismissed"
        }
        assert {node.name: (node.status, node.address) for node in nodes_of(reader)} == known
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

    @invariant()
    def engines_and_parameters_hold_at_the_heights_that_were_decided(self) -> None:
        model, council, height = self.model, self.council, self.council.chain.height
        reader, parameters = Reader(council), model.parameters
        schedule = [(term.from_height, term.vm_version) for term in schedule_of(reader).terms]
        assert schedule == [(begun, name) for begun, (_language, name) in model.engines]
        terms = terms_of(reader)
        for when in (height, height + WINDOW, height + WINDOW + 1, height + 1000):
            term = term_at(terms, when)
            assert term is not None
            assert term.limits(Limits()) == Limits(**parameters.at(when))
        figures = council.ask(STRANGER, "parameter", "list", 0, 100)
        assert isinstance(figures, list)
        shown = {row["name"]: row["value"] for row in figures if isinstance(row, dict)}
        assert shown == parameters.at(height)
        changes = council.ask(STRANGER, "parameter", "history", 0, 100)
        assert isinstance(changes, list)
        stati = [row["status"] for row in changes if isinstance(row, dict)]
        assert stati == parameters.history(height)

    @invariant()
    def features_and_policies_are_as_they_were_decided(self) -> None:
        model, council, height = self.model, self.council, self.council.chain.height
        for name in ("grant_channels", "loyalty", "sealed_evidence"):
            is_on = council.ask(STRANGER, "feature", "is_on", name)
            assert is_on is model.features.is_on(name, height)
        page = council.ask(STRANGER, "policy", "list", 0, 100)
        assert isinstance(page, list)
        for row in page:
            assert isinstance(row, dict)
            policy = model.policy(str(row["kind"]))
            shown = [row[name] for name in ("managers", "share", "has_veto", "term_ms")]
            assert shown == [policy.managers, policy.share, policy.has_veto, policy.term_ms]
            assert row["is_guarded"] or row["kind"] not in GUARDED


@pytest.mark.slow
def test_governance_does_what_the_model_says() -> None:
    """Every kind must have been decided, and every act taken and refused, often enough for this to
    mean anything; so the draws are the same each time."""
    GovernanceMachine.decided.clear()
    GovernanceMachine.done.clear()
    run_pinned(GovernanceMachine, examples=120, steps=40)
    assert [kind for kind in KINDS if not GovernanceMachine.decided[kind]] == []
    done = GovernanceMachine.done
    methods = {method for method, _is_done in done} - {"suspend", "readmit"}
    for method in methods:
        assert done[method, True] and done[method, False], method
    assert len(methods) == 13, sorted(methods)
