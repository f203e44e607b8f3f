"""A consortium on an in-memory chain, for scenarios: real contracts, keys, data sets, documents.

Only nodes and executors are missing. `ChainNode` answers as a node does; what executors would do
a test does with the suppliers' accounts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Self

import msgspec

from client.account import Account
from client.errors import Refused
from client.node import ChainEvent, NodeClient, Outcome
from client.session import Session
from client.status import EngineStatus, GrowthStatus, NodeStatus
from contracts.bundle import init_args, system_sources
from contracts.vm.codes import ViewRefused
from contracts.vm.state import StateKey
from contracts.vm.testing import Chain
from contracts.vm.version import VM_VERSION
from crypto import sm2, sm3
from crypto.keys import key_to_pem
from crypto.providers.software import SoftwareProvider
from executors.builtin import built_in
from executors.mpc.program import decode_program
from ledger.encoding import decode
from ledger.genesis import GenesisParty, Limits
from ledger.model import (
    Event,
    Transaction,
    TransactionBody,
    Validator,
    ValidatorSet,
    address_of,
    transaction_id,
)
from ledger.values import Value, decode_value
from node.keys import write_private
from scenarios.cast import cast_of
from scenarios.comparison import pooled_results
from scenarios.consortium import DOCUMENTS, Consortium, Member, NodePlace
from scenarios.joint import Plot, stages
from scenarios.record import Kind, Stage, Step, TableRecord
from scenarios.script import Script
from scenarios.sheet import Sheet
from tests.output_shares import sealed_results

ROLES = {
    "manager": "manager",
    "operator": "operator",
    "supplier-a": "supplier",
    "supplier-b": "supplier",
    "supplier-c": "supplier",
    "consumer": "consumer",
    "tech": "tech_provider",
}
PASSPHRASE = b"of a test"


class ChainNode(NodeClient):
    """A node whose chain is in memory: what is handed in is in a block of its own at once."""

    def __init__(self, chain: Chain) -> None:
        self.target = "in memory"
        self.chain = chain
        self.before_events: Callable[[], None] = lambda: None
        self._outcomes: dict[bytes, Outcome] = {}
        self._events: list[ChainEvent] = []

    @property
    def chain_id(self) -> bytes:
        return bytes(32)

    def status(self) -> NodeStatus:
        root = bytes(32)
        return NodeStatus(
            name="node0",
            version="",
            chain_id=self.chain_id,
            height=self.chain.height,
            certified_height=self.chain.height,
            block_hash=root,
            state_root=root,
            view=0,
            primary=0,
            index=0,
            is_observer=False,
            epoch=0,
            validators=4,
            mempool_transactions=0,
            time_ms=self.chain.time_ms,
            resident_bytes=0,
            phase="ordering",
            peers=(),
            engine=EngineStatus(VM_VERSION, "", 0, 0),
            jail=(),
            is_jailed=False,
            growth=GrowthStatus(),
        )

    def submit(self, transaction: Transaction) -> bytes:
        data = transaction.body
        body = decode(data, TransactionBody, size_max=len(data))
        wanted = transaction_id(transaction)
        args = decode_value(body.args)
        assert isinstance(args, list)
        receipt = self.chain.call(address_of(body.sender), body.contract, body.method, *args)
        receipt = msgspec.structs.replace(receipt, transaction_id=wanted)
        height = self.chain.height
        self._outcomes[wanted] = Outcome(transaction, receipt, height, 0, None)
        for index, event in enumerate(receipt.events):
            self._events.append(_chain_event(event, height, index, wanted, self.chain.time_ms))
        return wanted

    def wait(self, wanted: bytes, *, timeout_s: float = 30.0, proof: bool = False) -> Outcome:
        return self._outcomes[wanted]

    def transaction(self, wanted: bytes, *, proof: bool = True) -> Outcome:
        return self._outcomes[wanted]

    def view(self, account: Account, contract: str, method: str, *args: Value) -> Value:
        try:
            return self.chain.view(account.address, contract, method, *args)
        except ViewRefused as refusal:
            raise Refused(str(refusal.code), refusal.detail) from None

    def events(
        self, *, from_height: int = 0, from_index: int = 0, contract: str = "", name: str = ""
    ) -> Generator[ChainEvent, None, None]:
        """What has happened; unlike a node's, this stream ends."""
        self.before_events()
        for event in list(self._events):
            if event.height >= from_height and contract in ("", event.contract):
                yield event


def _chain_event(event: Event, height: int, index: int, wanted: bytes, time_ms: int) -> ChainEvent:
    fields = {name: decode_value(value) for name, value in event.fields}
    return ChainEvent(height, index, wanted, event.contract, event.name, fields, time_ms)


@cache
def _deployed() -> tuple[Chain, dict[str, bytes], dict[StateKey, bytes]]:
    """One chain with all contracts compiled, the keys of its parties, and its first state."""
    chain = Chain(time_ms=time.time_ns() // 1_000_000)
    keys = {party: sm2.generate() for party in ROLES}
    genesis = [
        GenesisParty(party, party.title(), (role,), (address_of(sm2.public_key(keys[party])),))
        for party, role in ROLES.items()
    ]
    node = Validator("node", next(iter(ROLES)), bytes(64), "peer")
    args = init_args(
        genesis,
        validators=ValidatorSet((node,)),
        limits=Limits(),
        algorithms=[("tech", algorithm) for algorithm in built_in()],
    )
    for name, source in system_sources():
        receipt = chain.deploy(name, source, args.get(name, []))
        assert receipt.status == 0, (name, receipt.detail)
    return chain, keys, dict(chain.state)


def consortium(root: Path) -> Consortium:
    """Parties of all the roles a scenario needs, on a chain as it is after its genesis.

    There is one such chain: a later consortium takes it from an earlier one.
    """
    chain, keys, beginning = _deployed()
    chain.state.clear()
    chain.state.update(beginning)
    chain.advance(height=10)  # not the next block: the machine forgets what it cached
    node = ChainNode(chain)
    members = tuple(_member(root, party, keys[party], node) for party in ROLES)
    suppliers = tuple(member.party for member in members if member.role == "supplier")
    for party in suppliers:
        home = root / "executors" / party
        home.mkdir(parents=True)
        (home / "executor.toml").write_text("")
    return Consortium(root, (NodePlace("node0", ""),), suppliers, members, (node,))


@cache
def _pem(private: bytes) -> bytes:
    """Made slow on purpose, so made once."""
    return key_to_pem(private, PASSPHRASE)


def _member(root: Path, party: str, private: bytes, node: ChainNode) -> Member:
    home = root / "parties" / party
    home.mkdir(parents=True)
    write_private(home / "passphrase", PASSPHRASE + b"\n")
    (home / "key.pem").touch(mode=0o600)
    (home / "key.pem").write_bytes(_pem(private))
    return Member(
        party=party,
        role=ROLES[party],
        title=party.title(),
        node="node0",
        home=home,
        session=Session(node, Account(SoftwareProvider(private))),
        key_path=home / "key.pem",
        passphrase_path=home / "passphrase",
    )


class Listener:
    """A Teller that remembers."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.steps: list[Step] = []
        self.remarks: list[str] = []
        self.tables: list[TableRecord] = []

    def stage(self, stage: Stage) -> None:
        self.stages.append(stage)

    def step(self, step: Step) -> None:
        self.steps.append(step)

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def table(self, table: TableRecord) -> None:
        self.tables.append(table)

    def waiting(self, text: str) -> AbstractContextManager[None]:
        return nullcontext()


def finish_task(node: NodeClient, suppliers: tuple[Member, ...], task_id: str) -> bytes:
    """Does with the suppliers' accounts what executors do; returns the program hash reported."""
    digest = sm3.digest(b"compiled")
    _accept(suppliers, task_id)
    for supplier in suppliers:
        report: list[Value] = [digest, digest, digest, b"sealed", [1, 2, 3, 4, 5], "test"]
        supplier.session.call("task", "report", task_id, *report)
    return digest


def compute_task(suppliers: tuple[Member, ...], sheets: Sequence[Sheet], task_id: str) -> None:
    """What executors do, with the plain computation over all sheets in the engine's place.

    The shares that come out are sealed and opened as an engine's are.
    """
    file = suppliers[0].session.view("task", "show", task_id)
    assert isinstance(file, dict)
    encoded, task = file["program"], file["task"]
    assert isinstance(encoded, bytes) and isinstance(task, dict)
    receiver_key = task["receiver_key"]
    assert isinstance(receiver_key, bytes)
    program = decode_program(encoded)
    shares = sealed_results(task_id, program, pooled_results(program, sheets), receiver_key)
    _accept(suppliers, task_id)
    for supplier, share in zip(suppliers, shares, strict=True):
        said: list[Value] = [share.program_hash, sm3.digest(b"transcript"), share.output_commitment]
        report: list[Value] = [*said, share.sealed, [1, 2, 3, 4, 5], "a test's, none"]
        supplier.session.call("task", "report", task_id, *report)


def _accept(suppliers: tuple[Member, ...], task_id: str) -> None:
    for supplier in suppliers:
        session = supplier.session
        file = session.view("task", "show", task_id)
        assert isinstance(file, dict)
        task = file["task"]
        assert isinstance(task, dict)
        participants = task["participants"]
        assert isinstance(participants, list)
        pairs = [pair for pair in participants if isinstance(pair, list | tuple)]
        dataset = next(dataset for party, dataset in pairs if party == supplier.party)
        commitment = session.view("catalog", "commitment_of", dataset)
        certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        session.call("task", "accept", task_id, "127.0.0.1:1", certificate, commitment)


class Played:
    """A scenario played through all stages on an in-memory chain; its engine computes plainly."""

    def __init__(self, root: Path, plot: Plot) -> None:
        self.plot = plot
        self.world = consortium(root)
        sheets = [holding.sheet for holding in plot.collection.holdings]
        self.cast = cast_of(self.world, "test", holding=plot.holding, suppliers=len(sheets))
        self.listener = Listener()
        self.script = Script(plot.name, "test", self.world, self.listener)
        node = self.world.clients[0]
        assert isinstance(node, ChainNode)
        self.node = node

        def compute() -> None:
            node.before_events = lambda: None
            compute_task(self.cast.suppliers, sheets, self.cast.task)

        node.before_events = compute

    def play(self) -> Self:
        """Raises ScenarioFailed."""
        stages(self.script, self.cast, self.plot)
        return self

    def documents(self, member: Member) -> dict[str, bytes]:
        """What a member keeps at home, by name."""
        folder = member.home / DOCUMENTS
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def refusals(self) -> list[str]:
        """Every code with which the chain refused, in order."""
        return [
            step.receipted.refusal
            for step in self.listener.steps
            if step.kind is Kind.REFUSAL and step.receipted is not None
        ]
