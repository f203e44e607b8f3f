"""Opens a node's ledger, or makes it from the genesis on the very first start."""

from __future__ import annotations

from pathlib import Path

from contracts.vm.host import Worker
from ledger.genesis import Genesis, chain_id
from ledger.store import Store

LEDGER = "ledger"


class WrongChain(Exception):
    """The data directory belongs to another genesis."""


def open_or_create(data_dir: Path, genesis: Genesis, engine: Worker) -> Store:
    """The checked ledger in `data_dir`.

    Raises LedgerDamaged, or WrongChain when the directory holds another chain.
    """
    path = data_dir / LEDGER
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
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
    return store
