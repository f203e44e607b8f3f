"""Opens a node's ledger, or makes it from the genesis on the very first start."""

from __future__ import annotations

from pathlib import Path

from consensus.pbft.messages import VALIDATORS_MAX
from contracts.vm import engines
from crypto.files import make_directory
from ledger.genesis import Genesis, chain_id
from ledger.store import Store
from node.engines import check_engine
from node.execute import Engine
from node.ledgers import settle, tidy
from node.rulebook import misfit

LEDGER = "ledger"


class WrongChain(Exception):
    """The data directory belongs to another genesis."""


class GenesisUnfit(Exception):
    """No network of this release can work by the limits of this genesis."""


def check_genesis(genesis: Genesis) -> None:
    """Whether this release runs the chain and its limits fit the protocol.

    All nodes load the same genesis, so all of one release refuse it, or none. What the chain
    changed to since, its state says. Raises GenesisUnfit, EngineUnknown.
    """
    engines.find(genesis.vm_version, where="the genesis names")
    if genesis.validators.size > VALIDATORS_MAX:
        raise GenesisUnfit(
            f"genesis: {genesis.validators.size} validators, more than {VALIDATORS_MAX}, the most "
            "that this release takes; make a new genesis"
        )
    if reason := misfit(genesis.limits):
        raise GenesisUnfit(f"genesis: {reason}; make a new genesis")


def open_or_create(data_dir: Path, genesis: Genesis, engine: Engine) -> Store:
    """The checked ledger in `data_dir`.

    Raises LedgerDamaged, WrongChain when the directory holds another chain, or EngineUnknown when
    this release cannot run the heights where it stands.
    """
    path = data_dir / LEDGER
    settle(path)
    if not path.exists():
        make_directory(data_dir)
        result = engine.apply_genesis(genesis)
        return Store.create(path, genesis, result.writes)
    store = Store.open(path)
    if store.chain_id != chain_id(genesis):
        found = store.chain_id.hex()[:16]
        store.close()
        raise WrongChain(
            f"{path} holds chain {found}…, the genesis is {chain_id(genesis).hex()[:16]}…: "
            "check genesis and data_dir in the configuration"
        )
    try:
        check_engine(store, genesis)
    except BaseException:
        store.close()
        raise
    tidy(path)
    return store
