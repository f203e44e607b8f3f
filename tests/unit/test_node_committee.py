"""The committee changes while the network runs: whole nodes in one process, governance on chain.

In real time: every block costs these nodes so much work that a clock which jumps when nothing
happens would run out while a busy machine is still at it.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import trio

from client.account import Account
from contracts.parameters import terms_of
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.genesis import GenesisParty, Limits
from ledger.model import ValidatorSet
from ledger.values import Value
from tests.node_world import Nodes, eventually, running

pytestmark = pytest.mark.slow

WINDOW = 4
LIMITS = Limits(watermark_window=WINDOW)


class Consortium(Nodes):
    """Organizations p0, p1, ... run a node each; `manager` has none."""

    def __init__(self, root: Path, *, size: int, members: int, limits: Limits = LIMITS) -> None:
        self.manager = Account(SoftwareProvider(sm2.generate()))
        self.voices = [Account(SoftwareProvider(sm2.generate())) for _ in range(size)]
        parties = [
            GenesisParty("bureau", "Bureau", ("manager",), (self.manager.address,)),
            *(
                GenesisParty(f"p{index}", f"Party {index}", ("supplier",), (voice.address,))
                for index, voice in enumerate(self.voices)
            ),
        ]
        super().__init__(root, size=size, members=members, limits=limits, parties=parties)
        self.caller = self.manager
        self._numbers = itertools.count()
        self._notes = itertools.count()

    async def decide(self, kind: str, node: str, successor: str = "") -> None:
        """Propose by the manager, approve by a quorum of organizations."""
        proposal = await self._propose("propose", kind, node, successor, "why not")
        await self._approve(proposal)

    async def admit(self, index: int) -> None:
        node = self.nodes[index]
        proposal = await self._propose(
            "admit_observer", node.name, node.party, node.public_key, node.peer_id, "", "grow"
        )
        await self._approve(proposal)

    async def change_engine(self, vm_version: str, from_height: int) -> None:
        proposal = await self._propose("change_engine", vm_version, from_height, "why not")
        await self._approve(proposal)

    async def change_parameters(self, *values: tuple[str, int]) -> int:
        """The first height that goes by them."""
        changes: list[Value] = [list(value) for value in values]
        proposal = await self._propose("change_parameters", changes, 0, "why not")
        await self._approve(proposal)
        return terms_of(self.node(0).store)[-1].from_height

    async def _propose(self, method: str, *args: Value) -> str:
        proposal = f"proposal-{next(self._numbers)}"
        await self.call(0, self.manager, "proposal", method, proposal, *args)
        return proposal

    async def _approve(self, proposal: str) -> None:
        for index in range(self.genesis.validators.quorum):
            await self.call(0, self.voices[index], "proposal", "approve", proposal)

    async def pass_heights(self, until: int, *indexes: int) -> None:
        """Blocks until every named node is certified up to `until`."""
        stores = [self.node(index).store for index in indexes]
        while min(store.certified_height for store in stores) < until:
            transaction = self.transaction(f"note {next(self._notes)}", valid_until=500)
            await self.hand_in(indexes[0], transaction)
            await trio.sleep(0.3)

    async def hand_in_notes(self, name: str, count: int, *indexes: int) -> None:
        """At once, to the first of the nodes; until all of them have them in certified blocks."""
        notes = [self.transaction(f"{name} {n}", valid_until=500) for n in range(count)]
        await self.certified(await self.hand_in(indexes[0], *notes), *indexes)

    async def next_base(self) -> int:
        """The base of the epoch that comes next, once it is decided."""
        store = self.node(0).store
        await eventually(lambda: store.epochs.newest.base > store.current_epoch.base)
        return store.epochs.newest.base

    def committee(self, index: int) -> ValidatorSet:
        return self.node(index).store.current_epoch.validators


async def test_an_observer_is_admitted_follows_and_becomes_a_validator(tmp_path: Path) -> None:
    network = Consortium(tmp_path, size=5, members=4)
    async with running(network, 0, 1, 2, 3, 4):
        await network.pass_heights(2, 0, 1, 2, 3)
        await network.admit(4)
        assert network.node(4).reception.situation().index is None
        await network.phase(4, "observing")
        head = network.node(0).store.certified_height
        await eventually(lambda: network.node(4).store.certified_height >= head)
        await network.decide("add_validator", "node4")
        stores = [network.node(index).store for index in range(5)]
        base = await network.next_base()
        await network.pass_heights(base + 3, 0, 1, 2, 3, 4)
        for index in range(5):
            assert network.committee(index) == ValidatorSet(network.nodes)
            assert network.node(index).reception.situation().epoch == base
        assert network.node(4).reception.situation().index == 4
        roots = {store.statement(base + 3).state_root for store in stores}
        assert len(roots) == 1
        certificate = stores[0].execution_certificate(base)
        assert certificate is not None
        assert certificate.statement.next_validators_hash == ValidatorSet(network.nodes).digest


@pytest.mark.long
async def test_a_member_that_slept_through_changes_of_the_committee_finds_its_way(
    tmp_path: Path,
) -> None:
    """Epoch by epoch: each time it is shown the certificate that ended the one it is in."""
    network = Consortium(tmp_path, size=6, members=5)
    async with running(network, 0, 1, 2, 3, 4, 5) as nursery:
        await network.pass_heights(2, 0, 1, 2, 3, 4)
        await network.admit(5)
        await network.stop(3)
        for kind, node in (("add_validator", "node5"), ("remove_validator", "node4")):
            await network.decide(kind, node)
            base = await network.next_base()
            await network.pass_heights(base + 2, 0, 1, 2)
        await network.phase(4, "observing")
        await network.start(nursery, 3)
        await network.pass_heights(base + 6, 0, 1, 2, 3, 5)
        expected = ValidatorSet((*network.nodes[:4], network.nodes[5]))
        assert network.committee(3) == network.committee(0) == expected
        assert network.node(3).reception.situation().index == 3
        assert network.node(5).reception.situation().index == 4
        follower = network.node(4).store
        await eventually(lambda: follower.certified_height >= base + 6)


async def test_an_expelled_validator_is_cut_off_when_the_next_epoch_begins(tmp_path: Path) -> None:
    network = Consortium(tmp_path, size=5, members=5)
    async with running(network, 0, 1, 2, 3, 4):
        await network.pass_heights(2, 0, 1, 2, 3, 4)
        await network.decide("expel_validator", "node4")
        base = await network.next_base()
        await network.pass_heights(base + 3, 0, 1, 2, 3)
        peer_id = network.peer_id(4)
        for index in range(4):
            assert peer_id not in network.air.ends[network.peer_id(index)].allowed
        assert network.committee(0) == ValidatorSet(network.nodes[:4])
        assert network.node(4).store.height < base + 3


async def test_a_change_whose_entering_member_is_not_there_is_not_decided(tmp_path: Path) -> None:
    network = Consortium(tmp_path, size=5, members=4)
    async with running(network, 0, 1, 2, 3):
        await network.pass_heights(2, 0, 1, 2, 3)
        await network.admit(4)
        await network.decide("add_validator", "node4")
        await network.pass_heights(network.node(0).store.height + 3 * WINDOW, 0, 1, 2, 3)
        assert len(network.node(0).store.epochs.all) == 1
