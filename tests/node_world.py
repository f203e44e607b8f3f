"""Whole nodes in one process: real consensus, ledger, contracts and client interface; only the
network is in memory and the contract engine has no jail. Faults are switched on by the test."""

from __future__ import annotations

import functools
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from trio.testing import MockClock

from client.account import Account
from client.build import build_transaction
from client.node import NodeClient
from client.status import NodeStatus
from contracts.bundle import genesis_contracts
from contracts.vm import engines
from contracts.vm.apply import Machine
from contracts.vm.codes import ViewRefused
from contracts.vm.engine_schedule import engine_at
from contracts.vm.engines import Engine, EngineUnknown
from contracts.vm.host import (
    BlockResult,
    EmptyReader,
    GenesisResult,
    RangeReader,
    ViewResult,
    call_of,
    read_page,
)
from contracts.vm.limits import VIEW_GAS_MAX
from contracts.vm.messages import BlockContext, Install, Query
from contracts.vm.state import StateKey
from contracts.vm.version import VM_VERSION
from crypto import sm2
from crypto.keys import key_to_pem
from crypto.providers.software import SoftwareProvider
from crypto.smtls import TlsIdentity
from crypto.x509.read import Certificate
from ledger.encoding import encode
from ledger.errors import LedgerClosed
from ledger.genesis import (
    Genesis,
    GenesisContract,
    GenesisParty,
    Limits,
    chain_id,
    save_genesis,
)
from ledger.model import StateWrite, Transaction, Validator, ValidatorSet, transaction_id
from ledger.values import Value, encode_value
from node.config import AUTO, NodeConfig
from node.intake import Rules, check_form
from node.keys import save_network_key, write_private
from node.mempool import Admitted
from node.run import Node
from node.serve import begin_if_wanted, live
from p2p.identity import generate_seed, peer_id_of
from p2p.limits import Channel
from p2p.network import Frame, PeerAddress
from p2p.tls.policy import TransportPolicy

if TYPE_CHECKING:
    from trio_typing import TaskStatus

# Real milliseconds without anything to do before virtual time jumps: threads may be at work.
IDLE_S = 0.01
PASSPHRASE = b"correct horse"
INBOX = 4096

WRONG = StateWrite("notes", b"wrong", b"value")
NOTES = """
from contracts.dialect import Map, call, emit, require, view
notes = Map(str, str)
@call
def write(key: str, text: str) -> None:
    require(len(text) > 0, "empty")
    notes[key] = text
    emit("Written", key=key)
@view
def read(key: str) -> str:
    return notes.get(key, "")
"""


def quick_clock() -> MockClock:
    """Time that jumps when nothing happens. Give it to trio through a fixture."""
    return MockClock(autojump_threshold=IDLE_S)


# --- the network ----------------------------------------------------------------------------

Hears = Callable[[str, str, Channel, bytes], bool]


class Air:
    """Carries frames between the ends that are up; `hears` decides which arrive."""

    def __init__(self) -> None:
        self.ends: dict[str, End] = {}
        self.hears: Hears = lambda sender, to, channel, body: True
        self.sent: Counter[tuple[str, Channel]] = Counter()
        self.watch: Callable[[str, Channel, bytes], None] = lambda sender, channel, body: None
        self.alter: Callable[[str, Channel, bytes], bytes] = lambda sender, channel, body: body

    def carry(self, sender: str, to: str, channel: Channel, body: bytes) -> bool:
        end = self.ends.get(to)
        self.watch(sender, channel, body)
        self.sent[sender, channel] += 1
        if end is None or not self.hears(sender, to, channel, body):
            return False
        if sender not in end.allowed:  # links are made only by those who let each other in
            return False
        return end.put(channel, Frame(sender, self.alter(sender, channel, body)))


class End:
    """One node's Links."""

    def __init__(self, air: Air, peer_id: str, others: Sequence[str]) -> None:
        self._air = air
        self._peer_id = peer_id
        self.allowed = frozenset(others)
        pairs = {channel: trio.open_memory_channel[Frame](INBOX) for channel in Channel}
        self._inboxes = {channel: pair[0] for channel, pair in pairs.items()}
        self._frames = {channel: pair[1] for channel, pair in pairs.items()}

    async def run(self, *, task_status: TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        self._air.ends[self._peer_id] = self
        task_status.started("memory")
        try:
            await trio.sleep_forever()
        finally:
            del self._air.ends[self._peer_id]

    def put(self, channel: Channel, frame: Frame) -> bool:
        try:
            self._inboxes[channel].send_nowait(frame)
        except trio.WouldBlock:
            return False
        return True

    def send(self, peer_id: str, channel: Channel, body: bytes) -> bool:
        if peer_id not in self.allowed:
            return False
        return self._air.carry(self._peer_id, peer_id, channel, body)

    def broadcast(self, channel: Channel, body: bytes) -> int:
        return sum([self.send(peer_id, channel, body) for peer_id in sorted(self.allowed)])

    def update_allow_list(self, peers: Mapping[str, PeerAddress]) -> None:
        self.allowed = frozenset(p.peer_id for p in peers.values()) - {self._peer_id}

    def set_policy(self, policy: TransportPolicy) -> None:
        """Nobody shows a certificate here."""

    def certificates(self) -> dict[str, Certificate]:
        return {}  # in memory nobody shows one

    def renew(self, identity: TlsIdentity) -> None:
        """Nobody shows a certificate here."""

    def incoming(self, channel: Channel) -> trio.MemoryReceiveChannel[Frame]:
        return self._frames[channel]

    def connected(self) -> frozenset[str]:
        return frozenset(self._air.ends) - {self._peer_id}


# --- the engine -----------------------------------------------------------------------------


@dataclass
class OpenEngine:
    """The real compiler and executor in this process. `faults` are raised by the next blocks,
    `extra` is added to what a block writes: this node's outcome then differs; `wrong` tells how
    many executions of a height go wrong. `on_genesis` is called when a ledger begins. `lacks` names
    engines that this node's release does not have."""

    faults: deque[Exception] = field(default_factory=deque)
    extra: tuple[StateWrite, ...] = ()
    wrong: Counter[int] = field(default_factory=Counter)
    on_genesis: Callable[[], None] = lambda: None
    on_view: Callable[[], None] = lambda: None
    blocks: int = 0
    process_id: int | None = None
    layers: tuple[str, ...] = ()
    lacks: frozenset[str] = frozenset()

    def apply_genesis(self, genesis: Genesis) -> GenesisResult:
        self.on_genesis()
        installs = [Install(c.name, c.source, c.args) for c in genesis.contracts]
        context = BlockContext(chain_id(genesis), 0, genesis.time_ms)
        engine = engines.find(genesis.vm_version)
        machine = _machine(EmptyReader(), engine)
        receipts, writes = machine.apply_genesis(context, installs, engine.vm_version)
        assert all(receipt.status == 0 for receipt in receipts), receipts
        return GenesisResult(writes)

    def apply_block(
        self, block: BlockContext, transactions: Sequence[Transaction], reader: RangeReader
    ) -> BlockResult:
        if self.faults:
            raise self.faults.popleft()
        self.blocks += 1
        calls = [call_of(transaction) for transaction in transactions]
        engine = engine_at(reader, block.height)
        if engine.vm_version in self.lacks:
            raise EngineUnknown(engine.vm_version, f"from height {block.height} on there is")
        machine = _machine(reader, engine)
        receipts, writes = machine.apply_block(block, calls)
        if self.wrong[block.height]:
            self.wrong[block.height] -= 1
            writes = (*writes, WRONG)
        return BlockResult(tuple(receipts), (*writes, *self.extra))

    def view(
        self,
        block: BlockContext,
        *,
        sender: str,
        contract: str,
        method: str,
        args: bytes,
        reader: RangeReader,
    ) -> ViewResult:
        self.on_view()
        if self.faults:
            raise self.faults.popleft()
        query = Query(sender, contract, method, args, VIEW_GAS_MAX)
        answer = _machine(reader, engine_at(reader, block.height)).view(block, query)
        if answer.status != 0:
            raise ViewRefused(answer.status, answer.detail)
        return ViewResult(answer.value, answer.gas_used)

    def close(self) -> None:
        """Nothing is open."""


def _machine(reader: RangeReader, engine: Engine) -> Machine:
    def fetch(keys: Sequence[StateKey]) -> list[bytes | None]:
        return [reader.get(namespace, key) for namespace, key in keys]

    return Machine(fetch, lambda asked: read_page(asked, reader), engine.language)


# --- the nodes ------------------------------------------------------------------------------


class Nodes:
    """The files of `size` nodes in a folder; starts and stops them inside a nursery.

    The first `members` of them are the committee of the genesis (all, if not given).
    """

    def __init__(
        self,
        root: Path,
        *,
        size: int = 4,
        members: int | None = None,
        limits: Limits | None = None,
        parties: Sequence[GenesisParty] = (),
    ) -> None:
        self.root = root
        self.air = Air()
        self.engines = [OpenEngine() for _ in range(size)]
        self.account = Account(SoftwareProvider(sm2.generate()))
        self.caller = self.account  # who nodes are told that asks
        self.skew_ms = [0] * size  # of each node's wall clock
        self.repair = AUTO  # what each node does about damage
        self.sync_modes: dict[int, str] = {}  # of those that do not begin with blocks
        self.snapshots_every = 0
        self._seeds = [generate_seed() for _ in range(size)]
        self.nodes = tuple(self._make_keys(index) for index in range(size))
        validators = ValidatorSet(self.nodes[:members])
        limits = limits or Limits()
        founders = tuple(parties) or (
            GenesisParty("test", "Test", ("manager",), (self.account.address,)),
        )
        notes = GenesisContract("notes", NOTES, encode_value([]))
        system = genesis_contracts(founders, validators=validators, limits=limits)
        if not parties:  # the register alone, in which the test's account is a member
            system = system[:1]
        self.genesis = Genesis(
            version=1,
            name="test",
            time_ms=time.time_ns() // 1_000_000,
            validators=validators,
            parties=founders,
            contracts=(*system, notes),
            limits=limits,
            vm_version=VM_VERSION,
        )
        save_genesis(self.genesis, root / "genesis.json")
        self.running: dict[int, tuple[Node, trio.CancelScope, int, trio.Event]] = {}

    def _make_keys(self, index: int) -> Validator:
        folder = self.root / f"node{index}"
        folder.mkdir(parents=True)
        private, pem = _consensus_key(index)
        write_private(folder / "consensus.pem", pem)
        save_network_key(folder / "network.pem", self._seeds[index], PASSPHRASE)
        write_private(folder / "passphrase", PASSPHRASE + b"\n")
        return Validator(f"node{index}", f"p{index}", sm2.public_key(private), self.peer_id(index))

    def peer_id(self, index: int) -> str:
        return peer_id_of(self._seeds[index])

    def data_dir(self, index: int) -> Path:
        return self.root / f"node{index}" / "data"

    def config(self, index: int) -> NodeConfig:
        folder = self.root / f"node{index}"
        return NodeConfig(
            name=f"node{index}",
            data_dir=folder / "data",
            genesis=self.root / "genesis.json",
            consensus_key=folder / "consensus.pem",
            network_key=folder / "network.pem",
            passphrase_file=folder / "passphrase",
            listen="/ip4/127.0.0.1/tcp/0",
            peers={},
            api_listen="127.0.0.1:0",
            api_threads=6,
            subscribers_max=2,
            mempool_transactions_max=1000,
            mempool_bytes_max=1 << 20,
            verify_threads=1,
            allow_unjailed=True,
            log_level="info",
            repair=self.repair,
            scrub_hours=0,
            sync_mode=self.sync_modes.get(index, "blocks"),
            snapshots_every=self.snapshots_every,
        )

    def make_node(self, index: int) -> Node:
        """As it is, for `live`: a repaired node is followed by another on the same files."""
        return Node(
            self.config(index),
            links=lambda config, peers, presence: self._links(index),
            engine=lambda config: self.engines[index],
            wall_ms=lambda: self.now_ms() + self.skew_ms[index],
        )

    def _links(self, index: int) -> End:
        own = self.peer_id(index)
        others = [p for p in map(self.peer_id, range(len(self._seeds))) if p != own]
        return End(self.air, own, others)

    async def _begin(self, index: int) -> None:
        config = self.config(index)
        await begin_if_wanted(config, lambda config, peers, presence: self._links(index))

    def now_ms(self) -> int:
        """True time, which is virtual."""
        return self.genesis.time_ms + int(trio.current_time() * 1000)

    async def start(self, nursery: trio.Nursery, *indexes: int) -> None:
        for index in indexes:
            await nursery.start(self._run, index)

    async def _run(
        self, index: int, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        scope, ended = trio.CancelScope(), trio.Event()

        def on_start(node: Node, port: int) -> None:
            if index not in self.running:
                task_status.started()
            self.running[index] = (node, scope, port, ended)

        try:
            with scope:
                await live(lambda: self.make_node(index), on_start, lambda: self._begin(index))
        finally:
            ended.set()

    async def stop(self, *indexes: int) -> None:
        for index in indexes:
            _, scope, _, ended = self.running.pop(index)
            scope.cancel()
            await ended.wait()

    def node(self, index: int) -> Node:
        return self.running[index][0]

    def client(self, index: int) -> NodeClient:
        return NodeClient(f"127.0.0.1:{self.running[index][2]}", caller=self.caller)

    # --- what a test asks for ---------------------------------------------------------------

    def transaction(self, key: str, *, valid_until: int = 100, text: str = "x") -> Transaction:
        return build_transaction(
            self.account,
            chain_id=chain_id(self.genesis),
            valid_until=valid_until,
            contract="notes",
            method="write",
            args=[key, text],
        )

    def admitted(self, transaction: Transaction) -> Admitted:
        rules = Rules(chain_id(self.genesis), self.genesis.limits)
        return check_form(encode(transaction), rules=rules)[0]

    async def call(
        self, index: int, account: Account, contract: str, method: str, *args: Value
    ) -> None:
        """Have `account` call through one node, and wait there until it is certified."""
        transaction = build_transaction(
            account,
            chain_id=chain_id(self.genesis),
            valid_until=self.node(index).store.height + min(100, self.genesis.limits.valid_window),
            contract=contract,
            method=method,
            args=args,
        )
        (wanted,) = await self.hand_in(index, transaction)
        await self.certified([wanted], index)
        store = self.node(index).store
        place = store.find_transaction(wanted)
        assert place is not None
        receipt = store.receipts(place[0])[place[1]]
        assert receipt.status == 0, (receipt.error, receipt.detail)

    async def hand_in(self, index: int, *transactions: Transaction) -> list[bytes]:
        """Into the pool of one node, as its client interface does."""
        items = [self.admitted(transaction) for transaction in transactions]
        held = await trio.to_thread.run_sync(self.node(index).reception.hold, items)
        assert all(held)
        return [bytes(transaction_id(transaction)) for transaction in transactions]

    async def status(self, index: int) -> NodeStatus:
        with self.client(index) as client:
            return await trio.to_thread.run_sync(client.status)

    async def certified(self, ids: Sequence[bytes], *indexes: int, within_s: float = 60) -> None:
        """Until every named node has every transaction in a certified block (virtual seconds)."""

        def is_done() -> bool:
            stores = [self.node(index).store for index in indexes]
            try:
                places = [store.find_transaction(i) for store in stores for i in ids]
            except LedgerClosed:
                return False  # between a repaired node and the one that follows it
            heights = [store.certified_height for store in stores for _ in ids]
            return all(p and p[0] <= h for p, h in zip(places, heights, strict=True))

        await eventually(is_done, within_s=within_s)

    async def phase(self, index: int, wanted: str, *, within_s: float = 60) -> None:
        node = self.node(index)
        await eventually(lambda: node.reception.situation().phase == wanted, within_s=within_s)


async def eventually(condition: Callable[[], bool], *, within_s: float = 60) -> None:
    """Until `condition` holds, in virtual seconds; TooSlowError otherwise."""
    with trio.fail_after(within_s):
        while True:
            if condition():
                return
            await trio.sleep(0.05)


@functools.cache
def _consensus_key(index: int) -> tuple[bytes, bytes]:
    """Private key and encrypted PEM: slow to make, on purpose, so made once."""
    private = sm2.generate()
    return private, key_to_pem(private, PASSPHRASE)


@asynccontextmanager
async def running(committee: Nodes, *indexes: int) -> AsyncIterator[trio.Nursery]:
    """The named nodes run inside, and end with it."""
    async with trio.open_nursery() as nursery:
        await committee.start(nursery, *indexes)
        try:
            yield nursery
        finally:
            with trio.CancelScope(shield=True):
                await committee.stop(*tuple(committee.running))
