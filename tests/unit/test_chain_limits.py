"""Limits that a chain changes by proposal: by height, for makers, checkers and auditors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import plyvel
import pytest
from msgspec.structs import replace

from contracts import parameters
from contracts.parameters import ParametersUnknown
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.blocks import order_key, transactions_root
from ledger.errors import BlockInvalid, LedgerDamaged
from ledger.genesis import GenesisParty
from ledger.model import Block, Transaction, transaction_id
from ledger.schema import STATE
from ledger.store import Store
from node.audit import replay
from node.bootstrap import LEDGER
from node.execute import ChainRules, check_block
from node.journal import Journal
from node.mend import mend
from node.recover import Site
from tests.moving_chain import WINDOW, Chain
from tests.node_world import Nodes, OpenEngine
from tests.unit.test_node_rulebook import KEY

FEWER = 10  # transactions in a block, the least that the contract takes


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path)
    yield made
    made.store.close()


def records(chain: Chain, count: int) -> list[Transaction]:
    kind = ("evidence", "record")
    height = chain.store.height
    return [
        chain.act(chain.voices[0], *kind, f"e{height}-{n}", "delivery.sent", "x", bytes(32), "")
        for n in range(count)
    ]


def names(transactions: list[Transaction] | tuple[Transaction, ...]) -> set[bytes]:
    return {bytes(transaction_id(transaction)) for transaction in transactions}


def rules_of(chain: Chain) -> ChainRules:
    return ChainRules(chain.chain_id, chain.genesis.limits)


def test_a_block_holds_what_its_height_allows(chain: Chain) -> None:
    first = chain.change_parameters(("block_transactions_max", FEWER))
    assert first == chain.store.height + WINDOW + 1
    chain.grow_to(first - 2)
    wanted = records(chain, FEWER + 2)
    chain.include(*wanted)
    assert chain.store.height == first - 1
    assert len(chain.store.block(first - 1).transactions) == FEWER + 2
    wanted = records(chain, FEWER + 2)
    chain.attempt(*wanted)
    block = chain.store.block(first)
    assert len(block.transactions) == FEWER
    assert set(block.dropped) == names(wanted) - names(block.transactions)


def test_a_block_of_other_limits_is_refused_by_who_checks_it(chain: Chain, tmp_path: Path) -> None:
    first = chain.change_parameters(("block_transactions_max", FEWER))
    chain.grow_to(first - 1)
    other = chain.forked(tmp_path / "other")
    wanted = records(chain, FEWER + 1)
    chain.attempt(*wanted)
    good = chain.store.block(first)
    check_block(good, other.store, rules_of(chain))
    by_genesis = whole(good, wanted)
    with pytest.raises(BlockInvalid, match="it should not include"):
        check_block(by_genesis, other.store, rules_of(chain))
    other.store.close()


def whole(block: Block, wanted: list[Transaction]) -> Block:
    """The block as the limits of the genesis would make it."""
    key = block.header.previous_hash
    ordered = tuple(sorted(wanted, key=lambda one: order_key(key, transaction_id(one))))
    header = replace(block.header, transactions_root=transactions_root(ordered))
    return Block(header, ordered, (), block.proposal_time_ms)


def test_a_dearer_transaction_comes_in_from_the_height_on(chain: Chain) -> None:
    before = chain.genesis.limits.transaction_gas_max
    first = chain.change_parameters(("transaction_gas_max", before + 1))
    chain.grow_to(first - 2)
    for height, is_in in ((first - 1, False), (first, True)):
        (cheap,) = records(chain, 1)
        dear = chain.act(
            chain.voices[0],
            *("evidence", "record", f"dear-{height}", "delivery.sent", "x", bytes(32), ""),
            gas_limit=before + 1,
        )
        chain.attempt(cheap, dear)
        assert chain.store.height == height
        found = names(chain.store.block(height).transactions)
        assert found == names([cheap, dear]) if is_in else found == names([cheap])


def test_a_cancelled_change_never_holds(chain: Chain) -> None:
    first = chain.change_parameters(("block_transactions_max", FEWER), not_before=40)
    assert first == 40
    chain.cancel_parameters(first)
    chain.grow_to(first - 1)
    chain.include(*records(chain, FEWER + 1))
    assert len(chain.store.block(first).transactions) == FEWER + 1


def test_an_auditor_goes_by_the_limits_of_each_height(chain: Chain) -> None:
    first = chain.change_parameters(("block_transactions_max", FEWER), ("heartbeat_ms", 5_000))
    chain.grow_to(first - 1)
    chain.attempt(*records(chain, FEWER + 3))
    second = chain.change_parameters(("block_transactions_max", 50))
    chain.grow_to(second - 1)
    chain.include(*records(chain, FEWER + 3))
    chain.grow_to(second + 2)
    head = chain.store.height
    chain.store.close()
    verdict = replay(chain.data / LEDGER, chain.genesis, advance=lambda done, total: None)
    assert verdict.divergence is None, verdict.divergence
    assert verdict.height == head


def test_a_damaged_ledger_is_made_anew_by_the_limits_of_each_height(chain: Chain) -> None:
    first = chain.change_parameters(("block_transactions_max", FEWER))
    chain.grow_to(first - 2)
    chain.include(*records(chain, FEWER + 2))
    chain.attempt(*records(chain, FEWER + 2))
    chain.grow_to(first + 1)
    whole = chain.store.statement(first + 1)
    chain.store.close()
    with plyvel.DB(str(chain.data / LEDGER / "db"), compression=None) as database:
        key, value = next(database.iterator(prefix=STATE))
        database.put(key, value[:-1] + bytes([value[-1] ^ 1]))
    with closing(Journal(chain.data / "journal")):
        pass
    site = Site(chain.data, chain.genesis, SoftwareProvider(sm2.generate()), OpenEngine)
    assert mend(site).height == first + 1
    with closing(Store.open(chain.data / LEDGER)) as again:
        again.scrub()
        assert again.statement(first + 1) == whole
        sizes = [len(again.block(height).transactions) for height in (first - 1, first)]
        assert sizes == [FEWER + 2, FEWER]


def test_a_node_with_damaged_terms_does_not_open_and_lets_go_of_its_ledger(tmp_path: Path) -> None:
    party = GenesisParty("p0", "Party 0", ("manager",), ("ab" * 20,))
    files = Nodes(tmp_path, size=1, parties=[party])
    writes = OpenEngine().apply_genesis(files.genesis).writes
    place = (parameters.PARAMETER, KEY)
    damaged = [
        replace(write, value=b"\xc1") if (write.namespace, write.key) == place else write
        for write in writes
    ]
    assert damaged != list(writes)
    files.data_dir(0).mkdir()
    Store.create(files.data_dir(0) / LEDGER, files.genesis, damaged).close()
    kept = []  # with their frames: else the collector would close what the node forgot
    for _ in range(2):
        with pytest.raises(LedgerDamaged, match="parameter: ") as refused:
            files.make_node(0)
        kept.append(refused)


def test_a_release_that_does_not_know_a_figure_stops_before_the_height_and_loses_nothing(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = chain.change_parameters(("heartbeat_ms", 5_000))
    chain.grow_to(first - 1)
    older = tuple(name for name in parameters.PARAMETERS if name != "heartbeat_ms")
    monkeypatch.setattr(parameters, "PARAMETERS", older)
    with pytest.raises(ParametersUnknown, match="goes by heartbeat_ms, which this release does"):
        chain.grow_to(first)
    assert chain.store.height == first - 1
    monkeypatch.undo()
    chain.grow_to(first)
    assert chain.store.height == first
