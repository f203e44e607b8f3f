"""The business seen as a council: nodes, proposals and confirmations, for tests of governance."""

from __future__ import annotations

from typing import TypeAlias

from contracts.vm.codes import Code, ViewRefused
from crypto import sm2
from ledger.certificates import VoteKind, vote_message
from ledger.encoding import encode
from ledger.genesis import Limits
from ledger.model import TAG_EXECUTION, ExecutionStatement, Receipt, address_of
from ledger.values import Value
from tests.business import (
    ORGANIZATIONS,
    Business,
    Fields,
    code_of,
    digest,
    node_private,
    node_public,
    peer_of,
)

WINDOW = Limits().watermark_window
CHAIN_ID = bytes(32)  # of contracts.vm.testing.Chain
FOUNDERS = tuple(f"node-{party}" for party in ORGANIZATIONS)
WEEK_MS = 7 * 24 * 3600 * 1000
CONFIRM_MS = 10 * 60 * 1000
Pair: TypeAlias = tuple[bytes, bytes, bytes, bytes]  # first, its signature, second, its signature


class Council(Business):
    """Four organizations run a node each; three of them and a manager decide."""

    def __init__(self) -> None:
        super().__init__()
        self._proposals = 0

    # --- nodes sign with their consensus keys -------------------------------------------------

    def node_act(self, node: str, contract: str, method: str, *args: Value) -> Receipt:
        assert Business.latest is self, "a later Business took the chain over"
        return self.chain.call(account_of(node), contract, method, *args)

    def node_refused(self, node: str, contract: str, method: str, *args: Value) -> str:
        receipt = self.node_act(node, contract, method, *args)
        assert receipt.status == Code.refused, (receipt.error, receipt.detail)
        return code_of(receipt.detail)

    def node_denied(self, node: str, contract: str, method: str, *args: Value) -> str:
        try:
            answer = self.chain.view(account_of(node), contract, method, *args)
        except ViewRefused as refusal:
            return code_of(refusal.detail)
        raise AssertionError(f"{node} was answered: {answer!r}")

    def confirm(self, node: str, proposal_id: str) -> list[str]:
        """A confirmation that must succeed; the names of its events."""
        receipt = self.node_act(node, "governance", "confirm", proposal_id)
        assert receipt.status == Code.ok, receipt.detail
        return [name for name, _ in self.chain.events(receipt)]

    # --- the way of a proposal ----------------------------------------------------------------

    def admission(self, node: str, party: str = "bank") -> list[Value]:
        """The arguments of proposal.admit_observer after the proposal's id."""
        return [node, party, node_public(node), peer_of(node), "/ip4/10.0.0.9/tcp/1", "grow"]

    def new_id(self) -> str:
        self._proposals += 1
        return f"proposal-{self._proposals}"

    def proposed(self, kind: str, node: str, successor: str = "", *, who: str = "bureau") -> str:
        proposal_id = self.new_id()
        self.do(who, "proposal", "propose", proposal_id, kind, node, successor, "because")
        return proposal_id

    def voted(self, kind: str, node: str, successor: str = "") -> str:
        """A proposal of the bureau, a manager, that so many organizations as needed are for."""
        proposal_id = self.proposed(kind, node, successor)
        self.carry(proposal_id)
        return proposal_id

    def carry(self, proposal_id: str) -> None:
        """Organizations approve, in order, until the vote is over."""
        parties = self.ask("bureau", "governance", "organizations")
        assert isinstance(parties, list)
        for who in parties:
            shown = self.proposal(proposal_id)
            approvals = shown["approvals"]
            assert isinstance(approvals, list)
            if shown["status"] == "open" and who not in approvals:
                self.do(str(who), "proposal", "approve", proposal_id)

    def admitted(self, node: str = "node-bank", party: str = "bank") -> str:
        """An observer that was voted in; its name."""
        proposal_id = self.new_id()
        self.do("bureau", "proposal", "admit_observer", proposal_id, *self.admission(node, party))
        self.carry(proposal_id)
        return node

    def passed(self, method: str, *args: Value) -> str:
        """A proposal of the bureau by this method that as many as needed are for."""
        proposal_id = self.new_id()
        self.do("bureau", "proposal", method, proposal_id, *args, "because")
        self.carry(proposal_id)
        return proposal_id

    def decided(self, kind: str, node: str, successor: str = "") -> str:
        """A change of the committee that all its members confirmed as far as they were needed."""
        proposal_id = self.voted(kind, node, successor)
        entering = {"add_validator": node, "replace_validator": successor}.get(kind)
        members = [*self.members(), *([entering] if entering else [])]
        for name in reversed([name for name in members if name != node or name == entering]):
            if self.status(proposal_id) == "decided":
                break
            self.confirm(name, proposal_id)
        assert self.status(proposal_id) == "decided"
        return proposal_id

    def settle(self) -> None:
        """Let blocks pass until the last change has taken effect."""
        first_height = self.committee()["first_height"]
        assert isinstance(first_height, int)
        self.chain.advance(height=max(0, first_height - self.chain.height - 1))

    # --- looking ------------------------------------------------------------------------------

    def committee(self) -> Fields:
        return self.ask_record("bureau", "governance", "committee")

    def members(self, which: str = "members") -> list[str]:
        return names_in(self.committee()[which])

    def node(self, name: str) -> Fields:
        return self.ask_record("bureau", "governance", "node", name)

    def nodes(self) -> list[str]:
        return names_in(self.ask("bureau", "governance", "nodes"))

    def proposal(self, proposal_id: str) -> Fields:
        return self.ask_record("bureau", "proposal", "show", proposal_id)

    def status(self, proposal_id: str) -> Value:
        return self.proposal(proposal_id)["status"]


class Reader:
    """The state of a council's chain, as nodes read it."""

    def __init__(self, council: Council) -> None:
        self.state = council.chain.state

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self.state.get((namespace, key))


def account_of(node: str) -> str:
    """The account of a node's consensus key."""
    return address_of(node_public(node))


def names_in(records: Value) -> list[str]:
    assert isinstance(records, list)
    return [str(record["name"]) for record in records if isinstance(record, dict)]


# --- contradictory messages ---------------------------------------------------------------------


def vote(
    kind: VoteKind = VoteKind.PREPARE,
    *,
    view: int = 3,
    height: int = 300,
    proposal: str = "a",
    chain_id: bytes = CHAIN_ID,
) -> bytes:
    return vote_message(kind, chain_id, view, height, digest(proposal))


def statement(
    *, height: int = 300, root: str = "a", time_ms: int = 5, chain_id: bytes = CHAIN_ID
) -> bytes:
    roots = (digest("block"), digest(root), digest("receipts"), digest("validators"))
    return TAG_EXECUTION + encode(ExecutionStatement(chain_id, height, *roots, time_ms))


def signed(node: str, first: bytes, second: bytes) -> Pair:
    private = node_private(node)
    return first, sm2.sign(private, first), second, sm2.sign(private, second)
