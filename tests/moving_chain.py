"""A chain whose committee changes, without nodes: real keys, contracts, blocks and certificates.

Only the agreement is by fiat: whoever is in the committee signs what is made here. So a ledger
of forty blocks takes seconds, and what audits, proves and serves ledgers can be tested on it.
"""

from __future__ import annotations

import copy
import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from client.account import Account
from client.build import build_transaction
from contracts.bundle import genesis_contracts
from contracts.vm.version import VM_VERSION
from crypto import sm2
from crypto.provider import CryptoProvider
from crypto.providers.software import SoftwareProvider
from ledger.blocks import proposal_of
from ledger.certificates import VoteKind, vote_message
from ledger.genesis import Genesis, GenesisParty, Limits, chain_id, save_genesis
from ledger.history.database import History
from ledger.model import (
    Block,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    Query,
    Receipt,
    Signature,
    Transaction,
    Validator,
    ValidatorSet,
    execution_message,
    proposal_digest,
    transaction_id,
)
from ledger.store import Store
from ledger.values import Value
from node.announce import Announcer
from node.api.backend import EngineState, Situation, Viewed
from node.api.levels import LEVELS, Level
from node.api.porter import Porter
from node.api.server import ApiServer
from node.bootstrap import LEDGER
from node.execute import ChainRules, Executor
from node.growth import Growth
from node.intake import Rules
from node.mempool import Admitted
from p2p.identity import generate_seed, peer_id_of
from tests.access_world import porter
from tests.node_world import OpenEngine

TIME_MS = 1_700_000_000_000
WINDOW = 4
VALID_WINDOW = 16  # as short as the heights that a ledger checks anyway: most of it can be pruned


LIMITS = Limits(watermark_window=WINDOW, valid_window=VALID_WINDOW)


class Chain:
    """Parties p0, p1, ... run a node each, of which the first four are the first committee."""

    def __init__(
        self,
        root: Path,
        *,
        size: int = 6,
        vm_version: str = VM_VERSION,
        roots: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        self.root = root
        self.data = root / "data"
        self.manager = Account(SoftwareProvider(sm2.generate()))
        self.voices = [Account(SoftwareProvider(sm2.generate())) for _ in range(size)]
        self._private = [sm2.generate() for _ in range(size)]
        self.nodes = tuple(
            Validator(f"node{index}", f"p{index}", sm2.public_key(private), peer_id)
            for index, private in enumerate(self._private)
            for peer_id in [peer_id_of(generate_seed())]
        )
        self.roots = tuple(roots)  # of organizations: party and DER
        self.genesis = self._genesis(vm_version)
        self.chain_id = chain_id(self.genesis)
        save_genesis(self.genesis, root / "genesis.json")
        engine = OpenEngine()
        writes = engine.apply_genesis(self.genesis).writes
        self.data.mkdir()
        self.store = Store.create(self.data / LEDGER, self.genesis, writes)
        self._executor = Executor(
            self.store, engine, ChainRules(self.chain_id, self.genesis.limits)
        )
        self._numbers = itertools.count()

    def forked(self, data: Path) -> Chain:
        """The same chain up to here, on a copy of its ledger: what both do from now on differs."""
        shutil.copytree(self.data, data)
        other = copy.copy(self)
        other.data, other.store = data, Store.open(data / LEDGER)
        rules = ChainRules(self.chain_id, self.genesis.limits)
        other._executor = Executor(other.store, OpenEngine(), rules)
        return other

    def _genesis(self, vm_version: str) -> Genesis:
        validators, limits = ValidatorSet(self.nodes[:4]), LIMITS
        parties = (
            GenesisParty("bureau", "Bureau", ("manager",), (self.manager.address,)),
            *(
                GenesisParty(f"p{index}", f"Party {index}", ("supplier",), (voice.address,))
                for index, voice in enumerate(self.voices)
            ),
        )
        return Genesis(
            version=1,
            name="moving",
            time_ms=TIME_MS,
            validators=validators,
            parties=parties,
            contracts=genesis_contracts(
                parties, validators=validators, limits=limits, roots=self.roots
            ),
            limits=limits,
            vm_version=vm_version,
        )

    # --- blocks -------------------------------------------------------------------------------

    def include(self, *transactions: Transaction) -> int:
        """The next block, ordered, executed and certified; all of it must succeed."""
        receipts = self.attempt(*transactions)
        assert all(receipt.status == 0 for receipt in receipts), receipts
        return self.store.height

    def attempt(self, *transactions: Transaction) -> tuple[Receipt, ...]:
        """The next block, whatever comes of the transactions in it."""
        height = self.store.height + 1
        bodies = {bytes(transaction_id(transaction)): transaction for transaction in transactions}
        validators = self.committee(height)
        proposal = Proposal(
            height, tuple(sorted(bodies)), height % validators.size, TIME_MS + 1000 * height
        )
        certificate = self.ordered(proposal, validators)
        _, statement = self._executor.deliver(proposal, certificate, bodies)
        self.store.certify(self.certified(statement, validators))
        return tuple(self.store.receipts(height))

    def committee(self, height: int) -> ValidatorSet:
        return self.store.epochs.at(height).validators

    def ordered(self, proposal: Proposal, validators: ValidatorSet) -> CommitCertificate:
        height, digest = proposal.height, proposal_digest(proposal)
        message = vote_message(VoteKind.COMMIT, self.chain_id, 0, height, digest)
        return CommitCertificate(0, height, digest, self._signed(message, validators))

    def reordered(self, block: Block, validators: ValidatorSet) -> CommitCertificate:
        """The certificate of a block, as another committee would make it."""
        return self.ordered(proposal_of(block), validators)

    def certified(
        self, statement: ExecutionStatement, validators: ValidatorSet
    ) -> ExecutionCertificate:
        message = execution_message(statement)
        return ExecutionCertificate(statement, self._signed(message, validators))

    def _signed(self, message: bytes, validators: ValidatorSet) -> tuple[Signature, ...]:
        """By a quorum, the last members of the committee: those who came last among them."""
        first = validators.size - validators.quorum
        return tuple(
            Signature(index, sm2.sign(self._private[self.nodes.index(member)], message))
            for index, member in enumerate(validators.validators)
            if index >= first
        )

    # --- calls --------------------------------------------------------------------------------

    def act(
        self,
        account: Account,
        contract: str,
        method: str,
        *args: Value,
        gas_limit: int | None = None,
    ) -> Transaction:
        """A signed call, not yet in a block."""
        return build_transaction(
            account,
            chain_id=self.chain_id,
            valid_until=self.store.height + VALID_WINDOW,
            contract=contract,
            method=method,
            args=args,
            gas_limit=gas_limit,
        )

    def record(self, evidence_id: str) -> bytes:
        """A block with a record of evidence of the party p0; the id of its transaction."""
        transaction = self.act(
            self.voices[0],
            *("evidence", "record", evidence_id, "delivery.sent", "model-7", bytes(32), ""),
        )
        self.include(transaction)
        return bytes(transaction_id(transaction))

    def grow_to(self, height: int) -> None:
        while self.store.height < height:
            self.record(f"filler-{self.store.height}")

    # --- the committee ------------------------------------------------------------------------

    def admit(self, index: int) -> None:
        node = self.nodes[index]
        self._approved(
            *("admit_observer", node.name, node.party, node.public_key, node.peer_id, "", "why not")
        )

    def decide(self, kind: str, index: int, successor: int | None = None) -> int:
        """Change the committee; the height of the block that decides it."""
        name = "" if successor is None else self.nodes[successor].name
        proposal = self._approved("propose", kind, self.nodes[index].name, name, "why not")
        members = list(self.store.epochs.newest.validators.validators)
        match kind:
            case "add_validator":
                members.append(self.nodes[index])
            case "remove_validator":
                members.remove(self.nodes[index])
            case _:
                assert successor is not None
                members[members.index(self.nodes[index])] = self.nodes[successor]
        after = ValidatorSet(tuple(members))
        entering = [m for m in members if m not in self.store.epochs.newest.validators.validators]
        confirming = (entering + [m for m in members if m not in entering])[: after.quorum]
        height = self.include(
            *(
                self.act(self._node_account(member), "governance", "confirm", proposal)
                for member in confirming
            )
        )
        assert self.store.epochs.newest.validators == after
        return height

    def change_engine(self, vm_version: str, *, after: int = 2) -> int:
        """Have another engine decided on; its first height, `after` blocks beyond the earliest."""
        from_height = self.store.height + 2 + WINDOW + 1 + after
        self._approved("change_engine", vm_version, from_height, "why not")
        return from_height

    def change_parameters(self, *values: tuple[str, int], not_before: int = 0) -> int:
        """Have limits of the chain decided on; the first height of them."""
        changes: list[Value] = [list(value) for value in values]
        self._approved("change_parameters", changes, not_before, "why not")
        return max(not_before, self.store.height + WINDOW + 1)

    def cancel_parameters(self, from_height: int) -> None:
        self._approved("cancel_parameters", from_height, "why not")

    def _approved(self, method: str, *args: Value) -> str:
        """A proposal of the manager, and a block in which as many as it takes approve it."""
        proposal = f"proposal-{next(self._numbers)}"
        self.include(self.act(self.manager, "proposal", method, proposal, *args))
        committee = self.committee(self.store.height + 1)
        voting = [self.voices[self.nodes.index(m)] for m in committee.validators]
        self.include(
            *(
                self.act(voice, "proposal", "approve", proposal)
                for voice in voting[: committee.quorum]
            )
        )
        return proposal

    def _node_account(self, member: Validator) -> Account:
        return Account(SoftwareProvider(self._private[self.nodes.index(member)]))


@dataclass(frozen=True, slots=True)
class Moving:
    """A chain and the heights where its committee changed, or will."""

    chain: Chain
    first_base: int
    second_base: int
    coming_base: int
    head: int
    transactions: tuple[bytes, bytes, bytes]  # one of each committee


HEAD_AT_LEAST = 40  # so that opening the ledger, which checks 16 blocks, does not look at all


def grow_moving(chain: Chain) -> Moving:
    """Four become five, one of whom is replaced; that one will leave is decided at the end."""
    early = chain.record("early")
    chain.admit(4)
    first = chain.decide("add_validator", 4) + WINDOW
    chain.grow_to(first)
    middle = chain.record("middle")
    chain.admit(5)
    second = chain.decide("replace_validator", 1, successor=5) + WINDOW
    chain.grow_to(second)
    late = chain.record("late")
    chain.grow_to(HEAD_AT_LEAST - 3)
    coming = chain.decide("remove_validator", 4) + WINDOW
    return Moving(chain, first, second, coming, chain.store.height, (early, middle, late))


# --- the chain, served to clients -------------------------------------------------------------


class Served:
    """What the client interface needs of a node that only answers. A Backend."""

    threads = 2
    subscribers_max = 1
    history: History | None = None

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.store: Store = chain.store
        self.genesis: Genesis = chain.genesis
        self.rules = Rules(chain.chain_id, chain.genesis.limits)
        self.provider: CryptoProvider = SoftwareProvider(sm2.generate())
        self.announcer = Announcer(chain.store.certified_height)

    def check_readable(self) -> None:
        """Always."""

    def check_open(self) -> NoReturn:
        raise NotImplementedError

    def hold(self, items: Sequence[Admitted]) -> list[bool]:
        raise NotImplementedError

    def is_held(self, transaction_id: bytes) -> bool:
        return False

    def has_expired(self, transaction_id: bytes) -> bool:
        return False

    def view(self, query: Query) -> Viewed:
        raise NotImplementedError

    def situation(self) -> Situation:
        epoch = self.store.current_epoch
        size = epoch.validators.size
        state = EngineState(VM_VERSION, "", 0, 0)
        growth = Growth(self.store.base, 0, 0, {}, 0, 0, 0, None, "")
        return Situation(
            "served", None, epoch.base, size, 0, 0, "observing", 0, (), 0, state, (), False, growth
        )


@contextmanager
def served(chain: Chain, *, let_in: Porter | None = None) -> Iterator[str]:
    """host:port of the client interface over the chain's ledger, which answers everybody: what
    it says is to be proved, not who asks."""
    everybody = dict.fromkeys(LEVELS, frozenset({Level.PUBLIC}))
    server = ApiServer(
        Served(chain), listen="127.0.0.1:0", porter=let_in or porter(), levels=everybody
    )
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop()
